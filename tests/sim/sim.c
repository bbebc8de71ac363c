/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "checks.h"
#include "config/config.h"
#include "model/endpoint.h"
#include "model/registry.h"
#include "model/table.h"
#include "serve/routes.h"
#include "source/merge.h"
#include "source/source.h"
#include "source/spool.h"
#include "source/state_writer.h"

/* What Consul adds to a wait (agent/consul/rpc.go RPCQueryTimeout). */
#define WAIT_JITTER_PART 16
/* A reset stream: how soon a wait ends in the window in which the view is empty. */
#define EMPTY_WINDOW_MS 1000
#define BODY_SIZE (1024 * 1024)
/* Bytes of a body that come at once. */
#define PIECE_MAX 1500
#define INDEX_BEGIN 100
#define INDEX_STEP_BACK 50
#define WRITE_MS 5
#define WALL_BEGIN_MS INT64_C(1767225600000)
/* Turns of the loop without time passing: more mean that it will never end. */
#define TURNS_MAX 100000

bool (*sim_fail_hook)(const char *what);

static struct sim *current;

static void give_up(const char *why)
{
    (void)fprintf(stderr, "sim: %s\n", why);
    abort();
}

/* -- clocks, randomness and disks: instead of libc's, see CMakeLists.txt ---------------------- */

int __real_clock_gettime(clockid_t id, struct timespec *out);
int __wrap_clock_gettime(clockid_t id, struct timespec *out);
ssize_t __real_getrandom(void *out, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_clock_gettime(clockid_t id, struct timespec *out)
{
    if (current == NULL)
        return __real_clock_gettime(id, out);
    int64_t ms = current->now_ms;
    if (id == CLOCK_REALTIME)
        ms += WALL_BEGIN_MS + current->wall_offset_ms;
    *out = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    return 0;
}

ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags)
{
    if (current == NULL)
        return __real_getrandom(out, len, flags);
    unsigned char *bytes = out;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)jitter_upto(&current->random, UCHAR_MAX);
    return (ssize_t)len;
}

/* No power is lost in here. */
int __wrap_fsync(int fd)
{
    (void)fd;
    return 0;
}

int __wrap_fdatasync(int fd)
{
    return __wrap_fsync(fd);
}

/* -- history --------------------------------------------------------------------------------- */

static void note(struct sim *s, const char *format, ...) PRINTF_LIKE(2, 3);

static void note(struct sim *s, const char *format, ...)
{
    struct sim_history *h = s->history;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(h->text + h->len, h->size - h->len, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= h->size - h->len)
        give_up("the history is full");
    h->len += (size_t)n;
}

static void note_options(struct sim *s, const char *name)
{
    const struct config *c = s->config;
    note(s, "%" PRId64 " options %s settle=%" PRId64 " leave=%" PRId64 " gone=%" PRId64, s->now_ms,
         name, c->admission.settle_ms, c->admission.leave_delay_ms, c->admission.gone_delay_ms);
    note(s, " state=%s slack=0", c->state.dir[0] != '\0' ? "yes" : "no");
    for (size_t i = 0; i < c->static_clusters.count; i++) {
        const struct static_cluster *fixed = &c->static_clusters.items[i];
        note(s, " static=%s:", fixed->id);
        for (size_t k = 0; k < fixed->count; k++) {
            char text[ENDPOINT_TEXT_SIZE];
            (void)endpoint_format(&fixed->list[k], text);
            note(s, "%s%s", k > 0 ? ";" : "", text);
        }
    }
    note(s, "\n");
}

static const char *word_for(const struct sim *s, enum sim_health health)
{
    bool good = health == SIM_PASSING ||
                (health == SIM_WARNING && s->config->consul.accept == ACCEPT_WARNING);
    if (good)
        return "good";
    return health == SIM_MAINTENANCE || health == SIM_NODE_MAINTENANCE ? "maint" : "bad";
}

static void note_says(struct sim *s, const struct httpc_call *call)
{
    const struct sim_answer *a = &call->answer;
    const char *separator = "";
    note(s, "%" PRId64 " says %s %" PRId64 " %s %" PRIu64 " ", s->now_ms, s->ids[call->cluster],
         call->sent_ms, call->kind == SIM_READ ? "read" : "watch", a->index);
    for (size_t i = 0; i < a->row_count; i++) {
        const struct sim_row *row = &a->rows[i];
        struct endpoint e;
        char text[ENDPOINT_TEXT_SIZE] = "odd";
        const char *word = "odd";
        if (row->cluster != call->cluster)
            continue;
        if (endpoint_make(&e, row->instance.address, row->instance.port)) {
            (void)endpoint_format(&e, text);
            word = word_for(s, row->instance.health);
        }
        note(s, "%s%s=%s", separator, text, word);
        separator = ",";
    }
    note(s, "%s\n", separator[0] == '\0' ? "-" : "");
    s->told |= UINT64_C(1) << call->cluster;
    s->told_ms = s->now_ms;
}

static bool is_view(enum sim_kind kind)
{
    return kind >= SIM_VIEW_ALL;
}

static const char *const view_words[SIM_VIEWS] = {"all", "critical", "warning"};

/* Those of one cluster that the reply shows. */
static size_t count_checks(const struct sim_service *service, const struct httpc_call *call)
{
    struct sim_check checks[SIM_CHECKS_MAX];
    enum sim_view view = (enum sim_view)(call->kind - SIM_VIEW_ALL);
    size_t shown = 0;
    size_t all = sim_checks_of(service->list, service->count, checks);
    for (size_t i = 0; i < all; i++)
        shown += (view == SIM_ANY || checks[i].status == view) &&
                 (checks[i].kind != SIM_OF_NODE || call->of_nodes);
    return shown;
}

static void note_view(struct sim *s, const struct httpc_call *call)
{
    const struct sim_catalog *c = &s->viewed[call->kind - SIM_VIEW_ALL];
    const char *separator = "";
    note(s, "%" PRId64 " view %s %" PRId64 " %" PRIu64 " ", s->now_ms,
         view_words[call->kind - SIM_VIEW_ALL], call->sent_ms, call->answer.index);
    for (size_t i = 0; i < s->cluster_count; i++) {
        size_t count = count_checks(&c->services[i], call);
        if (count == 0)
            continue;
        note(s, "%s%s=%zu", separator, s->ids[i], count);
        separator = ",";
    }
    note(s, "%s\n", separator[0] == '\0' ? "-" : "");
}

