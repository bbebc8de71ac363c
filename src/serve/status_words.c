/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/consul_report.h"
#include "model/report.h"
#include "model/table.h"
#include "serve/status.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

const char *status_health_name(enum status_health h)
{
    static const char *const names[] = {
        [STATUS_OK] = "ok",
        [STATUS_ATTENTION] = "attention",
        [STATUS_STARTING] = "starting",
        [STATUS_STOPPING] = "stopping",
    };
    return names[h];
}

void status_age(int64_t ms, char out[static STATUS_AGE_SIZE])
{
    if (ms < 0) /* the wall clock was set back */
        ms = 0;
    if (ms < MINUTE)
        (void)snprintf(out, STATUS_AGE_SIZE, "%" PRId64 " s", ms / SECOND);
    else if (ms < HOUR)
        (void)snprintf(out, STATUS_AGE_SIZE, "%" PRId64 " min", ms / MINUTE);
    else if (ms < DAY)
        (void)snprintf(out, STATUS_AGE_SIZE, "%" PRId64 " h %" PRId64 " min", ms / HOUR,
                       ms % HOUR / MINUTE);
    else
        (void)snprintf(out, STATUS_AGE_SIZE, "%" PRId64 " d %" PRId64 " h", ms / DAY,
                       ms % DAY / HOUR);
}

void status_address(const struct report *r, char out[static STATUS_ADDRESS_SIZE])
{
    const char *text = r->address[0] != '\0' ? r->address : "(no address)";
    bool six = strchr(text, ':') != NULL;
    int n = snprintf(out, STATUS_ADDRESS_SIZE, "%s%.80s%s", six ? "[" : "", text, six ? "]" : "");
    if (n > 0 && r->port != 0)
        (void)snprintf(out + n, STATUS_ADDRESS_SIZE - (size_t)n, ":%u", r->port);
}

int64_t status_wall_ms(const struct status_view *v, int64_t mono_ms)
{
    return v->now_wall_ms - (v->now_mono_ms - mono_ms);
}

/* -- one line on all ------------------------------------------------------------------------- */

PRINTF_LIKE(2, 3) static void add(char out[static STATUS_SUMMARY_SIZE], const char *format, ...)
{
    va_list args;
    size_t len = strlen(out);
    va_start(args, format);
    (void)vsnprintf(out + len, STATUS_SUMMARY_SIZE - len, format, args);
    va_end(args);
}

