/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash.c - what the state on disk is worth after a SIGKILL or a power failure at any moment, and
 * after damage.
 *
 *   crash [--seed N] [--kills N] [--failures N] [--flips N]
 *
 * A child drives the real spool and merge through random changes and is killed at a random one of
 * its calls that reach a file: before it, after it, or at the end of a page within a write. Then
 * the folder must hold what was published last, or the change that was being made, and the next
 * child goes on from there. Before and after each change is the same as between two calls.
 *
 * Then the power fails: after a random one of those calls the folder is what disk.h leaves of it,
 * several times. It must hold something that was published once, nothing older than what the last
 * sync that had ended was to cover, or the change that was being made. The next life goes on with
 * the last of these folders. Some lives end with a kill instead, after which what was not synced may
 * still be lost by the power failure of a later one.
 *
 * Then bytes of real files are changed and cut off: each time the files are refused, or restore
 * what was in them; nothing else ever. Behind what was synced, what a journal holds up to there may
 * be restored, too.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "config_of.h"
#include "disk.h"
#include "fake_httpc.h"
#include "model/cluster_id.h"
#include "model/registry.h"
#include "model/table.h"
#include "source/merge.h"
#include "source/spool.h"
#include "source/state_writer.h"
#include "temp.h"
#include "torture.h"

#define CLUSTERS 24
#define ADDRESSES_MAX 30
#define CHANGES_PER_LIFE 60
#define LIVES_PER_WORLD 20
#define STATE "nsaddrd.state"
#define JOURNAL "nsaddrd.journal"

/* Of each cluster which list it has; 0: none. */
struct model {
    uint32_t lists[CLUSTERS];
};

struct shared {
    struct torture_log log;
    struct model models[2];
    unsigned published; /* which of both; the other one is being made, or the same */
};

struct run {
    struct registry *registry;
    struct merge *merge;
    struct httpc *httpc;
    struct spool *spool;
    struct shared *shared;
};

static struct config *config;
static struct temp temp;
static uint64_t bad;

static void check(bool ok, const char *doing)
{
    if (ok)
        return;
    (void)fprintf(stderr, "cannot %s: %s\n", doing, strerror(errno));
    exit(2);
}

/* -- lists ----------------------------------------------------------------------------------- */

static void id_of(size_t cluster, char out[static CLUSTER_ID_SIZE])
{
    (void)snprintf(out, CLUSTER_ID_SIZE, "cluster-%zu", cluster);
}

/* Another one for each number. */
static size_t make_list(uint32_t number, struct endpoint *out)
{
    size_t count = number == 0 ? 0 : 1 + number % ADDRESSES_MAX;
    for (size_t i = 0; i < count; i++) {
        char address[32];
        (void)snprintf(address, sizeof address, "10.%u.%u.%zu", number >> 8 & 0xff, number & 0xff,
                       i + 1);
        check(endpoint_make(&out[i], address, 1024 + (long)(number >> 16 & 0xff)), "make a list");
    }
    return endpoint_sort(out, count);
}

static bool is_as_in(const struct table *t, const struct model *m)
{
    size_t kept = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < CLUSTERS; i++) {
        char id[CLUSTER_ID_SIZE];
        struct endpoint list[ADDRESSES_MAX];
        size_t count = make_list(m->lists[i], list);
        id_of(i, id);
        const struct cluster *c = table_find(t, id, strlen(id));
        if (count == 0) {
            ok = c == NULL || c->body_len == 0;
            kept += c != NULL;
            continue;
        }
        struct cluster *wanted = cluster_new(id, CLUSTER_RESTORED, 0, list, count);
        check(wanted != NULL, "make a cluster");
        ok = c != NULL && strcmp(c->body, wanted->body) == 0;
        kept++;
        cluster_unref(wanted);
    }
    return ok && table_count(t) == kept;
}

/* -- what was published, for power failures -------------------------------------------------- */

#define STORY_MAX 4096
#define STORY_LONG (STORY_MAX - 4 * CHANGES_PER_LIFE)

static struct story {
    struct model models[STORY_MAX]; /* all that were published, in order */
    size_t count;
    size_t work_covers; /* the last one of them when the work under way was started */
    size_t synced;      /* the oldest that may be restored */
} story;

static void begin_story(const struct model *first)
{
    story.models[0] = *first;
    story.count = 1;
    story.synced = 0;
}

static void continue_story(const struct model *next)
{
    if (story.count < STORY_MAX)
        story.models[story.count++] = *next;
}

/* -- source/state_writer.h: work has ended when the test says so ------------------------------ */

