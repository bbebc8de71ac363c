/* SPDX-License-Identifier: Apache-2.0 */
#include "model/report.h"

#include <stddef.h>
#include <string.h>

#include "base/buf.h"

/* Longer texts are cut. Consul's own limits are far above what anybody uses. */
#define ADDRESS_MAX 64
#define NAME_MAX 128

struct packed {
    int64_t since_ms;
    int64_t leaves_ms;
    uint16_t port;
    uint8_t verdict;
    uint8_t health;
    uint8_t registered;
};

/* Without the padding at its end. */
#define PACKED_SIZE (offsetof(struct packed, registered) + 1)

static const struct {
    const char *name;
    bool served;
    bool trouble;
} verdicts[VERDICTS] = {
    [VERDICT_NONE] = {"unknown", false, false},
    [VERDICT_SERVED] = {"served", true, false},
    [VERDICT_SHARED] = {"served-shared", true, true},
    [VERDICT_HELD] = {"served-held", true, true},
    [VERDICT_FAILING] = {"served-failing", true, true},
    [VERDICT_LEAVING] = {"served-maintenance", true, true},
    [VERDICT_DEREGISTERED] = {"served-deregistered", true, true},
    [VERDICT_UNHEALTHY] = {"failing", false, true},
    [VERDICT_MAINTENANCE] = {"maintenance", false, true},
    [VERDICT_UNUSABLE] = {"unusable", false, true},
    [VERDICT_CONTESTED] = {"contested", false, true},
    [VERDICT_DUPLICATE] = {"duplicate", false, true},
};

const char *verdict_name(enum verdict v)
{
    return verdicts[v].name;
}

bool verdict_is_served(enum verdict v)
{
    return verdicts[v].served;
}

bool verdict_is_trouble(enum verdict v)
{
    return verdicts[v].trouble;
}

/* Not in the middle of a character of UTF-8. */
static size_t cut(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    if (len <= max)
        return len;
    len = max;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

bool report_append(struct buf *out, const struct report *r)
{
    const char *const texts[] = {r->address, r->node,   r->service_id,
                                 r->check,   r->status, r->detail};
    size_t lens[sizeof texts / sizeof *texts];
    size_t size = PACKED_SIZE;
    struct packed p = {.since_ms = r->since_ms,
                       .leaves_ms = r->leaves_ms,
                       .port = (uint16_t)r->port,
                       .verdict = (uint8_t)r->verdict,
                       .health = (uint8_t)r->health,
                       .registered = r->registered};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        lens[i] = cut(texts[i], i == 0 ? ADDRESS_MAX : NAME_MAX);
        size += lens[i] + 1;
    }
    if (out->len + size > REPORTS_MAX)
        return true;
    (void)buf_append(out, &p, PACKED_SIZE);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        (void)buf_append(out, texts[i], lens[i]);
        (void)buf_append_char(out, '\0');
    }
    return !out->failed;
}

static const char *next_text(struct reports *reports)
{
    const char *text = reports->data;
    size_t size = strlen(text) + 1;
    reports->data += size;
    reports->len -= size;
    return text;
}

bool report_next(struct reports *reports, struct report *out)
{
    struct packed p = {.port = 0};
    if (reports->len == 0)
        return false;
    memcpy(&p, reports->data, PACKED_SIZE);
    reports->data += PACKED_SIZE;
    reports->len -= PACKED_SIZE;
    *out = (struct report){
        .verdict = (enum verdict)p.verdict,
        .health = (enum health)p.health,
        .registered = p.registered != 0,
        .port = p.port,
        .since_ms = p.since_ms,
        .leaves_ms = p.leaves_ms,
    };
    const char **const texts[] = {&out->address, &out->node,   &out->service_id,
                                  &out->check,   &out->status, &out->detail};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = next_text(reports);
    return true;
}
