/* SPDX-License-Identifier: Apache-2.0 */
#include "config/argv.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { LONG_PRINT_CONFIG = 256, LONG_ONCE, LONG_URL };

static bool bad_usage(char **argv, int code, struct error *reterr)
{
    const char *arg = argv[optind - 1];
    if (code == ':')
        return error_set(reterr, "%s needs a value; nsaddrd --help shows how", arg);
    /* A long option that is unknown, or has a value although it takes none; else one letter of
     * perhaps several. */
    if (strncmp(arg, "--", 2) == 0)
        return error_set(reterr, "unknown option %s; nsaddrd --help lists the known ones", arg);
    return error_set(reterr, "unknown option -%c; nsaddrd --help lists the known ones", optopt);
}

/* `nsaddrd explain ...` and `nsaddrd probe ...`: the word takes the place of the program's name. */
static enum action take_command(int *argc, char ***argv)
{
    const char *word = *argc > 1 ? (*argv)[1] : "";
    enum action command = strcmp(word, "explain") == 0 ? ACTION_EXPLAIN
                          : strcmp(word, "probe") == 0 ? ACTION_PROBE
                                                       : ACTION_RUN;
    if (command != ACTION_RUN) {
        (*argc)--;
        (*argv)++;
    }
    return command;
}

/* What stands behind the options of a command. */
static bool take_operands(enum action command, int argc, char **argv, struct arguments *a,
                          struct error *reterr)
{
    if (a->action != ACTION_RUN && a->action != ACTION_HELP && command != ACTION_RUN)
        return error_set(reterr, "%s takes no such option; nsaddrd --help shows how", argv[0]);
    if (a->url != NULL && command != ACTION_EXPLAIN)
        return error_set(reterr, "--url is for nsaddrd explain; nsaddrd --help shows how");
    if (a->action == ACTION_HELP || command == ACTION_RUN)
        return true;
    a->action = command;
    const char *operand = optind < argc ? argv[optind] : NULL;
    if (command == ACTION_EXPLAIN && operand == NULL)
        return error_set(reterr, "explain needs a cluster id; nsaddrd --help shows how");
    if (command == ACTION_EXPLAIN)
        a->cluster = operand;
    else
        a->url = operand;
    optind += operand != NULL;
    return true;
}

/* All options; what is no option stands from `optind` on. */
static bool take_options(int argc, char **argv, struct arguments *a, struct error *reterr)
{
    static const struct option long_options[] = {
        {"url", required_argument, NULL, LONG_URL},
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 't'},
        {"print-config", no_argument, NULL, LONG_PRINT_CONFIG},
        {"once", no_argument, NULL, LONG_ONCE},
        {"option", required_argument, NULL, 'o'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    opterr = 0; /* one line of our own instead of getopt's */
    int code;
    while ((code = getopt_long(argc, argv, ":c:to:Vh", long_options, NULL)) != -1) {
        switch (code) {
        case 'c':
            a->config_path = optarg;
            break;
        case 't':
            a->action = ACTION_CHECK;
            break;
        case LONG_PRINT_CONFIG:
            a->action = ACTION_PRINT_CONFIG;
            break;
        case LONG_ONCE:
            a->action = ACTION_ONCE;
            break;
        case LONG_URL:
            a->url = optarg;
            break;
        case 'o':
            a->overrides.items[a->overrides.count++] = optarg;
            break;
        case 'V':
            a->action = ACTION_VERSION;
            break;
        case 'h':
            a->action = ACTION_HELP;
            break;
        default:
            return bad_usage(argv, code, reterr);
        }
    }
    return true;
}

bool arguments_parse(int argc, char **argv, struct arguments *out, struct error *reterr)
{
    struct arguments a = {.action = ACTION_RUN};
    enum action command = take_command(&argc, &argv);
    a.overrides.items = calloc((size_t)argc + 1, sizeof *a.overrides.items);
    if (a.overrides.items == NULL)
        return error_set(reterr, "out of memory");
    if (!take_options(argc, argv, &a, reterr) || !take_operands(command, argc, argv, &a, reterr))
        goto bad;
    if (optind < argc) {
        error_set(reterr, "unexpected argument \"%s\"; nsaddrd --help shows how", argv[optind]);
        goto bad;
    }
    *out = a;
    return true;
bad:
    arguments_clear(&a);
    return false;
}

void arguments_clear(struct arguments *a)
{
    free(a->overrides.items);
    *a = (struct arguments){0};
}

bool arguments_print_help(FILE *out)
{
    static const char text[] =
        "Usage: nsaddrd [-c FILE] [-o key=value]... [-t | --print-config | --once | -V | -h]\n"
        "       nsaddrd explain [-c FILE] [-o key=value]... [--url URL] CLUSTER-ID\n"
        "       nsaddrd probe [-c FILE] [-o key=value]... [URL]\n"
        "\n"
        "Answers \"where are the NameServers of cluster X?\" for RocketMQ clients, from Consul.\n"
        "\n"
        "  -c, --config FILE       read FILE; without it /etc/nsaddrd/nsaddrd.conf if there is one\n"
        "  -o, --option key=value  set one option; wins over file and environment\n"
        "  -t, --check-config      check the config and exit: 0 good, 78 bad\n"
        "      --print-config      print every option with its value, secrets masked\n"
        "      --once              read the sources once, print id<TAB>list lines and exit\n"
        "  -V, --version           version, and those of the libraries\n"
        "  -h, --help              this text\n"
        "\n"
        "explain asks the running daemon (URL, or admin.listen) why each instance of a cluster is in\n"
        "its list or is not: 0 when the cluster is known, else 1. probe is a health check: 0 when URL\n"
        "(or /healthz of the first `listen` address) answers 2xx, else 1.\n"
        "\n"
        "Signals: SIGTERM, SIGINT drain and stop, a second one stops now; SIGHUP reads the config\n"
        "and the token file again.\n"
        "Exit codes: 0 good, 1 failure, 64 wrong usage, 78 bad config.\n"
        "\n"
        "Options, in the file as `group : { key = value; };`, in the environment as\n"
        "NSADDRD_GROUP_KEY; a changed one is used after SIGHUP (reload) or a new start (restart):\n";
    return fputs(text, out) >= 0 && config_print_options(out) && fflush(out) == 0;
}