static struct state_writer *under_way;
static bool has_worked;
static bool works_early;
static bool work_fails;

static void work_now(struct state_writer *w)
{
    if (has_worked)
        return;
    error_set(&w->error, "a test");
    w->ok = !work_fails && w->work(w->arg, &w->error);
    if (w->ok)
        story.synced = story.work_covers;
    has_worked = true;
}

void state_writer_start(struct state_writer *w, bool (*work)(void *arg, struct error *reterr))
{
    w->work = work;
    under_way = w;
    has_worked = false;
    story.work_covers = story.count - 1;
    if (works_early)
        work_now(w);
}

void state_writer_wait(struct state_writer *w)
{
    if (under_way == w)
        work_now(w);
    under_way = NULL;
}

static void end_work(void)
{
    struct state_writer *w = under_way;
    if (w == NULL)
        return;
    work_now(w);
    w->done(w->arg);
}

/* -- the program, as far as its state goes --------------------------------------------------- */

/* No other one is being made. */
static void note_published(struct shared *shared, unsigned which)
{
    continue_story(&shared->models[which]);
    shared->models[1 - which] = shared->models[which];
    shared->published = which;
}

static void on_change(void *arg)
{
    const struct run *r = arg;
    if (r->shared != NULL)
        note_published(r->shared, 1 - r->shared->published);
}

/* What the folder holds, and nothing else of the program: it writes nothing. */
static void restore(struct run *r)
{
    struct error error;
    r->registry = registry_new(&error);
    r->merge = r->registry != NULL ? merge_new(r->registry, on_change, r, &error) : NULL;
    r->spool = spool_open(config, &error);
    check(r->merge != NULL && r->spool != NULL, "begin a run");
    check(spool_restore(r->spool, r->merge, r->registry, &error), "restore");
}

static void start(struct run *r, struct shared *shared)
{
    struct error error;
    *r = (struct run){.shared = NULL};
    restore(r);
    r->httpc = httpc_new(config, &error);
    spool_start(r->spool, r->httpc, r->merge);
    r->shared = shared; /* from here on a change is a change of the model */
}

static void stop(struct run *r)
{
    spool_close(r->spool);
    httpc_free(r->httpc);
    merge_free(r->merge);
    registry_free(r->registry);
}

static void change_one(struct run *r, struct model *next, struct jitter *random)
{
    static const enum cluster_state listed[] = {CLUSTER_LIVE, CLUSTER_HELD};
    static const enum cluster_state empty[] = {CLUSTER_UNREAD, CLUSTER_EMPTY};
    size_t cluster = (size_t)jitter_upto(random, CLUSTERS - 1);
    int64_t what = jitter_upto(random, 9);
    char id[CLUSTER_ID_SIZE];
    struct endpoint list[ADDRESSES_MAX];
    id_of(cluster, id);
    next->lists[cluster] = what < 2 ? 0 : 1 + (uint32_t)jitter_upto(random, 0xffffff - 1);
    size_t count = make_list(next->lists[cluster], list);
    if (what == 0) {
        check(merge_remove(r->merge, id, "a test"), "remove a cluster");
        return;
    }
    enum cluster_state state = (count > 0 ? listed : empty)[jitter_upto(random, 1)];
    check(merge_set(r->merge, id, state, false, list, count, "a test"), "change a cluster");
}

static void change(struct run *r, struct jitter *random)
{
    unsigned now = r->shared->published;
    struct model *next = &r->shared->models[1 - now];
    *next = r->shared->models[now];
    check(merge_begin(r->merge), "begin a change");
    for (int64_t left = jitter_upto(random, 2); left >= 0; left--)
        change_one(r, next, random);
    if (jitter_upto(random, 9) == 0) {
        merge_abandon(r->merge);
        *next = r->shared->models[now];
        return;
    }
    merge_commit(r->merge);
}

/* One life of a child, from start to the kill or an orderly end. */
static void live(struct shared *shared, uint64_t seed)
{
    struct run r;
    struct jitter random;
    jitter_seed(&random, seed);
    start(&r, shared);
    for (int i = 0; i < CHANGES_PER_LIFE; i++) {
        change(&r, &random);
        works_early = jitter_upto(&random, 1) == 0;
        work_fails = jitter_upto(&random, 31) == 0;
        if (jitter_upto(&random, 7) == 0)
            fake_run(r.httpc, jitter_upto(&random, 2500));
        if (jitter_upto(&random, 3) == 0)
            end_work();
    }
    stop(&r);
}