static void note_names(struct sim *s, const struct httpc_call *call)
{
    const char *separator = "";
    note(s, "%" PRId64 " names %" PRId64 " %" PRIu64 " ", s->now_ms, call->sent_ms,
         call->answer.index);
    for (size_t i = 0; i < s->cluster_count; i++) {
        if ((call->answer.names >> i & 1) == 0)
            continue;
        note(s, "%s%s", separator, s->ids[i]);
        separator = ",";
    }
    note(s, "%s\n", separator[0] == '\0' ? "-" : "");
}

/* -- what clients get ------------------------------------------------------------------------ */

static void ask_table(const struct sim *s, const char *id, const struct table *table,
                      const struct registry_status *status, struct reply *out)
{
    char path[CLUSTER_ID_SIZE + 16];
    (void)snprintf(path, sizeof path, "/rocketmq/%s", id);
    struct request request = {.method = "GET", .path = path};
    routes_public(&request, table, status, s->config->default_cluster, out);
}

static void note_serves(struct sim *s, const char *id, const struct reply *r)
{
    bool list = r->cluster != NULL;
    const char *body = list ? r->cluster->body : "";
    note(s, "%" PRId64 " serves %s %" PRId64 " %u %s %s\n", s->now_ms, id, s->now_ms, r->status,
         list ? cluster_state_name(r->cluster->state) : "-", body[0] != '\0' ? body : "-");
}

static bool same_reply(const struct reply *a, const struct reply *b)
{
    if (a->status != b->status || (a->cluster == NULL) != (b->cluster == NULL))
        return false;
    return a->cluster == NULL || (a->cluster->state == b->cluster->state &&
                                  strcmp(a->cluster->body, b->cluster->body) == 0);
}

/* Writes every answer that is another than the one written before. */
static void observe(struct sim *s)
{
    if (!s->up)
        return;
    struct registry_status status;
    const struct table *table = registry_acquire(s->registry, &status);
    if (table == s->seen && status.complete == s->seen_with.complete &&
        s->cluster_count == s->seen_with.clusters) {
        table_unref(table);
        return;
    }
    struct registry_status old_status = {.complete = s->seen_with.complete};
    for (size_t i = 0; i < s->cluster_count; i++) {
        struct reply now, before;
        ask_table(s, s->ids[i], table, &status, &now);
        if (s->seen != NULL && i < s->seen_with.clusters) {
            ask_table(s, s->ids[i], s->seen, &old_status, &before);
            if (same_reply(&now, &before))
                continue;
        }
        note_serves(s, s->ids[i], &now);
    }
    table_unref(s->seen);
    s->seen = table;
    s->seen_with.complete = status.complete;
    s->seen_with.clusters = s->cluster_count;
}

/* Writes the answers of `clusters` as they are, changed or not. */
static void note_answers(struct sim *s, uint64_t clusters)
{
    struct registry_status status;
    const struct table *table = registry_acquire(s->registry, &status);
    for (size_t i = 0; i < s->cluster_count; i++) {
        struct reply r;
        if ((clusters >> i & 1) == 0)
            continue;
        ask_table(s, s->ids[i], table, &status, &r);
        note_serves(s, s->ids[i], &r);
    }
    table_unref(table);
}

/* Before the clock moves on: what came of the replies of a moment ago. */
static void note_told(struct sim *s)
{
    if (!s->up || s->frozen || s->told == 0 || s->told_ms >= s->now_ms)
        return;
    note_answers(s, s->told);
    s->told = 0;
}

void sim_ask(struct sim *s, const char *id, struct sim_served *out)
{
    struct reply r;
    struct registry_status status;
    const struct table *table = registry_acquire(s->registry, &status);
    ask_table(s, id, table, &status, &r);
    *out = (struct sim_served){.status = r.status, .state = "-", .reason = ""};
    if (r.cluster != NULL) {
        out->state = cluster_state_name(r.cluster->state);
        (void)snprintf(out->body, sizeof out->body, "%s", r.cluster->body);
    } else if (r.reason != NULL) {
        out->reason = r.reason;
    }
    table_unref(table);
}

bool sim_ready(const struct sim *s)
{
    return registry_status(s->registry).ready;
}

/* -- Consul: what it has --------------------------------------------------------------------- */

size_t sim_cluster(struct sim *s, const char *id)
{
    for (size_t i = 0; i < s->cluster_count; i++)
        if (strcmp(s->ids[i], id) == 0)
            return i;
    if (s->cluster_count == SIM_CLUSTERS_MAX)
        give_up("too many clusters");
    (void)snprintf(s->ids[s->cluster_count], sizeof s->ids[0], "%s", id);
    return s->cluster_count++;
}

static bool same_place(const struct sim_instance *a, const struct sim_instance *b)
{
    return strcmp(a->address, b->address) == 0 && a->port == b->port && a->on_node == b->on_node &&
           a->unchecked == b->unchecked;
}

/* Are there the same registrations, whatever their health? */
static bool same_places(const struct sim_service *a, const struct sim_instance *list, size_t count)
{
    if (a->count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!same_place(&a->list[i], &list[i]))
            return false;
    return true;
}

static bool same_health(const struct sim_service *a, const struct sim_instance *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a->list[i].health != list[i].health)
            return false;
    return true;
}

static void wake_blocked(struct sim *s, bool all);

/* Is there a check of that status anywhere? */
static bool has_status(const struct sim_catalog *c, enum sim_view status)
{
    struct sim_check checks[SIM_CHECKS_MAX];
    if (status == SIM_FAILING && c->others_fail)
        return true;
    for (size_t i = 0; i < SIM_CLUSTERS_MAX; i++) {
        size_t count = sim_checks_of(c->services[i].list, c->services[i].count, checks);
        for (size_t k = 0; k < count; k++)
            if (checks[k].status == status)
                return true;
    }
    return false;
}

/* Checks were written, `touched` by their status; the catalog is as it was before. */
static void change_checks(struct sim_catalog *c, const bool touched[static SIM_VIEWS])
{
    c->checks_index = c->view_index[SIM_ANY] = c->raft;
    for (enum sim_view v = SIM_FAILING; v < SIM_VIEWS; v++)
        if (touched[v] || !has_status(c, v))
            c->view_index[v] = c->raft;
}

