/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "temp.h"

static struct temp temp;
static struct error error;
static char file_path[PATH_MAX];

static int setup(void **state)
{
    (void)state;
    temp_make(&temp);
    (void)snprintf(file_path, sizeof file_path, "%s/nsaddrd.conf", temp.dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_remove(&temp);
    return 0;
}

/* One variable and one -o argument at most are all that a test needs; NULL for none. */
static struct config *load(const char *file, const char *variable, const char *override)
{
    char copy[512] = "";
    char *environment[] = {variable != NULL ? copy : NULL, NULL};
    if (variable != NULL)
        (void)snprintf(copy, sizeof copy, "%s", variable);
    struct config_overrides overrides = {.items = &override, .count = override != NULL};
    if (file != NULL)
        temp_write(&temp, "nsaddrd.conf", file, strlen(file));
    error.text[0] = '\0';
    return config_load(file != NULL ? file_path : NULL, environment, &overrides, &error);
}

static struct config *good(const char *file, const char *variable, const char *override)
{
    struct config *c = load(file, variable, override);
    if (c == NULL)
        fail_msg("%s", error.text);
    return c;
}

static void refused(const char *file, const char *variable, const char *override, const char *says)
{
    struct config *c = load(file, variable, override);
    if (c != NULL)
        fail_msg("taken: %s", file != NULL ? file : variable != NULL ? variable : override);
    assert_says(&error, says);
}

static void refused_file(const char *file, const char *says)
{
    refused(file, NULL, NULL, says);
}

TEST(test_config__an_error_is_one_line_whatever_the_value)
{
    refused(NULL, NULL, "listen=a\nb", "listen");
    assert_null(strchr(error.text, '\n'));
    refused(NULL, NULL, "consul.wait=\x1b[2J", "consul.wait");
    assert_null(strchr(error.text, '\x1b'));
}

TEST(test_config__a_server_name_is_a_host_name)
{
    refused(NULL, NULL, "consul.tls.server_name=a b/c", "consul.tls.server_name");
}

TEST(test_config__defaults_are_as_documented)
{
    struct config *c = good(NULL, NULL, NULL);
    assert_int_equal(c->listen.count, 1);
    assert_string_equal(c->listen.items[0], "0.0.0.0:8080");
    assert_string_equal(c->admin.listen.items[0], "127.0.0.1:8081");
    assert_true(c->consul.enabled);
    assert_string_equal(c->consul.target.base_url, "http://127.0.0.1:8500");
    assert_string_equal(c->consul.service_prefix, "nameServer");
    assert_int_equal(c->consul.accept, ACCEPT_PASSING);
    assert_int_equal(c->consul.wait_ms, 55000);
    assert_int_equal(c->consul.max_watches, 100);
    assert_true(c->consul.tls.verify);
    assert_int_equal(c->admission.settle_ms, 2000);
    assert_int_equal(c->admission.leave_delay_ms, 30000);
    assert_int_equal(c->admission.gone_delay_ms, 300000);
    assert_int_equal(c->http.max_connections, 10000);
    assert_int_equal(c->http.max_connections_per_address, 0);
    assert_int_equal(c->http.exempt_networks.count, 0);
    assert_int_equal(c->http.header_timeout_ms, 10000);
    assert_int_equal(c->http.idle_timeout_ms, 60000);
    assert_int_equal(c->reg.mode, REGISTER_PER_CLUSTER);
    assert_string_equal(c->reg.name, "nameSvrIndex");
    assert_string_equal(c->reg.tag, "urlprefix-/rocketmq/<cluster-id>");
    assert_int_equal(c->reg.drain_ms, 5000);
    assert_string_equal(c->state.dir, "");
    assert_null(c->consul.http_auth);
    config_free(c);
}

TEST(test_config__reads_every_type_from_a_file)
{
    struct config *c =
        good("listen = [ \"1.2.3.4:80\", \"[::1]:80\" ];\n"
             "http : { threads = 3; idle_timeout = \"5s\"; };\n"
             "consul = { enabled = false; token = \"t\"; tls : { verify = false; };\n"
             "  exclude = ( \"a\", \"b\" ); consistency = \"stale\"; };\n"
             "static_clusters = ( { id = \"demo\"; addresses = [ \"10.0.0.2:1\", "
             "\"10.0.0.1:1\" ]; } );\n",
             NULL, NULL);
    assert_int_equal(c->listen.count, 2);
    assert_string_equal(c->listen.items[1], "[::1]:80");
    assert_int_equal(c->http.threads, 3);
    assert_int_equal(c->http.idle_timeout_ms, 5000);
    assert_false(c->consul.enabled);
    assert_string_equal(c->consul.token, "t");
    assert_false(c->consul.tls.verify);
    assert_int_equal(c->consul.exclude.count, 2);
    assert_int_equal(c->consul.consistency, CONSISTENCY_STALE);
    assert_int_equal(c->static_clusters.count, 1);
    assert_int_equal(c->static_clusters.items[0].list[0].addr[3], 1);
    config_free(c);
}

TEST(test_config__one_string_is_a_list_of_one)
{
    struct config *c = good("listen = \"1.2.3.4:80\"; admin : { listen = \"\"; };", NULL, NULL);
    assert_int_equal(c->listen.count, 1);
    assert_int_equal(c->admin.listen.count, 0);
    config_free(c);
}

/* -- precedence ------------------------------------------------------------------------------ */

TEST(test_config__consul_variables_win_over_defaults)
{
    struct config *c = good(NULL, "CONSUL_HTTP_ADDR=h:1", NULL);
    assert_string_equal(c->consul.address, "h:1");
    config_free(c);
}

TEST(test_config__the_file_wins_over_consul_variables)
{
    struct config *c = good("consul : { address = \"file:1\"; };", "CONSUL_HTTP_ADDR=h:1", NULL);
    assert_string_equal(c->consul.address, "file:1");
    config_free(c);
}

TEST(test_config__our_variables_win_over_the_file)
{
    struct config *c =
        good("consul : { address = \"file:1\"; };", "NSADDRD_CONSUL_ADDRESS=env:1", NULL);
    assert_string_equal(c->consul.address, "env:1");
    config_free(c);
}

TEST(test_config__arguments_win_over_all)
{
    struct config *c = good("consul : { address = \"file:1\"; };", "NSADDRD_CONSUL_ADDRESS=env:1",
                            "consul.address=arg:1");
    assert_string_equal(c->consul.address, "arg:1");
    config_free(c);
}

TEST(test_config__the_last_argument_wins)
{
    const char *items[] = {"default_cluster=a", "default_cluster=b"};
    char *environment[] = {NULL};
    struct config_overrides overrides = {.items = items, .count = 2};
    struct config *c = config_load(NULL, environment, &overrides, &error);
    assert_non_null(c);
    assert_string_equal(c->default_cluster, "b");
    config_free(c);
}

TEST(test_config__a_stronger_list_replaces_a_weaker_one)
{
    struct config *c = good("listen = [ \"1.1.1.1:1\", \"1.1.1.1:2\" ];", NULL, "listen=2.2.2.2:2");
    assert_int_equal(c->listen.count, 1);
    config_free(c);
}

TEST(test_config__an_argument_may_hold_equals_signs)
{
    struct config *c = good(NULL, NULL, "static_clusters=a=10.0.0.1:80");
    assert_int_equal(c->static_clusters.count, 1);
    config_free(c);
}

TEST(test_config__unknown_variables_of_our_prefix_are_passed_over)
{
    struct config *c = good(NULL, "NSADDRD_SERVICE_HOST=10.0.0.1", NULL);
    config_free(c);
}

/* -- errors ---------------------------------------------------------------------------------- */

TEST(test_config__a_bad_value_is_told_with_file_line_and_key)
{
    char says[PATH_MAX + 64];
    (void)snprintf(says, sizeof says, "%s:3: http.threads: 65 is out of range", file_path);
    refused_file("\n\nhttp : { threads = 65; };", says);
}

TEST(test_config__an_unknown_key_is_told_with_line_and_the_nearest)
{
    refused_file("http : {\n  thread = 1;\n};", "nsaddrd.conf:2: http.thread: unknown key; the "
                                                "nearest known one is http.threads");
}

TEST(test_config__an_unknown_group_is_told_with_the_nearest)
{
    refused_file("admision : { settle = \"1s\"; };", "nsaddrd.conf:1: admision: unknown key; the "
                                                     "nearest known one is admission");
}

TEST(test_config__a_key_unlike_any_is_told_where_to_look)
{
    refused_file("qqqqqqqqqq = 1;", "nsaddrd.conf:1: qqqqqqqqqq: unknown key; nsaddrd --help");
}

TEST(test_config__a_syntax_error_is_told_with_its_line)
{
    refused_file("listen = \"0.0.0.0:80\";\nhttp : {\n", "nsaddrd.conf:");
    refused_file("listen = ;", "nsaddrd.conf:1: ");
}

TEST(test_config__an_include_is_read_from_the_files_folder)
{
    temp_write(&temp, "more.conf", "default_cluster = \"b\";\n", 23);
    struct config *c = good("@include \"more.conf\"\n", NULL, NULL);
    assert_non_null(c);
    assert_string_equal(c->default_cluster, "b");
    config_free(c);
}

TEST(test_config__an_error_in_an_include_names_that_file)
{
    temp_write(&temp, "more.conf", "\nhttp : { threads = \"x\"; };\n", 28);
    refused_file("@include \"more.conf\"\n", "more.conf:2: http.threads: ");
}

TEST(test_config__a_missing_file_is_told_with_its_path)
{
    struct config_overrides none = {.count = 0};
    char *environment[] = {NULL};
    assert_null(config_load("/nonexistent/nsaddrd.conf", environment, &none, &error));
    assert_says(&error, "/nonexistent/nsaddrd.conf: cannot read the config file: No such file");
}

TEST(test_config__a_folder_is_no_config_file)
{
    struct config_overrides none = {.count = 0};
    char *environment[] = {NULL};
    assert_null(config_load(temp.dir, environment, &none, &error));
    assert_says(&error, "is a folder");
}

TEST(test_config__wrong_types_are_told)
{
    refused_file("http : { threads = \"3\"; };", "right is a number without quotes");
    refused_file("http : { threads = 1.5; };", "right is a number");
    refused_file("consul : { wait = 55; };", "has no unit");
    refused_file("consul : { enabled = 1; };", "right is a true|false");
    refused_file("consul : { enabled = \"true\"; };", "right is a true|false without quotes");
    refused_file("consul : { token = 5; };", "right is a string");
    refused_file("consul : { token = [ \"a\" ]; };", "right is a string");
    refused_file("consul = 5;", "right is a group");
    refused_file("listen = [ 1, 2 ];", "item 1 is a number");
    refused_file("listen : { a = 1; };", "a group is not right here");
    refused_file("static_clusters = \"a\";", "a string is not right here");
}

TEST(test_config__bad_static_clusters_are_told_with_their_line)
{
    refused_file("static_clusters = (\n { id = \"a\"; } );",
                 ":2: static_clusters: a cluster has no "
                 "addresses");
    refused_file("static_clusters = ( { addresses = [ \"10.0.0.1:1\" ]; } );", "has no id");
    refused_file("static_clusters = ( { id = \"a\"; addresses = [ ]; } );", "has no addresses");
    refused_file("static_clusters = ( { id = \"a\"; addresses = [ 5 ]; } );", "address 1 of \"a\"");
    refused_file("static_clusters = ( { id = \"a\"; addres = [ \"10.0.0.1:1\" ]; } );",
                 "\"addres\"");
    refused_file("static_clusters = ( \"a\" );", "an item is a string");
    refused_file("static_clusters = ( { id = \"a b\"; addresses = [ \"10.0.0.1:1\" ]; } );",
                 "is not a cluster id");
}

TEST(test_config__a_bad_variable_is_told_by_name)
{
    refused(NULL, "NSADDRD_HTTP_THREADS=x", NULL, "NSADDRD_HTTP_THREADS: \"x\" is not a number");
}

TEST(test_config__a_bad_argument_is_told_as_typed)
{
    refused(NULL, NULL, "http.threads=x", "-o http.threads: \"x\" is not a number");
    refused(NULL, NULL, "http.threads", "-o http.threads: right is -o key=value");
    refused(NULL, NULL, "http.thread=1",
            "-o http.thread: unknown key; the nearest known one is "
            "http.threads");
}

TEST(test_config__an_error_that_shows_late_still_names_its_origin)
{
    refused_file("\nlisten = \"host:80\";", "nsaddrd.conf:2: listen: \"host:80\"");
    refused(NULL, "NSADDRD_LISTEN=host:80", NULL, "NSADDRD_LISTEN: \"host:80\"");
    refused(NULL, NULL, "listen=host:80", "-o listen: \"host:80\"");
    refused(NULL, "CONSUL_HTTP_ADDR=ftp://h", NULL, "CONSUL_HTTP_ADDR: consul.address: ");
}

/* -- values that only fit together ----------------------------------------------------------- */

TEST(test_config__no_listen_address_at_all_is_refused)
{
    refused(NULL, NULL, "listen=", "there is no address");
}

TEST(test_config__limits_of_http_are_read)
{
    struct config *c =
        good("http : { max_connections = 16; max_connections_per_address = 1000000; "
             "header_timeout = \"1s\"; idle_timeout = \"1h\"; "
             "exempt_networks = [ \"10.0.0.0/8\", \"192.0.2.1\", \"2001:db8::/32\" ]; };",
             NULL, NULL);
    assert_int_equal(c->http.max_connections, 16);
    assert_int_equal(c->http.max_connections_per_address, 1000000);
    assert_int_equal(c->http.header_timeout_ms, 1000);
    assert_int_equal(c->http.idle_timeout_ms, 3600000);
    assert_int_equal(c->http.exempt_networks.count, 3);
    assert_string_equal(c->http.exempt_networks.items[2], "2001:db8::/32");
    config_free(c);
}

TEST(test_config__limits_of_http_have_their_own_limits)
{
    static const struct {
        const char *override, *says;
    } bad[] = {
        {"http.max_connections=15", "-o http.max_connections: 15 is out of range; right is 16 to"},
        {"http.max_connections=1000001", "right is 16 to 1000000"},
        {"http.max_connections=-16", "right is 16 to 1000000"},
        {"http.max_connections=4294967312", "right is 16 to 1000000"},
        {"http.max_connections_per_address=-1", "right is 0 to 1000000"},
        {"http.max_connections_per_address=1000001", "right is 0 to 1000000"},
        {"http.header_timeout=999ms", "\"999ms\" is out of range; right is \"1s\" to \"1h\""},
        {"http.header_timeout=61m", "right is \"1s\" to \"1h\""},
        {"http.header_timeout=10", "\"10\" is not a duration"},
        {"http.idle_timeout=0s", "right is \"1s\" to \"1h\""},
        {"http.idle_timeout=2h", "right is \"1s\" to \"1h\""},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        refused(NULL, NULL, bad[i].override, bad[i].says);
}

TEST(test_config__exempt_networks_are_checked_one_by_one)
{
    refused_file("http : { exempt_networks = [ \"10.0.0.0/8\", \"fabio\" ]; };",
                 ":1: http.exempt_networks: \"fabio\" is not a network; right is an address");
    refused(NULL, "NSADDRD_HTTP_EXEMPT_NETWORKS=10.0.0.1/8", NULL,
            "NSADDRD_HTTP_EXEMPT_NETWORKS: \"10.0.0.1/8\" is not a network");
    refused(NULL, NULL, "http.exempt_networks=2001:db8::/129", "\"2001:db8::/129\"");
    refused_file("http : { exempt_networks = [ \"\" ]; };", "http.exempt_networks");
}

TEST(test_config__certificate_and_key_come_together)
{
    temp_write(&temp, "cert", "x", 1);
    char file[PATH_MAX + 64];
    (void)snprintf(file, sizeof file, "consul : { tls : { cert_file = \"%s/cert\"; }; };",
                   temp.dir);
    refused_file(file, "is set without consul.tls.key_file");
}

TEST(test_config__files_that_are_named_must_be_readable)
{
    refused(NULL, NULL, "consul.tls.ca_file=/nonexistent", "right is a readable file");
    refused(NULL, NULL, "consul.tls.ca_path=/nonexistent", "right is a readable folder");
    refused(NULL, NULL, "consul.token_file=/nonexistent", "right is a readable file");
    refused(NULL, NULL, "consul.tls.ca_file=/tmp", "is a folder");
    refused(NULL, NULL, "state.dir=/nonexistent", "right is an existing folder");
    refused(NULL, NULL, "state.dir=/dev/null", "right is one that it may");
}

TEST(test_config__names_must_be_plain)
{
    refused(NULL, NULL, "consul.service_prefix=", "consul.service_prefix");
    refused(NULL, NULL, "consul.service_prefix=a b", "consul.service_prefix");
    refused(NULL, NULL, "consul.address_from=", "consul.address_from");
    refused(NULL, NULL, "consul.exclude=a/b", "is not a cluster id");
    refused(NULL, NULL, "default_cluster=a/b", "is not a cluster id");
    refused(NULL, NULL, "register.name=", "register.name");
    refused(NULL, NULL, "register.name=_nomad", "register.name");
    refused(NULL, NULL, "consul.token=a\nb", "has characters that no token has");
}

TEST(test_config__tags_must_not_break_fabio)
{
    refused(NULL, NULL, "register.tag=urlprefix-/rocketmq/", "with <cluster-id> in it");
    refused(NULL, NULL, "register.tag=urlprefix-/\"<cluster-id>", "register.tag");
    refused(NULL, NULL, "register.tag=urlprefix-/<cluster-id>\nroute del x", "register.tag");
    refused(NULL, NULL, "register.tags=a\"b", "register.tags");
}

TEST(test_config__our_own_name_must_not_look_like_a_cluster)
{
    refused(NULL, NULL, "register.name=nameServerIndex", "we would serve ourselves");
}

TEST(test_config__nobody_can_be_sent_to_all_addresses)
{
    refused(NULL, NULL, "register.advertise=0.0.0.0", "cannot be advertised");
}

/* -- CONSUL_* -------------------------------------------------------------------------------- */

TEST(test_config__consul_ssl_makes_the_default_address_https)
{
    struct config *c = good(NULL, "CONSUL_HTTP_SSL=1", NULL);
    assert_string_equal(c->consul.target.base_url, "https://127.0.0.1:8500");
    config_free(c);
}

TEST(test_config__consul_ssl_does_not_touch_an_address_of_our_own)
{
    struct config *c = good(NULL, "CONSUL_HTTP_SSL=true", "consul.address=http://h:1");
    assert_string_equal(c->consul.target.base_url, "http://h:1");
    config_free(c);
}

TEST(test_config__consul_truth_values_are_those_of_go)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    char text[64];
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        (void)snprintf(text, sizeof text, "CONSUL_HTTP_SSL_VERIFY=%s", yes[i]);
        struct config *c = good(NULL, text, NULL);
        assert_true(c->consul.tls.verify);
        config_free(c);
        (void)snprintf(text, sizeof text, "CONSUL_HTTP_SSL_VERIFY=%s", no[i]);
        c = good(NULL, text, NULL);
        assert_false(c->consul.tls.verify);
        config_free(c);
    }
}