/* Killed at that point; 0: not at all. */
static void live_and_die(struct shared *shared, uint64_t seed, uint64_t point)
{
    (void)fflush(NULL);
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        torture_begin(&shared->log, point, TORTURE_KILL);
        live(shared, seed);
        _exit(0);
    }
    int status;
    check(waitpid(child, &status, 0) == child, "wait");
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        (void)printf("BAD seed %" PRIu64 ": the child ended with status %d\n", seed, status);
        bad++;
    }
}

/* -- kills ----------------------------------------------------------------------------------- */

static bool check_folder(struct shared *shared, bool died)
{
    unsigned published = shared->published;
    struct run r = {.shared = NULL};
    restore(&r);
    const struct table *t = merge_table(r.merge);
    bool ok = is_as_in(t, &shared->models[published]);
    if (!ok && died && is_as_in(t, &shared->models[1 - published])) {
        note_published(shared, 1 - published); /* on disk, but nobody had seen it yet */
        ok = true;
    }
    table_unref(t);
    stop(&r);
    return ok;
}

static void begin_world(struct shared *shared)
{
    memset(shared, 0, sizeof *shared);
    temp_remove(&temp);
    check(mkdir(temp.dir, 0700) == 0, "make a folder");
}

static void kill_often(struct shared *shared, uint64_t seed, uint64_t wanted)
{
    struct jitter random;
    uint64_t kills = 0, midway = 0;
    int64_t points = 0;
    jitter_seed(&random, seed);
    for (uint64_t life = 0; kills < wanted; life++) {
        if (life % LIVES_PER_WORLD == 0) {
            begin_world(shared);
            points = 0;
        }
        /* A world's first life ends well, and tells how many points one has. */
        uint64_t at = points > 0 ? 1 + (uint64_t)jitter_upto(&random, points - 1) : 0;
        shared->log.failed = 0;
        live_and_die(shared, seed + life, at);
        bool died = shared->log.failed > 0;
        if (points == 0)
            points = (int64_t)shared->log.points;
        kills += died;
        midway += died && strcmp(shared->log.name, "pwrite short") == 0;
        if (check_folder(shared, died))
            continue;
        (void)printf("BAD seed %" PRIu64 ", life %" PRIu64 ", killed at point %" PRIu64
                     " (%s): the folder holds neither what was published nor the next\n",
                     seed, life, at, shared->log.name);
        bad++;
        begin_world(shared);
    }
    (void)printf("kills: %" PRIu64 ", in the middle of a write %" PRIu64 ", bad %" PRIu64 "\n",
                 kills, midway, bad);
}

/* -- power failures -------------------------------------------------------------------------- */

#define IMAGES_PER_FAILURE 8

/* The moment of the failure, and what there was of the world then. */
static struct moment {
    const struct shared *shared;
    struct disk *disk; /* of the life under way */
    uint64_t left;     /* calls until then; 0: it was */
    uint64_t calls;
    struct disk *then;
    size_t count;
    size_t synced;
    struct model next; /* the one that was being made, or the same as the last */
} moment;

static void take_moment(void)
{
    moment.then = disk_copy(moment.disk);
    moment.count = story.count;
    moment.synced = story.synced;
    moment.next = moment.shared->models[1 - moment.shared->published];
}

static void on_call(void)
{
    moment.calls++;
    if (moment.left > 0 && --moment.left == 0)
        take_moment();
}

static void put_disk(const struct disk *d)
{
    temp_remove(&temp);
    check(mkdir(temp.dir, 0700) == 0, "make a folder");
    disk_write_out(d, temp.dir);
}

/* Which model the folder holds: the newest one from `oldest` on, or the next. NULL: none of them. */
static const struct model *find_restored(size_t oldest)
{
    struct run r = {.shared = NULL};
    restore(&r);
    const struct table *t = merge_table(r.merge);
    const struct model *found = is_as_in(t, &moment.next) ? &moment.next : NULL;
    for (size_t i = moment.count; found == NULL && i > oldest; i--)
        if (is_as_in(t, &story.models[i - 1]))
            found = &story.models[i - 1];
    table_unref(t);
    stop(&r);
    return found;
}

struct failures {
    uint64_t images;
    uint64_t older; /* which had lost something */
    uint64_t bad;
};

static bool check_moment(size_t oldest, struct failures *f, struct model *restored)
{
    const struct model *m = find_restored(oldest);
    f->images++;
    f->bad += m == NULL;
    f->older += m != NULL && m != &moment.next &&
                memcmp(m, &story.models[moment.count - 1], sizeof *m) != 0;
    *restored = m != NULL ? *m : moment.next;
    return m != NULL;
}