static void change_service(struct sim_catalog *c, size_t cluster, const struct sim_instance *list,
                           size_t count)
{
    struct sim_service *service = &c->services[cluster];
    bool touched[SIM_VIEWS] = {false};
    bool places = same_places(service, list, count);
    if (places && same_health(service, list, count))
        return;
    c->raft++;
    if (!places)
        c->names_index = c->raft;
    if (count == 0)
        c->extinct_index = c->raft;
    if (sim_checks_change(service->list, service->count, list, count, touched))
        change_checks(c, touched);
    if (sim_someone_left(service->list, service->count, list, count))
        c->checks_index = c->raft; /* even without a check; it wakes nobody */
    for (size_t i = 0; i < count; i++)
        service->list[i] = list[i];
    service->count = count;
    service->index = c->raft;
}

void sim_register(struct sim *s, size_t cluster, const struct sim_instance *list, size_t count)
{
    change_service(&s->catalog, cluster, list, count);
    wake_blocked(s, false);
}

void sim_forget_all(struct sim *s)
{
    for (size_t i = 0; i < s->cluster_count; i++)
        change_service(&s->catalog, i, NULL, 0);
    wake_blocked(s, false);
}

void sim_others_fail(struct sim *s, bool fail)
{
    const bool touched[SIM_VIEWS] = {[SIM_FAILING] = true};
    if (fail == s->catalog.others_fail)
        return;
    s->catalog.raft++;
    change_checks(&s->catalog, touched);
    s->catalog.others_fail = fail;
    wake_blocked(s, false);
}

void sim_remember(struct sim *s)
{
    s->remembered = s->catalog;
}

void sim_go_back(struct sim *s)
{
    s->catalog = s->remembered;
    wake_blocked(s, true);
}

/* -- Consul: what it answers ----------------------------------------------------------------- */

static struct sim_fault_setting fault_of(const struct sim *s, const struct httpc_call *call)
{
    if ((call->kind == SIM_READ || call->kind == SIM_WATCH) &&
        s->cluster_faults[call->cluster][call->kind].fault != SIM_NO_FAULT)
        return s->cluster_faults[call->cluster][call->kind];
    return s->faults[call->kind];
}

static const struct sim_catalog *view_for(const struct sim *s, enum sim_fault fault)
{
    return fault == SIM_STALE ? &s->stale : &s->catalog;
}

/* A lookup finds every spelling (agent/consul/state/catalog_schema.go). */
static uint64_t index_of(const struct sim *s, const struct sim_catalog *c,
                         const struct httpc_call *call)
{
    if (call->kind == SIM_NAMES)
        return c->names_index;
    if (is_view(call->kind))
        return c->checks_index;
    uint64_t index = 0;
    for (size_t i = 0; i < s->cluster_count; i++)
        if (c->services[i].count > 0 && strcasecmp(s->ids[i], s->ids[call->cluster]) == 0 &&
            c->services[i].index > index)
            index = c->services[i].index;
    if (index > 0)
        return index;
    return c->extinct_index > 0 ? c->extinct_index : c->names_index;
}

static void collect_names(const struct sim *s, const struct sim_catalog *c, struct sim_answer *a)
{
    a->names = 0;
    for (size_t i = 0; i < s->cluster_count; i++)
        if (c->services[i].count > 0)
            a->names |= UINT64_C(1) << i;
    a->names &= ~s->hidden_names;
    if (a->fault.fault == SIM_PARTIAL || a->fault.fault == SIM_FILTERED)
        a->names &= UINT64_C(0x5555555555555555);
    if (a->fault.fault == SIM_EMPTY || a->fault.fault == SIM_LIES_EMPTY ||
        a->fault.fault == SIM_DENIED)
        a->names = 0;
}

static void collect_rows(const struct sim *s, const struct sim_catalog *c,
                         const struct httpc_call *call, struct sim_answer *a)
{
    size_t step = a->fault.fault == SIM_PARTIAL || a->fault.fault == SIM_FILTERED ? 2 : 1;
    a->row_count = 0;
    if (a->fault.fault == SIM_EMPTY || a->fault.fault == SIM_LIES_EMPTY ||
        a->fault.fault == SIM_DENIED)
        return;
    for (size_t i = 0; i < s->cluster_count; i++) {
        if (strcasecmp(s->ids[i], s->ids[call->cluster]) != 0)
            continue;
        for (size_t k = 0; k < c->services[i].count && a->row_count < SIM_ROWS_MAX; k += step)
            a->rows[a->row_count++] = (struct sim_row){.cluster = i,
                                                       .twin = sim_twin_of(c->services[i].list, k),
                                                       .instance = c->services[i].list[k]};
    }
}

/* What a view shows is what all clusters have; only one of its kind is on its way at a time. */
static void collect_checks(struct sim *s, const struct sim_catalog *c,
                           const struct httpc_call *call)
{
    struct sim_catalog *seen = &s->viewed[call->kind - SIM_VIEW_ALL];
    enum sim_fault fault = call->answer.fault.fault;
    bool none = fault == SIM_EMPTY || fault == SIM_LIES_EMPTY || fault == SIM_DENIED;
    *seen = *c;
    seen->others_fail = c->others_fail && !none;
    for (size_t i = 0; i < s->cluster_count; i++) {
        struct sim_service *service = &seen->services[i];
        if (none)
            service->count = 0;
        if (fault != SIM_PARTIAL && fault != SIM_FILTERED)
            continue;
        for (size_t k = 0; 2 * k < service->count; k++)
            service->list[k] = service->list[2 * k];
        service->count = (service->count + 1) / 2;
    }
}

static uint64_t header_of(const struct sim *s, const struct httpc_call *call, uint64_t index)
{
    switch (call->answer.fault.fault) {
    case SIM_EMPTY:
        return 1;
    case SIM_INDEX_ZERO:
        return 0;
    case SIM_INDEX_BACK:
        return index > INDEX_STEP_BACK ? index - INDEX_STEP_BACK : 1;
    case SIM_INDEX_STUCK:
        return index_of(s, &s->stale, call);
    case SIM_NO_FAULT:
    case SIM_REFUSED:
    case SIM_HANGS:
    case SIM_RESET:
    case SIM_STATUS:
    case SIM_GARBAGE:
    case SIM_CUT:
    case SIM_LIES_EMPTY:
    case SIM_FILTERED:
    case SIM_DENIED:
    case SIM_NO_LEADER:
    case SIM_STALE:
    case SIM_PARTIAL:
    case SIM_ODD_ROW:
        break;
    }
    return index;
}

