/* SPDX-License-Identifier: Apache-2.0 */
#include "model/consul_report.h"

#define US UINT64_C(1000)
#define MS (1000 * US)

const uint64_t propagation_bucket_ns[PROPAGATION_BUCKETS - 1] = {
    100 * US, 250 * US, 500 * US, 1 * MS,   2500 * US, 5 * MS,    10 * MS,   25 * MS,
    50 * MS,  100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS, 5000 * MS,
};

const char *consul_op_name(enum consul_op op)
{
    static const char *const names[CONSUL_OPS] = {
        [CONSUL_OP_OTHER] = "other",
        [CONSUL_OP_NAMES] = "names",
        [CONSUL_OP_CLUSTER_READ] = "cluster_read",
        [CONSUL_OP_CLUSTER_WATCH] = "cluster_watch",
        [CONSUL_OP_CHECKS] = "checks",
        [CONSUL_OP_REGISTRATIONS] = "registrations",
        [CONSUL_OP_REGISTER] = "register",
    };
    return names[op];
}

const char *consul_code_name(enum consul_code code)
{
    static const char *const names[CONSUL_CODES] = {
        [CONSUL_CODE_NONE] = "none", [CONSUL_CODE_200] = "200", [CONSUL_CODE_400] = "400",
        [CONSUL_CODE_403] = "403",   [CONSUL_CODE_404] = "404", [CONSUL_CODE_429] = "429",
        [CONSUL_CODE_500] = "500",   [CONSUL_CODE_503] = "503", [CONSUL_CODE_OTHER] = "other",
    };
    return names[code];
}

const char *consul_failure_name(enum consul_failure why)
{
    static const char *const names[CONSUL_FAILURES] = {
        [CONSUL_FAILURE_OTHER] = "other",       [CONSUL_FAILURE_CONNECT] = "connect",
        [CONSUL_FAILURE_TIMEOUT] = "timeout",   [CONSUL_FAILURE_TLS] = "tls",
        [CONSUL_FAILURE_TRANSFER] = "transfer", [CONSUL_FAILURE_TOO_LARGE] = "too_large",
        [CONSUL_FAILURE_CONTENT] = "content",   [CONSUL_FAILURE_ACL] = "acl",
        [CONSUL_FAILURE_BUSY] = "busy",         [CONSUL_FAILURE_STATUS] = "status",
    };
    return names[why];
}

const char *consul_plan_name(enum consul_plan plan)
{
    static const char *const names[CONSUL_PLANS] = {
        [CONSUL_PLAN_NONE] = "none", [CONSUL_PLAN_EACH] = "each", [CONSUL_PLAN_SCAN] = "scan"};
    return names[plan];
}

const char *instance_skip_name(enum instance_skip why)
{
    static const char *const names[INSTANCE_SKIPS] = {[INSTANCE_SKIP_ADDRESS] = "address",
                                                      [INSTANCE_SKIP_PORT] = "port",
                                                      [INSTANCE_SKIP_MALFORMED] = "malformed"};
    return names[why];
}

enum consul_code consul_code_of(long status)
{
    switch (status) {
    case 0:
        return CONSUL_CODE_NONE;
    case 200:
        return CONSUL_CODE_200;
    case 400:
        return CONSUL_CODE_400;
    case 403:
        return CONSUL_CODE_403;
    case 404:
        return CONSUL_CODE_404;
    case 429:
        return CONSUL_CODE_429;
    case 500:
        return CONSUL_CODE_500;
    case 503:
        return CONSUL_CODE_503;
    default:
        return CONSUL_CODE_OTHER;
    }
}

bool consul_status_is_good(long status)
{
    return (status >= 200 && status < 300) || status == 404;
}