/* Ends with the disk that the next life finds. */
static bool end_life(bool power, struct jitter *random, struct failures *f)
{
    struct model restored;
    bool ok = true;
    for (int i = 0; ok && power && i < IMAGES_PER_FAILURE; i++) {
        disk_free(moment.disk);
        moment.disk = disk_copy(moment.then);
        disk_fail_power(moment.disk, random);
        put_disk(moment.disk);
        ok = check_moment(moment.synced, f, &restored);
    }
    if (!power) {
        disk_free(moment.disk);
        moment.disk = disk_copy(moment.then);
        put_disk(moment.disk);
        ok = check_moment(moment.count - 1, f, &restored);
    }
    put_disk(moment.disk); /* restoring may have changed it */
    story.count = moment.count;
    story.synced = moment.synced;
    if (power || !ok)
        begin_story(&restored);
    else
        continue_story(&restored);
    return ok;
}

static void fail_power_often(struct shared *shared, uint64_t seed, uint64_t wanted)
{
    struct jitter random;
    struct failures f = {.images = 0};
    jitter_seed(&random, seed);
    begin_world(shared);
    begin_story(&shared->models[0]);
    moment = (struct moment){.shared = shared, .disk = disk_new()};
    for (uint64_t life = 0; f.images < wanted; life++) {
        bool power = jitter_upto(&random, 2) > 0 || story.count > STORY_LONG;
        uint64_t at =
            1 + (uint64_t)jitter_upto(&random, moment.calls > 0 ? (int64_t)moment.calls : 99);
        moment.left = at;
        moment.calls = 0;
        disk_follow(moment.disk, temp.dir, on_call);
        live(shared, seed + life);
        disk_follow(NULL, NULL, NULL);
        if (moment.left > 0)
            take_moment();
        if (!end_life(power, &random, &f))
            (void)printf("BAD seed %" PRIu64 ", life %" PRIu64 ", %s after call %" PRIu64
                         ": the folder holds nothing that it may\n",
                         seed, life, power ? "power failure" : "kill", at);
        disk_free(moment.then);
        shared->models[0] = shared->models[1] = story.models[story.count - 1];
    }
    disk_free(moment.disk);
    bad += f.bad;
    (void)printf("folders after a power failure or kill: %" PRIu64 ", that lost something %" PRIu64
                 ", bad %" PRIu64 "\n",
                 f.images, f.older, f.bad);
}

/* -- damage ---------------------------------------------------------------------------------- */

#define FILE_MAX 65536

struct file {
    const char *name;
    char bytes[FILE_MAX];
    size_t len;
};

/* What both files of a folder hold together, what the journal was synced with, and what the state
 * file holds alone. */
struct folder {
    struct file files[2];
    size_t synced; /* so much of the journal */
    struct model all;
    struct model part;
    struct model base;
};

static void set_list(struct run *r, struct model *m, size_t cluster, uint32_t number)
{
    struct endpoint list[ADDRESSES_MAX];
    char id[CLUSTER_ID_SIZE];
    size_t count = make_list(number, list);
    id_of(cluster, id);
    m->lists[cluster] = number;
    check(merge_begin(r->merge) &&
              merge_set(r->merge, id, CLUSTER_LIVE, false, list, count, "a test"),
          "change a cluster");
    merge_commit(r->merge);
}

/* Ends as a kill does: what is in the journal is not yet in the state file. */
static void leave_files(struct folder *f, size_t clusters)
{
    struct run r;
    f->base = (struct model){.lists = {0}};
    temp_remove(&temp);
    check(mkdir(temp.dir, 0700) == 0, "make a folder");
    start(&r, NULL);
    works_early = work_fails = false;
    for (size_t i = 0; i < clusters; i++)
        set_list(&r, &f->base, i, (uint32_t)(2 + 31 * i));
    fake_run(r.httpc, 1500);
    end_work();
    f->part = f->base;
    set_list(&r, &f->part, 0, 33);
    fake_run(r.httpc, 1500);
    end_work();
    f->synced = temp_read(&temp, JOURNAL, f->files[1].bytes, FILE_MAX);
    f->all = f->part;
    set_list(&r, &f->all, clusters, 63);
    f->files[0].name = STATE;
    f->files[1].name = JOURNAL;
    for (size_t i = 0; i < 2; i++) {
        f->files[i].len = temp_read(&temp, f->files[i].name, f->files[i].bytes, FILE_MAX);
        check(f->files[i].len > 0, "leave a file");
    }
    stop(&r);
}

enum outcome { REFUSED, IN_PART, RESTORED, WRONG };