static int64_t latency(struct sim *s)
{
    return s->latency_low_ms + jitter_upto(&s->random, s->latency_high_ms - s->latency_low_ms);
}

/* The reply as it is at this moment; it is on its way from now on. */
static void answer(struct sim *s, struct httpc_call *call)
{
    call->answer.fault = fault_of(s, call);
    const struct sim_catalog *c = view_for(s, call->answer.fault.fault);
    call->answer.index = header_of(s, call, index_of(s, c, call));
    if (call->kind == SIM_NAMES)
        collect_names(s, c, &call->answer);
    else if (is_view(call->kind))
        collect_checks(s, c, call);
    else
        collect_rows(s, c, call, &call->answer);
    call->stage = SIM_CALL_ANSWERED;
    call->at_ms = s->now_ms + latency(s);
}

static bool is_well(enum sim_fault fault)
{
    return fault == SIM_NO_FAULT || fault == SIM_STALE || fault == SIM_INDEX_BACK ||
           fault == SIM_INDEX_STUCK || fault == SIM_PARTIAL || fault == SIM_LIES_EMPTY;
}

/* Nothing came within the time: what a query for checks found when it began to wait. */
static void answer_late(struct sim *s, struct httpc_call *call)
{
    uint64_t ran_index = call->ran_index;
    answer(s, call);
    if (is_view(call->kind) && call->answer.fault.fault == SIM_NO_FAULT &&
        call->answer.index > ran_index)
        call->answer.index = ran_index;
}

/* Is there something that a query that waits is woken by? */
static bool is_woken(const struct sim *s, const struct httpc_call *call)
{
    const struct sim_catalog *c = view_for(s, fault_of(s, call).fault);
    if (is_view(call->kind))
        return c->view_index[call->kind - SIM_VIEW_ALL] > call->ran_index &&
               c->checks_index > call->index;
    return index_of(s, c, call) > call->index;
}

/* A request has come: it is answered, waits for news, or is never heard of again. */
static void arrive(struct sim *s, struct httpc_call *call)
{
    struct sim_fault_setting f = fault_of(s, call);
    if (f.fault == SIM_HANGS) {
        call->stage = SIM_CALL_BLOCKED;
        call->at_ms = CLOCK_NEVER;
    } else if (f.fault == SIM_EMPTY && call->index > 0) {
        call->stage = SIM_CALL_BLOCKED;
        call->at_ms = s->now_ms + jitter_upto(&s->random, EMPTY_WINDOW_MS);
    } else if (call->index > 0 && is_well(f.fault) &&
               index_of(s, view_for(s, f.fault), call) <= call->index) {
        call->stage = SIM_CALL_BLOCKED;
        call->ran_index = index_of(s, view_for(s, f.fault), call);
        call->at_ms = s->now_ms + call->wait_ms;
        if (call->kind != SIM_WATCH) /* streaming, which answers the others, adds nothing */
            call->at_ms += jitter_upto(&s->random, call->wait_ms / WAIT_JITTER_PART);
    } else {
        answer(s, call);
    }
}

/* Answers the blocking queries for which there is news, or (a state store was abandoned) all. */
static void wake_blocked(struct sim *s, bool all)
{
    for (size_t i = 0; i < s->httpc.pending_count; i++) {
        struct httpc_call *call = s->httpc.pending[i];
        struct sim_fault_setting f = fault_of(s, call);
        if (call->stage != SIM_CALL_BLOCKED || !is_well(f.fault))
            continue;
        if (all || is_woken(s, call))
            answer(s, call);
    }
}

/* A fault begins or ends: what waits meets it now. */
static void meet_fault(struct sim *s)
{
    for (size_t i = 0; i < s->httpc.pending_count; i++) {
        struct httpc_call *call = s->httpc.pending[i];
        enum sim_fault f = fault_of(s, call).fault;
        if (call->stage == SIM_CALL_BLOCKED && f == SIM_HANGS)
            call->at_ms = CLOCK_NEVER;
        else if (call->stage == SIM_CALL_BLOCKED && (!is_well(f) || call->at_ms == CLOCK_NEVER))
            answer(s, call);
        else if (call->stage > SIM_CALL_SENT && f == SIM_RESET)
            answer(s, call);
    }
    wake_blocked(s, false);
}

void sim_fail(struct sim *s, enum sim_kind kind, struct sim_fault_setting fault)
{
    s->stale = s->catalog;
    s->faults[kind] = fault;
    meet_fault(s);
}

void sim_fail_cluster(struct sim *s, size_t cluster, enum sim_kind kind,
                      struct sim_fault_setting fault)
{
    s->stale = s->catalog;
    s->cluster_faults[cluster][kind] = fault;
    meet_fault(s);
}

void sim_recover(struct sim *s)
{
    memset(s->faults, 0, sizeof s->faults);
    memset(s->cluster_faults, 0, sizeof s->cluster_faults);
    s->hidden_names = 0;
    meet_fault(s);
}

/* That a list is cut is no change of the catalog: the next one to ask sees it. */
void sim_hide_names(struct sim *s, uint64_t clusters)
{
    s->hidden_names = clusters;
    for (size_t i = 0; i < s->httpc.pending_count; i++) {
        struct httpc_call *call = s->httpc.pending[i];
        if (call->kind == SIM_NAMES && call->stage == SIM_CALL_BLOCKED &&
            is_well(fault_of(s, call).fault))
            answer(s, call);
    }
}

/* -- replies as bytes ------------------------------------------------------------------------ */

static char body[BODY_SIZE];
static size_t body_len;

static void write_body(const char *format, ...) PRINTF_LIKE(1, 2);

static void write_body(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(body + body_len, sizeof body - body_len, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof body - body_len)
        give_up("a reply is too long");
    body_len += (size_t)n;
}

