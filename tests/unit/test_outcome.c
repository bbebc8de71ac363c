/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>

#include "consul/outcome.h"
#include "unit.h"

TEST(test_outcome__failures_are_told_apart)
{
    static const struct {
        CURLcode code;
        bool too_large;
        long status;
        const char *name;
    } cases[] = {
        {CURLE_COULDNT_CONNECT, false, 0, "connect"},
        {CURLE_COULDNT_RESOLVE_HOST, false, 0, "connect"},
        {CURLE_OPERATION_TIMEDOUT, false, 0, "timeout"},
        {CURLE_PEER_FAILED_VERIFICATION, false, 0, "tls"},
        {CURLE_SSL_CONNECT_ERROR, false, 0, "tls"},
        {CURLE_RECV_ERROR, false, 0, "transfer"},
        {CURLE_PARTIAL_FILE, false, 0, "transfer"},
        {CURLE_WRITE_ERROR, false, 0, "content"},
        {CURLE_WRITE_ERROR, true, 0, "too_large"},
        {CURLE_OUT_OF_MEMORY, false, 0, "other"},
        {CURLE_OK, false, 0, "other"},
        {CURLE_OK, false, 403, "acl"},
        {CURLE_OK, false, 429, "busy"},
        {CURLE_OK, false, 500, "status"},
        {CURLE_OK, false, 301, "status"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(consul_failure_name(outcome_failure(
                                (int)cases[i].code, cases[i].too_large, cases[i].status)),
                            cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcome__failures_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