/* What comes of the files as `damaged` (with `len` bytes) and the other one as it was. */
static enum outcome outcome_of(const struct folder *f, size_t damaged, const char *bytes,
                               size_t len)
{
    struct run r = {.shared = NULL};
    const struct file *other = &f->files[1 - damaged];
    const struct model empty = {.lists = {0}};
    temp_write(&temp, f->files[damaged].name, bytes, len);
    temp_write(&temp, other->name, other->bytes, other->len);
    restore(&r);
    const struct table *t = merge_table(r.merge);
    enum outcome outcome = WRONG;
    if (is_as_in(t, &f->all))
        outcome = RESTORED;
    else if (is_as_in(t, damaged == 0 ? &empty : &f->base))
        outcome = REFUSED;
    else if (damaged == 1 && is_as_in(t, &f->part))
        outcome = IN_PART;
    table_unref(t);
    stop(&r);
    return outcome;
}

struct damages {
    uint64_t count;
    uint64_t restored;
    uint64_t bad;
};

static void damage(const struct folder *f, size_t damaged, const char *bytes, size_t len,
                   const char *how, size_t at, struct damages *d)
{
    enum outcome outcome = outcome_of(f, damaged, bytes, len);
    d->count++;
    d->restored += outcome == RESTORED;
    bool was_synced = damaged == 0 || at < f->synced;
    if (outcome == RESTORED || outcome == (was_synced ? REFUSED : IN_PART))
        return;
    d->bad++;
    (void)printf("BAD %s of %s at %zu: restores what it must not\n", how, f->files[damaged].name,
                 at);
}

static void damage_all(const struct folder *f, size_t damaged, struct jitter *random,
                       uint64_t flips, struct damages *d)
{
    static char bytes[FILE_MAX];
    const struct file *file = &f->files[damaged];
    memcpy(bytes, file->bytes, file->len);
    for (uint64_t i = 0; i < (flips > 0 ? flips : 255 * file->len); i++) {
        size_t at = flips > 0 ? (size_t)jitter_upto(random, (int64_t)file->len - 1) : i / 255;
        int64_t other = flips > 0 ? 1 + jitter_upto(random, 254) : 1 + (int64_t)(i % 255);
        bytes[at] = (char)((unsigned char)file->bytes[at] ^ (unsigned char)other);
        damage(f, damaged, bytes, file->len, "another byte", at, d);
        bytes[at] = file->bytes[at];
    }
    for (size_t len = 0; len < file->len; len++)
        damage(f, damaged, bytes, len, "a cut", len, d);
}

/* Every other value of every byte of small files, random ones of big ones, and every cut. */
static void damage_files(uint64_t seed, uint64_t flips)
{
    static struct folder f;
    struct damages d = {.count = 0};
    struct jitter random;
    jitter_seed(&random, seed);
    leave_files(&f, 1);
    damage_all(&f, 0, &random, 0, &d);
    damage_all(&f, 1, &random, 0, &d);
    leave_files(&f, CLUSTERS - 1);
    damage_all(&f, 0, &random, flips, &d);
    damage_all(&f, 1, &random, flips, &d);
    bad += d.bad;
    (void)printf("damages: %" PRIu64 ", restored all the same %" PRIu64 ", bad %" PRIu64 "\n",
                 d.count, d.restored, d.bad);
}

/* -------------------------------------------------------------------------------------------- */

static void use_folder(void)
{
    char setting[128];
    (void)snprintf(temp.dir, sizeof temp.dir, "%s/nsaddrd-crash.XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    check(mkdtemp(temp.dir) != NULL, "make a folder");
    (void)snprintf(setting, sizeof setting, "state.dir=%s", temp.dir);
    config = config_of(setting, NULL);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, kills = 1000, failures = 5000, flips = 2000;
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"kills", required_argument, NULL, 'k'},
                                            {"failures", required_argument, NULL, 'p'},
                                            {"flips", required_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == '?')
            return 2;
        uint64_t *value = c == 's' ? &seed : c == 'k' ? &kills : c == 'p' ? &failures : &flips;
        *value = strtoull(optarg, NULL, 10);
    }
    (void)printf("seed: %" PRIu64 "\n", seed);
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(shared != MAP_FAILED && freopen("/dev/null", "we", stderr) != NULL, "begin");
    use_folder();
    kill_often(shared, seed, kills);
    fail_power_often(shared, seed, failures);
    damage_files(seed, flips);
    config_free(config);
    temp_remove(&temp);
    (void)munmap(shared, sizeof *shared);
    return bad > 0;
}