/* A row as /v1/health/state/... has it. */
static void write_check(const struct sim *s, size_t cluster, const struct sim_check *check)
{
    static const char *const words[SIM_VIEWS] = {"passing", "critical", "warning"};
    static const char *const kinds[] = {"service:", "_service_maintenance:", "_node_maintenance"};
    bool of_node = check->kind == SIM_OF_NODE;
    char id[SIM_ADDRESS_SIZE + 64];
    (void)snprintf(id, sizeof id, "%zu-%s-%u", cluster, check->address, check->twin);
    write_body(
        "{\"Node\":\"n%s\",\"CheckID\":\"%s%s\",\"Name\":\"t\",\"Status\":\"%s\",\"Notes\":\"\","
        "\"Output\":\"} ]\\\"{\",",
        id, kinds[check->kind], of_node ? "" : id, words[check->status]);
    write_body("\"ServiceID\":\"%s\",\"ServiceName\":\"%s%s\",\"ServiceTags\":[],\"Definition\":{},"
               "\"CreateIndex\":7,\"ModifyIndex\":8}",
               of_node ? "" : id, of_node ? "" : s->config->consul.service_prefix,
               of_node ? "" : s->ids[cluster]);
}

static void write_checks(const struct sim *s, const struct httpc_call *call)
{
    enum sim_view view = (enum sim_view)(call->kind - SIM_VIEW_ALL);
    const struct sim_catalog *c = &s->viewed[view];
    struct sim_check checks[SIM_CHECKS_MAX];
    const char *separator = "";
    write_body("[");
    for (size_t i = 0; i < s->cluster_count; i++) {
        size_t count = sim_checks_of(c->services[i].list, c->services[i].count, checks);
        for (size_t k = 0; k < count; k++) {
            if ((view != SIM_ANY && checks[k].status != view) ||
                (checks[k].kind == SIM_OF_NODE && !call->of_nodes))
                continue;
            write_body("%s", separator);
            write_check(s, i, &checks[k]);
            separator = ",\n ";
        }
    }
    if (c->others_fail && call->of_nodes && view != SIM_WARNED) {
        write_body("%s", separator);
        write_check(s, 0,
                    &(struct sim_check){
                        .address = "elsewhere", .kind = SIM_OF_NODE, .status = SIM_FAILING});
        separator = ",";
    }
    if (call->answer.fault.fault == SIM_ODD_ROW)
        write_body("%s{\"Node\":\"n\",\"Status\":7}", separator);
    write_body("]");
}

static void write_checks_of(const struct sim *s, const struct sim_row *row)
{
    struct sim_check checks[SIM_CHECKS_MAX];
    size_t count = sim_checks_of(&row->instance, 1, checks);
    write_body(
        "\"Checks\":[{\"CheckID\":\"serfHealth\",\"Status\":\"passing\",\"ServiceID\":\"\"}");
    for (size_t k = 0; k < count; k++) {
        write_body(",");
        checks[k].twin = row->twin;
        write_check(s, row->cluster, &checks[k]);
    }
    write_body("]");
}

static void write_rows(const struct sim *s, const struct sim_answer *a)
{
    write_body("[");
    for (size_t k = 0; k < a->row_count; k++) {
        const struct sim_row *row = &a->rows[k];
        const struct sim_instance *i = &row->instance;
        write_body("%s{\"Node\":{\"Node\":\"n%zu-%s-%u\",\"Address\":\"%s\",\"Meta\":null},"
                   "\"Service\":{\"ID\":\"%zu-%s-%u\",",
                   k > 0 ? "," : "", row->cluster, i->address, row->twin,
                   i->on_node ? i->address : "10.255.255.254", row->cluster, i->address, row->twin);
        write_body("\"Service\":\"%s%s\",\"Address\":\"%s\",\"Port\":%ld,\"Tags\":null},",
                   s->config->consul.service_prefix, s->ids[row->cluster],
                   i->on_node ? "" : i->address, i->port);
        write_checks_of(s, row);
        write_body("}");
    }
    if (a->fault.fault == SIM_ODD_ROW)
        write_body("%s{\"Node\":\"n\",\"Service\":[]}", a->row_count > 0 ? "," : "");
    write_body("]");
}

static void write_names(const struct sim *s, const struct sim_answer *a)
{
    write_body("{");
    if (a->fault.fault != SIM_EMPTY && a->fault.fault != SIM_DENIED)
        write_body("\"consul\":[],\"web\":[\"urlprefix-/\"]");
    for (const char *at = s->extra_names; *at != '\0';) {
        size_t len = strcspn(at, " ");
        write_body(",\"%.*s\":[]", (int)len, at);
        at += len + (at[len] == ' ');
    }
    for (size_t i = 0; i < s->cluster_count; i++)
        if ((a->names >> i & 1) != 0)
            write_body(",\"%s%s\":null", s->config->consul.service_prefix, s->ids[i]);
    write_body(a->fault.fault == SIM_ODD_ROW ? "]" : "}");
}

static void write_reply(const struct sim *s, const struct httpc_call *call, struct httpc_reply *out)
{
    const struct sim_answer *a = &call->answer;
    enum sim_fault fault = a->fault.fault;
    body_len = 0;
    body[0] = '\0';
    *out = (struct httpc_reply){.status = 200, .index = a->index, .local_ip = "10.0.0.99"};
    if (call->kind == SIM_NAMES)
        write_names(s, a);
    else if (is_view(call->kind))
        write_checks(s, call);
    else
        write_rows(s, a);
    /* Streaming replies never fill KnownLeader in. */
    out->streaming = call->kind == SIM_WATCH && fault != SIM_NO_LEADER;
    out->leader_unknown = call->kind == SIM_WATCH || fault == SIM_NO_LEADER;
    out->filtered = fault == SIM_FILTERED;
    out->default_deny = fault == SIM_DENIED;
    if (fault == SIM_CUT)
        body[body_len /= 2] = '\0';
    if (fault == SIM_GARBAGE || fault == SIM_STATUS) {
        /* A body that could be taken for an answer, if nobody looked at the status. */
        const char *nothing = call->kind == SIM_NAMES ? "{}" : "[]";
        body_len = 0;
        write_body("%s", fault == SIM_STATUS ? nothing : "<html><body>log in</body></html>");
    }
    if (fault == SIM_STATUS)
        out->status = a->fault.status;
    if (fault == SIM_REFUSED || fault == SIM_RESET) {
        *out = (struct httpc_reply){.local_ip = "10.0.0.99"};
        out->error = fault == SIM_REFUSED ? "connection refused" : "connection reset by peer";
        /* Of what is taken as it arrives some may have come. */
        body_len = fault == SIM_RESET && call->on_body != NULL ? body_len / 2 : 0;
        body[body_len] = '\0';
    }
    out->body = body;
    out->body_len = body_len;
}