TEST(test_config__an_unreadable_ssl_verify_is_an_error)
{
    refused(NULL, "CONSUL_HTTP_SSL_VERIFY=nope", NULL, "CONSUL_HTTP_SSL_VERIFY: \"nope\"");
    refused(NULL, "CONSUL_HTTP_SSL=nope", NULL, "CONSUL_HTTP_SSL: \"nope\"");
}

TEST(test_config__empty_consul_variables_do_not_count)
{
    struct config *c = good(NULL, "CONSUL_HTTP_SSL_VERIFY=", NULL);
    assert_true(c->consul.tls.verify);
    config_free(c);
    c = good(NULL, "CONSUL_HTTP_ADDR=", NULL);
    assert_string_equal(c->consul.address, "http://127.0.0.1:8500");
    config_free(c);
}

TEST(test_config__the_tls_server_name_loses_its_port)
{
    struct config *c = good(NULL, "CONSUL_TLS_SERVER_NAME=consul.example:8501", NULL);
    assert_string_equal(c->consul.tls.server_name, "consul.example");
    config_free(c);
}

TEST(test_config__consul_variables_reach_their_options)
{
    struct config *c = good(NULL, "CONSUL_HTTP_TOKEN=t", NULL);
    assert_string_equal(c->consul.token, "t");
    config_free(c);
    c = good(NULL, "CONSUL_NAMESPACE=n", NULL);
    assert_string_equal(c->consul.namespace, "n");
    config_free(c);
    c = good(NULL, "CONSUL_PARTITION=p", NULL);
    assert_string_equal(c->consul.partition, "p");
    config_free(c);
    c = good(NULL, "CONSUL_HTTP_AUTH=user:pw", NULL);
    assert_string_equal(c->consul.http_auth, "user:pw");
    config_free(c);
    c = good(NULL, "CONSUL_CACERT=/dev/null", NULL);
    assert_string_equal(c->consul.tls.ca_file, "/dev/null");
    config_free(c);
    c = good(NULL, "CONSUL_CAPATH=/tmp", NULL);
    assert_string_equal(c->consul.tls.ca_path, "/tmp");
    config_free(c);
    c = good(NULL, "CONSUL_HTTP_TOKEN_FILE=/dev/null", NULL);
    assert_string_equal(c->consul.token_file, "/dev/null");
    config_free(c);
}

