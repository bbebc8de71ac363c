/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/reply_header.h"

#include <string.h>
#include <strings.h>

#include "consul/httpc.h"

static bool header_is(const char *line, size_t len, const char *name, const char **value,
                      size_t *value_len)
{
    size_t n = strlen(name);
    if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return false;
    size_t start = n + 1;
    while (start < len && (line[start] == ' ' || line[start] == '\t'))
        start++;
    while (len > start && strchr(" \t\r\n", line[len - 1]) != NULL)
        len--;
    *value = line + start;
    *value_len = len - start;
    return true;
}

static bool word_is(const char *value, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(value, word, len) == 0;
}

/* Decimal digits only, and no overflow: strtoull would take "-1" and " 7x". */
static uint64_t parse_index(const char *value, size_t len)
{
    uint64_t n = 0;
    if (len == 0)
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return 0;
        uint64_t digit = (uint64_t)(value[i] - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return 0;
        n = n * 10 + digit;
    }
    return n;
}

void reply_header_take(struct httpc_reply *r, const char *line, size_t len)
{
    const char *value;
    size_t n;
    if (header_is(line, len, "X-Consul-Index", &value, &n))
        r->index = parse_index(value, n);
    else if (header_is(line, len, "X-Consul-KnownLeader", &value, &n))
        r->leader_unknown = word_is(value, n, "false");
    else if (header_is(line, len, "X-Consul-Query-Backend", &value, &n))
        r->streaming = word_is(value, n, "streaming");
    else if (header_is(line, len, "X-Consul-Results-Filtered-By-ACLs", &value, &n))
        r->filtered = word_is(value, n, "true");
    else if (header_is(line, len, "X-Consul-Default-ACL-Policy", &value, &n))
        r->default_deny = word_is(value, n, "deny");
}