/* Complete, and nothing in it says that it is not to be trusted. */
static bool is_valid(const struct httpc_call *call)
{
    enum sim_fault f = call->answer.fault.fault;
    /* A token that sees only some services sees them for certain. */
    bool some_names = f == SIM_FILTERED && call->kind == SIM_NAMES && call->answer.names != 0;
    /* A view proves nothing, so it need not be whole. */
    bool view = is_view(call->kind) && (f == SIM_FILTERED || f == SIM_DENIED);
    return is_well(f) || f == SIM_EMPTY || some_names || view;
}

/* -- consul/httpc.h -------------------------------------------------------------------------- */

struct httpc *httpc_new(const struct config *config, struct error *reterr)
{
    (void)config;
    if (sim_fail_hook != NULL && sim_fail_hook("httpc_new")) {
        error_set(reterr, "out of memory");
        return NULL;
    }
    struct httpc *h = &current->httpc;
    h->timers = (struct timers){.root = NULL};
    h->running_timers = false;
    h->pending_count = 0;
    consul_metrics_init(&h->metrics);
    for (size_t i = 0; i < SIM_CALLS_MAX; i++)
        h->calls[i].stage = SIM_CALL_FREE;
    return h;
}

void httpc_free(struct httpc *h)
{
    if (h == NULL)
        return;
    if (h->pending_count > 0)
        give_up("httpc_free: the sources have not cancelled their calls");
    consul_metrics_clear(&h->metrics);
}

bool httpc_start(struct httpc *h, struct error *reterr)
{
    (void)h;
    (void)reterr;
    return true;
}

void httpc_stop(struct httpc *h)
{
    (void)h;
}

bool httpc_post(struct httpc *h, void (*fn)(void *arg), void *arg)
{
    (void)h;
    fn(arg);
    return true;
}