TEST(test_config__a_consul_client_certificate_needs_its_key)
{
    refused(NULL, "CONSUL_CLIENT_CERT=/dev/null", NULL, "CONSUL_CLIENT_CERT: ");
    refused(NULL, "CONSUL_CLIENT_KEY=/dev/null", NULL, "CONSUL_CLIENT_KEY: ");
}

TEST(test_config__a_token_of_our_own_wins_over_consuls_token_file)
{
    struct config *c = good(NULL, "CONSUL_HTTP_TOKEN_FILE=/dev/null", "consul.token=t");
    assert_string_equal(c->consul.token, "t");
    assert_string_equal(c->consul.token_file, "");
    config_free(c);
}

TEST(test_config__a_token_file_of_our_own_wins_over_consuls_token)
{
    struct config *c = good(NULL, "CONSUL_HTTP_TOKEN=t", "consul.token_file=/dev/null");
    assert_string_equal(c->consul.token, "");
    assert_string_equal(c->consul.token_file, "/dev/null");
    config_free(c);
}

/* -- printing -------------------------------------------------------------------------------- */

static void print(const struct config *c, char *out, size_t size)
{
    FILE *f = fopen(temp_path(&temp, "printed.conf"), "we");
    assert_non_null(f);
    assert_true(config_print(c, f));
    (void)fclose(f);
    (void)temp_read(&temp, "printed.conf", out, size);
}