/* ", 3 held" for each state that has some. */
static void add_states(const struct status_selection *s, char out[static STATUS_SUMMARY_SIZE])
{
    static const struct {
        enum cluster_state state;
        const char *word;
    } words[] = {
        {CLUSTER_HELD, "held"},
        {CLUSTER_EMPTY, "without an address"},
        {CLUSTER_UNREAD, "not read yet"},
        {CLUSTER_RESTORED, "restored and not confirmed yet"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (s->in_state[words[i].state] > 0)
            add(out, ", %zu %s", s->in_state[words[i].state], words[i].word);
    if (s->ending > 0)
        add(out, "; %zu held with nothing registered, until gone_delay is over", s->ending);
}

/* What is wrong although the lists may be right. */
static bool add_faults(const struct status_view *v, char out[static STATUS_SUMMARY_SIZE])
{
    const struct consul_report *c = v->consul;
    const struct {
        bool holds;
        const char *text;
    } faults[] = {
        {c->enabled && c->registrations.failing, "Our registrations in Consul fail. "},
        {c->enabled && c->reading.scan_failing, "The checks in Consul cannot be followed. "},
        {c->state_error.since_wall_ms != 0, "The state on disk cannot be written. "},
        {v->reload_refused, "The last reload was refused, the config of before is in use. "},
    };
    bool any = false;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (faults[i].holds) {
            add(out, "%s", faults[i].text);
            any = true;
        }
    return any;
}

enum status_health status_summary(const struct status_view *v, const struct status_selection *s,
                                  char out[static STATUS_SUMMARY_SIZE])
{
    size_t all = table_count(v->table);
    size_t live = s->in_state[CLUSTER_LIVE];
    bool deaf = v->consul->enabled && !v->consul->up && v->consul->error.last_wall_ms != 0;
    bool well = live == all && !deaf && s->failing == 0;
    enum status_health health = well ? STATUS_OK : STATUS_ATTENTION;
    out[0] = '\0';
    if (v->registry.draining)
        add(out, "Stopping, and answering those who still come. ");
    else if (!v->registry.complete)
        add(out, "Starting: not every cluster has been read yet. ");
    if (deaf)
        add(out, "Consul gives no good answer. ");
    if (add_faults(v, out))
        health = STATUS_ATTENTION;
    if (all == 0)
        add(out, "No cluster is known");
    else if (live == all)
        add(out, "All clusters are live: %zu", all);
    else
        add(out, "Of %zu clusters %zu are live", all, live);
    add_states(s, out);
    if (s->troubled > 0)
        add(out, "; %zu live with an instance to look at", s->troubled);
    if (s->failing > 0)
        add(out, "; %zu cannot be read from Consul", s->failing);
    return v->registry.draining    ? STATUS_STOPPING
           : !v->registry.complete ? STATUS_STARTING
                                   : health;
}

/* -- one instance ---------------------------------------------------------------------------- */

struct telling {
    const struct status_view *view;
    const struct report *report;
    void (*escape)(struct buf *out, const char *text);
    struct buf *out;
};

static void say(const struct telling *t, const char *text)
{
    (void)buf_append_str(t->out, text);
}

static void tell_check(const struct telling *t)
{
    if (t->report->check[0] == '\0') {
        say(t, "not healthy");
        return;
    }
    say(t, "check \xe2\x80\x9c"); /* quotes that are nobody's syntax */
    t->escape(t->out, t->report->check);
    say(t, "\xe2\x80\x9d is ");
    t->escape(t->out, t->report->status);
}

static void tell_since(const struct telling *t)
{
    char age[STATUS_AGE_SIZE];
    status_age(t->view->now_mono_ms - t->report->since_ms, age);
    (void)buf_printf(t->out, " for %s", age);
}

static void tell_end(const struct telling *t)
{
    char age[STATUS_AGE_SIZE];
    int64_t left = t->report->leaves_ms - t->view->now_mono_ms;
    if (t->report->leaves_ms == CLOCK_NEVER) {
        say(t, "; leaves never (admission.leave_delay)");
    } else if (left <= 0) {
        say(t, "; leaves when Consul confirms it");
    } else {
        status_age(left + SECOND - 1, age);
        (void)buf_printf(t->out, "; leaves in %s at the earliest", age);
    }
}

void status_describe_end(const struct status_view *v, int64_t gone_ms, struct buf *out)
{
    char age[STATUS_AGE_SIZE];
    int64_t left = gone_ms - v->now_mono_ms;
    (void)buf_append_str(out, "nothing is registered");
    if (gone_ms == CLOCK_NEVER) {
        (void)buf_append_str(out, ", unknown (404) admission.gone_delay after Consul "
                                  "confirms it");
    } else if (left <= 0) {
        (void)buf_append_str(out, ", unknown (404) when Consul confirms it");
    } else {
        status_age(left + SECOND - 1, age);
        (void)buf_printf(out, ", unknown (404) in %s at the earliest", age);
    }
}

static void tell_leaving(const struct telling *t)
{
    const struct report *r = t->report;
    if (!r->registered) {
        say(t, r->detail[0] != '\0' ? "served, taken out of static_clusters"
                                    : "served, no longer registered");
    } else if (r->health == HEALTH_MAINTENANCE || r->verdict == VERDICT_LEAVING) {
        say(t, "served, in maintenance");
    } else {
        say(t, "served, although ");
        tell_check(t);
    }
    tell_since(t);
    if (r->verdict != VERDICT_HELD) {
        tell_end(t);
    } else if (r->leaves_ms == 0) {
        say(t, "; held, for no instance is healthy");
    } else {
        say(t, "; held, for ");
        status_describe_end(t->view, r->leaves_ms, t->out);
    }
}

static void tell_other(const struct telling *t, const char *before, const char *after)
{
    say(t, before);
    t->escape(t->out, t->report->detail);
    say(t, after);
}

void status_describe(const struct status_view *v, const struct report *r,
                     void (*escape)(struct buf *out, const char *text), struct buf *out)
{
    const struct telling t = {.view = v, .report = r, .escape = escape, .out = out};
    switch (r->verdict) {
    case VERDICT_SERVED:
        say(&t, "served");
        if (r->check[0] != '\0') {
            say(&t, ", ");
            tell_check(&t);
        }
        break;
    case VERDICT_SHARED:
        tell_other(&t, "served, although cluster ", " claims the address, too: there is no other");
        break;
    case VERDICT_HELD:
    case VERDICT_FAILING:
    case VERDICT_LEAVING:
    case VERDICT_DEREGISTERED:
        tell_leaving(&t);
        break;
    case VERDICT_UNHEALTHY:
        say(&t, "not served: ");
        tell_check(&t);
        break;
    case VERDICT_MAINTENANCE:
        say(&t, "not served: in maintenance");
        break;
    case VERDICT_UNUSABLE:
        tell_other(&t, "not served: ", "");
        break;
    case VERDICT_CONTESTED:
        tell_other(&t, "not served: cluster ", " claims the address, too");
        break;
    case VERDICT_DUPLICATE:
        tell_other(&t, "does not count: the same address is registered as ", ", too");
        break;
    case VERDICT_NONE:
    case VERDICTS:
        say(&t, "not judged yet");
        break;
    }
}