/* The value of a parameter of the query, or `def`. */
static uint64_t parameter(const char *path, const char *name, uint64_t def)
{
    const char *at = strstr(path, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : def;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Filters change bytes only: what is left out otherwise is not modelled. */
static void read_filter(const char *path, struct httpc_call *call)
{
    static const char ours[] = "filter=ServiceName%20matches%20%60%5E";
    static const char and_nodes[] = "%60%20or%20ServiceID%20%3D%3D%20%22%22";
    if (strstr(path, ours) == NULL)
        give_up("a filter that is not modelled");
    call->of_nodes = ends_with(path, and_nodes);
    if (!call->of_nodes && !ends_with(path, "%60"))
        give_up("a filter that is not modelled");
}

static bool read_view(const char *path, struct httpc_call *call)
{
    static const char *const paths[SIM_VIEWS] = {
        "/v1/health/state/any?", "/v1/health/state/critical?", "/v1/health/state/warning?"};
    for (int v = 0; v < SIM_VIEWS; v++) {
        if (strncmp(path, paths[v], strlen(paths[v])) != 0)
            continue;
        call->kind = (enum sim_kind)(SIM_VIEW_ALL + v);
        read_filter(path, call);
        return true;
    }
    return false;
}

static void read_path(struct sim *s, const char *path, struct httpc_call *call)
{
    static const char names[] = "/v1/catalog/services";
    static const char health[] = "/v1/health/service/";
    char id[CLUSTER_ID_SIZE];
    size_t prefix = strlen(s->config->consul.service_prefix);
    call->index = parameter(path, "index=", 0);
    call->wait_ms = (int64_t)parameter(path, "wait=", 0);
    call->kind = call->index > 0 ? SIM_WATCH : SIM_READ;
    if (strncmp(path, names, sizeof names - 1) == 0) {
        call->kind = SIM_NAMES;
        return;
    }
    if (read_view(path, call))
        return;
    if (strncmp(path, health, sizeof health - 1) != 0 ||
        strncmp(path + sizeof health - 1, s->config->consul.service_prefix, prefix) != 0)
        give_up("a request that Consul is not asked here");
    const char *at = path + sizeof health - 1 + prefix;
    (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(at, "?"), at);
    call->cluster = sim_cluster(s, id);
}

struct httpc_call *httpc_send(struct httpc *h, const struct httpc_request *request,
                              httpc_done *done, void *arg)
{
    struct sim *s = current;
    if (sim_fail_hook != NULL && sim_fail_hook("httpc_send"))
        return NULL;
    size_t i = 0;
    while (i < SIM_CALLS_MAX && h->calls[i].stage != SIM_CALL_FREE)
        i++;
    if (i == SIM_CALLS_MAX)
        give_up("too many requests under way");
    struct httpc_call *call = &h->calls[i];
    call->stage = SIM_CALL_QUEUED;
    call->done = done;
    call->on_body = request->on_body;
    call->arg = arg;
    call->blocking = request->blocking;
    call->sent_ms = s->now_ms;
    call->timeout_ms = request->timeout_ms;
    call->at_ms = call->expires_ms = CLOCK_NEVER;
    read_path(s, request->path, call);
    if (call->index > 0 && !call->blocking)
        give_up("a query that waits keeps others waiting");
    for (size_t k = 0; is_view(call->kind) && k < h->pending_count; k++)
        if (h->pending[k]->kind == call->kind)
            give_up("two views of one kind at a time");
    h->pending[h->pending_count++] = call;
    s->requests[call->kind]++;
    return call;
}

void httpc_cancel(struct httpc *h, struct httpc_call *call)
{
    size_t i = 0;
    if (call == NULL)
        return;
    while (i < h->pending_count && h->pending[i] != call)
        i++;
    if (i == h->pending_count)
        give_up("httpc_cancel: not a call, or no longer");
    h->pending_count--;
    for (; i < h->pending_count; i++)
        h->pending[i] = h->pending[i + 1];
    call->stage = SIM_CALL_FREE;
}

struct consul_metrics *httpc_metrics(struct httpc *h)
{
    return &h->metrics;
}

void httpc_keep(struct httpc *h, unsigned connections)
{
    (void)h;
    (void)connections;
}

int64_t httpc_now(const struct httpc *h)
{
    (void)h;
    return current->now_ms;
}

void httpc_timer_set(struct httpc *h, struct timer *timer, int64_t at_ms)
{
    if (h->running_timers && at_ms <= current->now_ms)
        at_ms = current->now_ms + 1;
    timers_set(&h->timers, timer, at_ms);
}

void httpc_timer_cancel(struct httpc *h, struct timer *timer)
{
    timers_cancel(&h->timers, timer);
}

bool httpc_reload_token(struct httpc *h, struct error *reterr)
{
    (void)h;
    (void)reterr;
    return false;
}

bool httpc_has_token(const struct httpc *h)
{
    (void)h;
    return false;
}

const char *httpc_library_version(void)
{
    return "none";
}

/* -- source/state_writer.h ------------------------------------------------------------------- */

void state_writer_start(struct state_writer *w, bool (*work)(void *arg, struct error *reterr))
{
    w->work = work;
    current->writer = w;
    current->written_at_ms = current->now_ms + current->write_ms;
}

void state_writer_wait(struct state_writer *w)
{
    if (current->writer != w)
        return;
    w->ok = w->work(w->arg, &w->error);
    current->writer = NULL;
}

/* -- the clock ------------------------------------------------------------------------------- */

/* When this call needs something done. What has come for a stopped process waits. */
static int64_t due_of(const struct sim *s, const struct httpc_call *call)
{
    bool delivery = call->stage == SIM_CALL_ANSWERED;
    if (s->frozen)
        return delivery ? CLOCK_NEVER : call->at_ms;
    return call->at_ms < call->expires_ms ? call->at_ms : call->expires_ms;
}

static struct httpc_call *next_call(const struct sim *s, int64_t *due)
{
    struct httpc_call *first = NULL;
    *due = CLOCK_NEVER;
    for (size_t i = 0; i < s->httpc.pending_count; i++) {
        int64_t at = due_of(s, s->httpc.pending[i]);
        if (at < *due) {
            *due = at;
            first = s->httpc.pending[i];
        }
    }
    return first;
}

/* Short calls share their connections, in the order in which they were sent. */
static void send_queued(struct sim *s)
{
    struct httpc *h = &s->httpc;
    unsigned busy = 0;
    for (size_t i = 0; i < h->pending_count; i++)
        busy += h->pending[i]->stage != SIM_CALL_QUEUED && !h->pending[i]->blocking;
    for (size_t i = 0; i < h->pending_count && !s->frozen; i++) {
        struct httpc_call *call = h->pending[i];
        if (call->stage != SIM_CALL_QUEUED || (!call->blocking && busy >= HTTPC_SHORT_CALLS))
            continue;
        busy += !call->blocking;
        call->stage = SIM_CALL_SENT;
        call->expires_ms = s->now_ms + call->timeout_ms;
        call->at_ms = s->now_ms + latency(s);
    }
}

/* The callback may use the call's place for another. */
static void deliver(struct sim *s, struct httpc_call *call, const struct httpc_reply *reply)
{
    httpc_done *done = call->done;
    void *arg = call->arg;
    httpc_cancel(&s->httpc, call);
    done(arg, reply);
}

static void expire(struct sim *s, struct httpc_call *call)
{
    struct httpc_reply reply = {.error = "timed out", .body = "", .local_ip = ""};
    deliver(s, call, &reply);
}

/* The body in pieces, to who wants it so. False: that was not to their liking. */
static bool feed(struct sim *s, const struct httpc_call *call)
{
    size_t len;
    for (size_t at = 0; at < body_len; at += len) {
        len = 1 + (size_t)jitter_upto(&s->random, PIECE_MAX - 1);
        len = len < body_len - at ? len : body_len - at;
        if (!call->on_body(call->arg, body + at, len))
            return false;
    }
    return true;
}

static void hand_over(struct sim *s, struct httpc_call *call)
{
    struct httpc_reply reply;
    write_reply(s, call, &reply);
    if (call->on_body != NULL && (reply.status == 200 || reply.status == 0)) {
        if (!feed(s, call))
            reply = (struct httpc_reply){.error = "the reply is not what Consul sends",
                                         .local_ip = reply.local_ip};
        reply.body = "";
        reply.body_len = 0;
    }
    if (is_valid(call) && is_view(call->kind))
        note_view(s, call);
    else if (is_valid(call) && call->kind == SIM_NAMES)
        note_names(s, call);
    else if (is_valid(call))
        note_says(s, call);
    deliver(s, call, &reply);
}

static bool is_late(const struct sim *s, const struct httpc_call *call)
{
    return call->expires_ms < call->at_ms ||
           (s->late_replies_expire && call->expires_ms < s->now_ms);
}

static void advance(struct sim *s, struct httpc_call *call)
{
    if (!s->frozen && is_late(s, call))
        expire(s, call);
    else if (call->stage == SIM_CALL_SENT)
        arrive(s, call);
    else if (call->stage == SIM_CALL_BLOCKED)
        answer_late(s, call);
    else
        hand_over(s, call);
}

/* One turn of the loop, for timers first, as httpc.c has it, then for the disk or for one call. */
static bool turn(struct sim *s, int64_t end_ms)
{
    int64_t call_at;
    send_queued(s);
    struct httpc_call *call = next_call(s, &call_at);
    bool running = s->up && !s->frozen;
    int64_t timer_at = running ? timers_next(&s->httpc.timers) : CLOCK_NEVER;
    int64_t disk_at = running && s->writer != NULL ? s->written_at_ms : CLOCK_NEVER;
    int64_t next = call_at < timer_at ? call_at : timer_at;
    next = disk_at < next ? disk_at : next;
    if (next > end_ms)
        return false;
    if (next > s->now_ms)
        s->now_ms = next;
    note_told(s);
    if (timer_at <= s->now_ms) {
        s->httpc.running_timers = true;
        timers_run(&s->httpc.timers, s->now_ms);
        s->httpc.running_timers = false;
    } else if (disk_at <= s->now_ms) {
        s->writer->done(s->writer->arg);
    } else {
        advance(s, call);
    }
    observe(s);
    return true;
}

void sim_run(struct sim *s, int64_t ms)
{
    int64_t end = s->now_ms + ms;
    int64_t last = s->now_ms;
    for (int turns = 0; turn(s, end); turns++) {
        if (s->now_ms > last)
            turns = 0;
        if (turns > TURNS_MAX)
            give_up("a loop in which no time passes");
        last = s->now_ms;
    }
    s->now_ms = end;
    note_told(s);
    observe(s);
}

void sim_freeze(struct sim *s)
{
    note_told(s);
    s->frozen = true;
}

void sim_thaw(struct sim *s, bool late_replies_expire)
{
    s->frozen = false;
    s->late_replies_expire = late_replies_expire;
    while (turn(s, s->now_ms))
        continue;
    s->late_replies_expire = false;
}

/* -- the daemon ------------------------------------------------------------------------------ */

/* There is nobody to wake: no announcing, no main thread that waits. */
static void on_change(void *arg)
{
    (void)arg;
}

/* As start_daemon() and start_sources() of main.c. */
static bool start_parts(struct sim *s, struct error *reterr)
{
    const struct config *c = s->config;
    if (c->state.dir[0] != '\0' && (s->spool = spool_open(c, reterr)) == NULL)
        return false;
    s->registry = registry_new(reterr);
    s->merge = s->registry != NULL ? merge_new(s->registry, on_change, NULL, reterr) : NULL;
    struct httpc *httpc = s->merge != NULL ? httpc_new(c, reterr) : NULL;
    if (httpc == NULL)
        return false;
    if (s->spool != NULL) {
        if (!spool_restore(s->spool, s->merge, s->registry, reterr)) {
            httpc_free(httpc);
            return false;
        }
        spool_start(s->spool, httpc, s->merge);
    }
    s->sources = sources_start(c, httpc, s->merge, reterr);
    return s->sources != NULL;
}

/* As stop_all() of main.c. */
static void stop_parts(struct sim *s)
{
    sources_stop(s->sources);
    spool_close(s->spool);
    httpc_free(&s->httpc);
    merge_free(s->merge);
    registry_free(s->registry);
    s->sources = NULL;
    s->spool = NULL;
    s->merge = NULL;
    s->registry = NULL;
}

bool sim_start(struct sim *s, struct error *reterr)
{
    if (!start_parts(s, reterr)) {
        stop_parts(s);
        return false;
    }
    s->up = true;
    note(s, "%" PRId64 " start\n", s->now_ms);
    observe(s);
    return true;
}

/* Up to here answers were given. */
static void end_answers(struct sim *s, const char *how)
{
    s->frozen = false;
    note_answers(s, UINT64_MAX);
    note(s, "%" PRId64 " %s\n", s->now_ms, how);
    table_unref(s->seen);
    s->seen = NULL;
    s->told = 0;
    s->up = false;
}

void sim_stop(struct sim *s)
{
    if (!s->up)
        return;
    end_answers(s, "stop");
    stop_parts(s);
}

static void copy_file(const char *from, const char *to)
{
    char chunk[4096];
    size_t n;
    FILE *in = fopen(from, "re");
    FILE *out = fopen(to, "we");
    if (in == NULL || out == NULL)
        give_up("cannot copy the state");
    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
        if (fwrite(chunk, 1, n, out) != n)
            give_up("cannot copy the state");
    (void)fclose(in);
    if (fclose(out) != 0)
        give_up("cannot copy the state");
}

/* Calls `each` for every file in `dir`, with its path there and in `other`. */
static void for_each_file(const char *dir, const char *other,
                          void (*each)(const char *path, const char *in_other))
{
    DIR *d = opendir(dir);
    if (d == NULL)
        give_up("cannot read a state folder");
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        char path[PATH_MAX], in_other[PATH_MAX];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        (void)snprintf(in_other, sizeof in_other, "%s/%s", other, e->d_name);
        each(path, in_other);
    }
    (void)closedir(d);
}

static void remove_file(const char *path, const char *in_other)
{
    (void)in_other;
    (void)remove(path);
}

static void move_file(const char *path, const char *in_other)
{
    if (rename(path, in_other) != 0)
        give_up("cannot put the state back");
}

/* The disk keeps what it has at this moment; what the parts write while they end is undone. */
void sim_kill(struct sim *s)
{
    const char *dir = s->config->state.dir;
    char aside[PATH_MAX];
    if (!s->up)
        return;
    end_answers(s, "kill");
    if (dir[0] == '\0') {
        stop_parts(s);
        return;
    }
    if (s->writer != NULL && jitter_upto(&s->random, 1) == 0)
        state_writer_wait(s->writer);
    (void)snprintf(aside, sizeof aside, "%s.aside", dir);
    if (mkdir(aside, 0700) != 0)
        give_up("cannot keep the state aside");
    for_each_file(dir, aside, copy_file);
    stop_parts(s);
    for_each_file(dir, aside, remove_file);
    for_each_file(aside, dir, move_file);
    (void)rmdir(aside);
}

/* -- life ------------------------------------------------------------------------------------ */

void sim_make_folder(char dir[static SIM_FOLDER_SIZE])
{
    bool memory = access("/dev/shm", W_OK) == 0;
    (void)snprintf(dir, SIM_FOLDER_SIZE, "%s/nsaddrd-sim.XXXXXX", memory ? "/dev/shm" : "/tmp");
    if (mkdtemp(dir) == NULL)
        give_up("cannot make a temporary folder");
}

void sim_empty_folder(const char *dir)
{
    for_each_file(dir, dir, remove_file);
}

void sim_remove_folder(const char *dir)
{
    sim_empty_folder(dir);
    (void)rmdir(dir);
}

void sim_init(struct sim *s, const struct config *config, struct sim_history *history,
              const char *name, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->config = config;
    s->history = history;
    s->now_ms = SIM_BEGIN_MS;
    s->latency_low_ms = s->latency_high_ms = 1;
    s->write_ms = WRITE_MS;
    s->catalog.raft = s->catalog.names_index = s->catalog.checks_index = INDEX_BEGIN;
    jitter_seed(&s->random, seed);
    sim_remember(s);
    current = s;
    note_options(s, name);
}

void sim_clear(struct sim *s)
{
    sim_stop(s);
    current = NULL;
}