TEST(test_config__what_is_printed_loads_as_the_same)
{
    static char first[16384], second[16384];
    struct config *c = good(
        "listen = [ \"1.2.3.4:80\", \"[::1]:80\" ];\n"
        "http : { threads = 3; };\n"
        "consul : { datacenter = \"a\\\"b\\\\c\\nd\"; wait = \"1m30s\"; accept = \"warning\"; };\n"
        "register : { mode = \"single\"; tags = [ \"x\", \"y z\" ]; };\n"
        "static_clusters = ( { id = \"a\"; addresses = [ \"10.0.0.1:1\", \"[::1]:2\" ]; },\n"
        "  { id = \"b\"; addresses = [ \"10.0.0.1:1\" ]; } );\n",
        NULL, NULL);
    print(c, first, sizeof first);
    config_free(c);
    c = good(first, NULL, NULL);
    assert_string_equal(c->consul.datacenter, "a\"b\\c\nd");
    print(c, second, sizeof second);
    assert_string_equal(second, first);
    config_free(c);
}

TEST(test_config__the_defaults_print_and_load)
{
    static char first[16384], second[16384];
    struct config *c = good(NULL, NULL, NULL);
    print(c, first, sizeof first);
    config_free(c);
    c = good(first, NULL, NULL);
    print(c, second, sizeof second);
    assert_string_equal(second, first);
    config_free(c);
}

