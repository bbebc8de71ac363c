/* SPDX-License-Identifier: Apache-2.0 */
#include "config/argv.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { LONG_PRINT_CONFIG = 256, LONG_ONCE };

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

bool arguments_parse(int argc, char **argv, struct arguments *out, struct error *reterr)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 't'},
        {"print-config", no_argument, NULL, LONG_PRINT_CONFIG},
        {"once", no_argument, NULL, LONG_ONCE},
        {"option", required_argument, NULL, 'o'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct arguments a = {.action = ACTION_RUN};
    a.overrides.items = calloc((size_t)argc + 1, sizeof *a.overrides.items);
    if (a.overrides.items == NULL)
        return error_set(reterr, "out of memory");

    opterr = 0; /* one line of our own instead of getopt's */
    int code;
    while ((code = getopt_long(argc, argv, ":c:to:Vh", long_options, NULL)) != -1) {
        switch (code) {
        case 'c':
            a.config_path = optarg;
            break;
        case 't':
            a.action = ACTION_CHECK;
            break;
        case LONG_PRINT_CONFIG:
            a.action = ACTION_PRINT_CONFIG;
            break;
        case LONG_ONCE:
            a.action = ACTION_ONCE;
            break;
        case 'o':
            a.overrides.items[a.overrides.count++] = optarg;
            break;
        case 'V':
            a.action = ACTION_VERSION;
            break;
        case 'h':
            a.action = ACTION_HELP;
            break;
        default:
            arguments_clear(&a);
            return bad_usage(argv, code, reterr);
        }
    }
    if (optind < argc) {
        arguments_clear(&a);
        return error_set(reterr, "unexpected argument \"%s\"; nsaddrd --help shows how",
                         argv[optind]);
    }
    *out = a;
    return true;
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
        "Signals: SIGTERM, SIGINT drain and stop, a second one stops now; SIGHUP reads the token\n"
        "file again.\n"
        "Exit codes: 0 good, 1 failure, 64 wrong usage, 78 bad config.\n"
        "\n"
        "Options, in the file as `group : { key = value; };`, in the environment as\n"
        "NSADDRD_GROUP_KEY:\n";
    return fputs(text, out) >= 0 && config_print_options(out) && fflush(out) == 0;
}