TEST(test_config__secrets_are_not_printed)
{
    static char text[16384];
    struct config *c = good(NULL, NULL, "consul.token=s3cret");
    print(c, text, sizeof text);
    assert_null(strstr(text, "s3cret"));
    config_free(c);
}

TEST(test_config__the_list_of_options_names_every_one)
{
    static char text[32768];
    FILE *f = fopen(temp_path(&temp, "options"), "we");
    assert_non_null(f);
    assert_true(config_print_options(f));
    (void)fclose(f);
    (void)temp_read(&temp, "options", text, sizeof text);
    assert_non_null(strstr(text, "consul.tls.server_name"));
    assert_non_null(strstr(text, "admission.gone_delay"));
}

TEST(test_config__origins_can_be_asked_for)
{
    char where[PATH_MAX];
    struct config *c =
        good("\nlog : { level = \"warn\"; };", "NSADDRD_STATE_DIR=/tmp", "listen=1.1.1.1:1");
    config_where(c, "log.level", where, sizeof where);
    assert_non_null(strstr(where, "nsaddrd.conf:2: log.level"));
    config_where(c, "listen", where, sizeof where);
    assert_string_equal(where, "-o listen");
    config_where(c, "state.dir", where, sizeof where);
    assert_string_equal(where, "NSADDRD_STATE_DIR");
    config_where(c, "log.format", where, sizeof where);
    assert_string_equal(where, "default: log.format");
    config_free(c);
}

TEST(test_config__free_takes_null)
{
    config_free(NULL);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_config__defaults_are_as_documented, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__reads_every_type_from_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__one_string_is_a_list_of_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__consul_variables_win_over_defaults, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__the_file_wins_over_consul_variables, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__our_variables_win_over_the_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__arguments_win_over_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__the_last_argument_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__a_stronger_list_replaces_a_weaker_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__an_argument_may_hold_equals_signs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_config__unknown_variables_of_our_prefix_are_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__a_bad_value_is_told_with_file_line_and_key,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_config__an_unknown_key_is_told_with_line_and_the_nearest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__an_unknown_group_is_told_with_the_nearest,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__a_key_unlike_any_is_told_where_to_look, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__a_syntax_error_is_told_with_its_line, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__an_include_is_read_from_the_files_folder,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__an_error_in_an_include_names_that_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__a_missing_file_is_told_with_its_path, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__a_folder_is_no_config_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__wrong_types_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__bad_static_clusters_are_told_with_their_line,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__a_bad_variable_is_told_by_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__a_bad_argument_is_told_as_typed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_config__an_error_that_shows_late_still_names_its_origin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__no_listen_address_at_all_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__limits_of_http_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__limits_of_http_have_their_own_limits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__exempt_networks_are_checked_one_by_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__certificate_and_key_come_together, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__files_that_are_named_must_be_readable, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__names_must_be_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__tags_must_not_break_fabio, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__our_own_name_must_not_look_like_a_cluster,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__nobody_can_be_sent_to_all_addresses, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__consul_ssl_makes_the_default_address_https,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_config__consul_ssl_does_not_touch_an_address_of_our_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__consul_truth_values_are_those_of_go, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__an_unreadable_ssl_verify_is_an_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__empty_consul_variables_do_not_count, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__the_tls_server_name_loses_its_port, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__consul_variables_reach_their_options, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__a_consul_client_certificate_needs_its_key,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_config__a_token_of_our_own_wins_over_consuls_token_file, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_config__a_token_file_of_our_own_wins_over_consuls_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__what_is_printed_loads_as_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__the_defaults_print_and_load, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__secrets_are_not_printed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__the_list_of_options_names_every_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__origins_can_be_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__free_takes_null, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config__an_error_is_one_line_whatever_the_value, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_config__a_server_name_is_a_host_name, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
