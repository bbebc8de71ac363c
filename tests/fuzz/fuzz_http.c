/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_http.c - bytes on a connection through the real libmicrohttpd to our real answers.
 *
 * Input: a byte that names the world (see `worlds`), a byte: how many cuts there are (modulo 8), that
 * many bytes: how long the segment before each cut is; the bytes.
 *
 * The daemon is the one that http_loop.c makes, with its options and callbacks. Only nobody listens,
 * and this thread turns it instead of one of its own. The deadlines, which that thread looks after,
 * are not tried here.
 *
 * Second opinion: requests are read as strictly as RFC 9112 has it. What it leaves to us, or what the
 * library does not let us see, may be answered or refused; all else has exactly one right answer.
 */
#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "fuzz.h"
#include "model/metrics.h"
#include "model/registry.h"
#include "model/table.h"
#include "routes_reference.h"
#include "serve/client_names.h"
#include "serve/http_admin.h"
#include "serve/http_limits.h"
#include "serve/http_loop.h"
#include "serve/unknown_ids.h"

#define OUTPUT_MAX ((size_t)4 * 1024 * 1024)
/* More turns than that for one segment: the daemon spins. */
#define TURNS_MAX 10000
/* A head that is larger or has more fields may be too large for the library. */
#define PLAIN_HEAD_MAX 2000
#define PLAIN_FIELDS_MAX 24

struct world {
    const char *default_cluster;
    bool admin;
    struct registry_status status;
    /* Made at the first use. */
    struct registry *registry;
    struct metrics *metrics;
    struct unknown_ids unknown;
    struct http_pages pages;
    struct http_limits limits;
    struct http_loop *loop;
    struct MHD_Daemon *daemon;
};

static struct world worlds[] = {
    {.default_cluster = "", .status = {.complete = true, .ready = true}},
    {.default_cluster = "10", .status = {.complete = true, .ready = true}},
    {.default_cluster = "", .status = {.ready = false}},
    {.default_cluster = "", .status = {.complete = true, .ready = true, .draining = true}},
    {.default_cluster = "", .admin = true, .status = {.complete = true, .ready = true}},
};

/* -- a daemon without a listener and without a thread ---------------------------------------- */

static struct world *starting;

struct MHD_Daemon *__real_MHD_start_daemon(unsigned flags, uint16_t port,
                                           MHD_AcceptPolicyCallback policy, void *policy_arg,
                                           MHD_AccessHandlerCallback handler, void *handler_arg,
                                           ...);
struct MHD_Daemon *__wrap_MHD_start_daemon(unsigned flags, uint16_t port,
                                           MHD_AcceptPolicyCallback policy, void *policy_arg,
                                           MHD_AccessHandlerCallback handler, void *handler_arg,
                                           ...);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);

/* With the options as they are, but for the listening socket. */
struct MHD_Daemon *__wrap_MHD_start_daemon(unsigned flags, uint16_t port,
                                           MHD_AcceptPolicyCallback policy, void *policy_arg,
                                           MHD_AccessHandlerCallback handler, void *handler_arg,
                                           ...)
{
    struct MHD_OptionItem options[32];
    size_t count = 0;
    va_list args;
    va_start(args, handler_arg);
    HOLDS(va_arg(args, int) == MHD_OPTION_EXTERNAL_LOGGER, "the logger is not the first option");
    MHD_LogCallback logger = va_arg(args, MHD_LogCallback);
    void *logger_arg = va_arg(args, void *);
    HOLDS(va_arg(args, int) == MHD_OPTION_ARRAY, "the options are no array");
    for (const struct MHD_OptionItem *o = va_arg(args, const struct MHD_OptionItem *);
         count < COUNT_OF(options); o++) {
        if (o->option != MHD_OPTION_LISTEN_SOCKET)
            options[count++] = *o;
        if (o->option == MHD_OPTION_END)
            break;
    }
    va_end(args);
    starting->daemon = __real_MHD_start_daemon(
        flags | MHD_USE_NO_LISTEN_SOCKET, port, policy, policy_arg, handler, handler_arg,
        MHD_OPTION_EXTERNAL_LOGGER, logger, logger_arg, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    return starting->daemon;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg)
{
    return starting != NULL ? 0 : __real_pthread_create(thread, attr, run, arg);
}

static void start_world(struct world *w)
{
    static const struct build_info build = {
        .version = "0", .mhd = "0", .curl = "0", .cjson = "0", .libconfig = "0"};
    struct error error;
    w->registry = fuzz_checked(registry_new(&error));
    struct table *table = fuzz_checked(table_copy(reference_table()));
    table_set_default(table, w->default_cluster);
    registry_publish(w->registry, table);
    if (w->status.complete)
        registry_set_complete(w->registry);
    if (w->status.ready)
        registry_set_ready(w->registry);
    if (w->status.draining)
        registry_set_draining(w->registry);
    w->metrics = fuzz_checked(metrics_new(&build, 0, &error));
    w->unknown = (struct unknown_ids)UNKNOWN_IDS_INIT;
    w->pages = (struct http_pages)HTTP_PAGES_INIT;
    w->limits = (struct http_limits){
        .max_connections = 100, .header_timeout_ms = 10000, .idle_timeout_ms = 60000};
    struct http_answers answers = {
        .admin = w->admin,
        .registry = w->registry,
        .metrics = w->metrics,
        .counters = fuzz_checked(metrics_add_http_thread(w->metrics, &error)),
        .clients = fuzz_checked(client_names_new(NULL)),
        .pages = &w->pages,
        .unknown = &w->unknown,
    };
    starting = w;
    w->loop = http_loop_start(-1, &w->limits, &answers, &error);
    starting = NULL;
    HOLDS(w->loop != NULL && w->daemon != NULL, "%s", error.text);
}

/* -- a connection ---------------------------------------------------------------------------- */

struct talk {
    struct world *world;
    int fd;        /* the client's end */
    int server_fd; /* the daemon's, and its to close */
    struct buf output;
    bool closed; /* by the server */
};

static void receive(struct talk *t)
{
    char chunk[16384];
    ssize_t n;
    while (!t->closed && (n = recv(t->fd, chunk, sizeof chunk, MSG_DONTWAIT)) != -1)
        if (n == 0)
            t->closed = true;
        else
            HOLDS(buf_append(&t->output, chunk, (size_t)n), "more than %zu bytes", OUTPUT_MAX);
    if (!t->closed && errno == ECONNRESET)
        t->closed = true; /* it did not read all that we sent */
}

/* What the daemon has not read yet. */
static int unread(const struct talk *t)
{
    int bytes = 0;
    if (!t->closed && ioctl(t->server_fd, FIONREAD, &bytes) != 0)
        bytes = 0;
    return bytes;
}

/* Turns the daemon until nothing happens any more. */
static void settle(struct talk *t)
{
    int quiet = 0;
    for (int turns = 0; quiet < 2; turns++) {
        size_t seen = t->output.len;
        int left = unread(t);
        HOLDS(turns < TURNS_MAX, "it turns without end");
        (void)MHD_run_wait(t->world->daemon, 0);
        receive(t);
        quiet = t->output.len != seen || unread(t) != left ? 0 : quiet + 1;
    }
}

static void begin_talk(struct talk *t, struct world *w)
{
    int fds[2];
    struct sockaddr_in address = {.sin_family = AF_INET};
    *t = (struct talk){.world = w};
    buf_init(&t->output, OUTPUT_MAX);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        abort();
    t->fd = fds[0];
    t->server_fd = fds[1];
    HOLDS(MHD_add_connection(w->daemon, fds[1], (const struct sockaddr *)&address,
                             sizeof address) == MHD_YES,
          "the connection is not taken");
    settle(t);
}

static void say(struct talk *t, const uint8_t *bytes, size_t len)
{
    for (ssize_t n; len > 0 && !t->closed; bytes += n, len -= (size_t)n) {
        n = send(t->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            break; /* nobody reads any more */
        settle(t);
    }
}

/* Whatever was said: nothing of the connection is left afterwards. */
static void end_talk(struct talk *t)
{
    const union MHD_DaemonInfo *info;
    int turns = 0;
    (void)close(t->fd);
    do {
        HOLDS(turns++ < 100, "the connection is still there");
        (void)MHD_run_wait(t->world->daemon, 0);
        info = MHD_get_daemon_info(t->world->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    } while (info->num_connections > 0);
    HOLDS(atomic_load(&t->world->limits.connections) == 0, "%u connections are still counted",
          atomic_load(&t->world->limits.connections));
    buf_clear(&t->output);
}

/* -- requests, read strictly ----------------------------------------------------------------- */

enum judged_as {
    CUT_SHORT, /* it has no end yet */
    GOOD,      /* one answer is right */
    LENIENT,   /* that answer, or a refusal */
    BAD,       /* has to be refused */
    UNSEEN,    /* the library leaves out its line, as if it were empty */
};

struct asked {
    enum judged_as verdict;
    bool doubtful; /* from here on the library may read something else */
    char *method;
    char *path;
    char *if_none_match; /* "": none */
    unsigned tag_lists;
    bool http_1_0;
    bool to_head; /* also of one that is BAD */
    bool close;
    size_t len; /* with its end */
};

struct reading {
    char *at;
    char *end;
    struct asked *asked;
    enum judged_as of_line; /* of the request line alone */
    unsigned hosts;
    unsigned lengths;
    unsigned fields;
    bool has_body;
};

/* The worse of two; what the library may not see it cannot refuse. */
static void judge(struct asked *a, enum judged_as v)
{
    if (v == BAD && a->doubtful)
        v = LENIENT;
    if (v > a->verdict)
        a->verdict = v;
}

static void doubt(struct asked *a)
{
    judge(a, LENIENT);
    a->doubtful = true;
}

/* The next line, without its end, which becomes a NUL; *len is that of the line. A CR that is not
 * part of its end is a control character in it. */
static char *next_line(struct reading *r, size_t *len)
{
    char *line = r->at;
    char *stop = memchr(line, '\n', (size_t)(r->end - line));
    if (stop == NULL)
        return NULL;
    r->at = stop + 1;
    if (stop > line && stop[-1] == '\r')
        stop--;
    else
        judge(r->asked, LENIENT); /* RFC 9112, 2.2: a bare LF may be taken for a line's end */
    *len = (size_t)(stop - line);
    *stop = '\0';
    return line;
}

static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\0' ||
            (!isalnum((unsigned char)text[i]) && strchr("!#$%&'*+-.^_`|~", text[i]) == NULL))
            return false;
    return len > 0;
}

static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return true;
    return false;
}

/* RFC 9112, 3; words may be further apart than by one blank (3, last paragraph). */
static void read_request_line(struct asked *a, char *line, size_t len)
{
    char *words[3] = {line, line, line};
    size_t count = 0;
    const char *first = line + strspn(line, " ");
    a->to_head = strncmp(first, "HEAD", 4) == 0 && (first[4] == ' ' || first[4] == '\0');
    if (line[0] == '\0')
        judge(a, UNSEEN);
    if (has_control(line, len) || memchr(line, '\t', len) != NULL) {
        judge(a, BAD);
        return;
    }
    for (char *rest = line, *word; (word = strsep(&rest, " ")) != NULL;) {
        if (*word == '\0')
            judge(a, LENIENT);
        else if (count++ < COUNT_OF(words))
            words[count - 1] = word;
    }
    a->method = words[0];
    a->path = words[1];
    a->http_1_0 = strcmp(words[2], "HTTP/1.0") == 0;
    bool later = strncmp(words[2], "HTTP/1.", 7) == 0 && isdigit((unsigned char)words[2][7]) &&
                 words[2][8] == '\0';
    if (count != COUNT_OF(words) || !is_token(words[0], strlen(words[0])) || !later)
        judge(a, BAD);
    a->path[strcspn(a->path, "?")] = '\0';
    a->close |= a->http_1_0;
}

static void read_field(struct reading *r, const char *name, char *value)
{
    struct asked *a = r->asked;
    if (strcasecmp(name, "Host") == 0) {
        if (r->hosts++ > 0 || !reference_host(value))
            judge(a, BAD);
        if (strpbrk(value, "%[") != NULL)
            judge(a, LENIENT); /* not every name with them is one */
    } else if (strcasecmp(name, "Content-Length") == 0) {
        if (r->lengths++ > 0 || *value == '\0' || strspn(value, "0123456789") != strlen(value))
            judge(a, BAD);
        r->has_body |= strspn(value, "0") != strlen(value);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        r->has_body = true;
        judge(a, LENIENT); /* to a method that is refused, whatever its body: 400, 405 or 501 */
    } else if (strcasecmp(name, "If-None-Match") == 0) {
        if (a->tag_lists++ == 0)
            a->if_none_match = value;
    } else if (strcasecmp(name, "Connection") == 0) {
        for (const char *at = value; *at != '\0'; at += strcspn(at, ",")) {
            at += strspn(at, ", \t");
            size_t len = strcspn(at, ", \t");
            a->close |= len == 5 && strncasecmp(at, "close", 5) == 0;
            at += len + strspn(at + len, " \t");
            if (*at != ',' && *at != '\0')
                judge(a, LENIENT); /* several words in one place */
        }
    } else if (strcasecmp(name, "Upgrade") == 0 || strcasecmp(name, "Expect") == 0) {
        judge(a, LENIENT);
    }
}

/* RFC 9112, 5. */
static void read_field_line(struct reading *r, char *line, size_t len)
{
    struct asked *a = r->asked;
    char *colon = memchr(line, ':', len);
    r->fields++;
    if (line[0] == ' ' || line[0] == '\t') {
        a->verdict =
            r->of_line; /* folded: the library puts it behind the name of the field before */
        doubt(a);
        return;
    }
    if (line[0] == '\0') {
        doubt(a); /* an empty line to the library, and so the end */
        return;
    }
    if (colon == NULL) {
        judge(a, BAD);
        return;
    }
    if (colon == line) {
        doubt(a); /* without a name: the library may take it for the end */
        return;
    }
    *colon = '\0';
    char *value = colon + 1;
    size_t value_len = len - (size_t)(value - line);
    if (memchr(value, '\0', value_len) != NULL) {
        doubt(a); /* what is behind a NUL vanishes */
        value_len = strlen(value);
    }
    if (!is_token(line, (size_t)(colon - line)) || has_control(value, value_len))
        judge(a, BAD);
    value += strspn(value, " \t");
    for (char *last = value + strlen(value); last > value && strchr(" \t", last[-1]) != NULL;) {
        *--last = '\0';
        judge(a, LENIENT); /* the library leaves them there, and then knows no such length */
    }
    read_field(r, line, value);
}

static bool is_read(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* The first request in `bytes`, which are cut up. */
static void read_asked(char *bytes, size_t len, struct asked *out)
{
    static char none[] = "";
    struct reading r = {.at = bytes, .end = bytes + len, .asked = out};
    size_t line_len;
    char *line;
    *out = (struct asked){.verdict = GOOD, .method = none, .path = none, .if_none_match = none};
    while ((line = next_line(&r, &line_len)) != NULL && line_len == 0)
        judge(out, LENIENT); /* RFC 9112, 2.2: an empty line in front is to be ignored */
    if (line != NULL)
        read_request_line(out, line, line_len);
    r.of_line = out->verdict;
    while (line != NULL && (line = next_line(&r, &line_len)) != NULL && line_len > 0)
        read_field_line(&r, line, line_len);
    out->len = (size_t)(r.at - bytes);
    if (line == NULL) {
        if (!out->doubtful && out->verdict != UNSEEN)
            out->verdict = CUT_SHORT;
        return;
    }
    if (!out->http_1_0 && r.hosts == 0)
        judge(out, BAD); /* RFC 9112, 3.2 */
    if (r.has_body && is_read(out->method))
        judge(out, BAD); /* one that has no meaning is not for us */
    if (out->verdict == GOOD && (out->len > PLAIN_HEAD_MAX || r.fields > PLAIN_FIELDS_MAX))
        judge(out, LENIENT);
}

/* -- responses, read strictly ---------------------------------------------------------------- */

struct response {
    unsigned status;
    const char *date, *type, *length, *etag, *connection, *coding, *state, *since, *reason, *allow;
    const char *trailer;
    const char *caching, *sniffing, *referrer, *security; /* of the admin pages */
    const char *body;
    size_t body_len;
};

static char *response_line(char **at, const char *end)
{
    char *line = *at;
    char *stop = memmem(line, (size_t)(end - line), "\r\n", 2);
    HOLDS(stop != NULL, "a line without end: %.*s", (int)(end - line), line);
    HOLDS(!has_control(line, (size_t)(stop - line)) && strpbrk(line, "\r\n") == stop,
          "a control character in: %s", line);
    *stop = '\0';
    *at = stop + 2;
    return line;
}

static void read_response_field(struct response *r, char *line)
{
    const struct {
        const char *name;
        const char **value;
    } known[] = {
        {"Date", &r->date},
        {"Content-Type", &r->type},
        {"Content-Length", &r->length},
        {"Cache-Control", &r->caching},
        {"X-Content-Type-Options", &r->sniffing},
        {"Referrer-Policy", &r->referrer},
        {"Content-Security-Policy", &r->security},
        {"ETag", &r->etag},
        {"Connection", &r->connection},
        {"Transfer-Encoding", &r->coding},
        {"X-Nsaddr-State", &r->state},
        {"X-Nsaddr-Since", &r->since},
        {"X-Nsaddr-Reason", &r->reason},
        {"Allow", &r->allow},
        {"Trailer", &r->trailer},
    };
    char *value = strstr(line, ": ");
    HOLDS(value != NULL && value[2] != '\0' && value[2] != ' ', "the field %s", line);
    *value = '\0';
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(known[i].name, line) != 0)
            continue;
        HOLDS(*known[i].value == NULL, "%s twice", line);
        *known[i].value = value + 2;
        return;
    }
    HOLDS(false, "the field %s is not known", line);
}

/* RFC 9112, 7.1: chunks, of the JSON that is made piece by piece or of what is not there. */
static void read_chunks(struct response *r, char **at, const char *end)
{
    HOLDS(strcmp(r->coding, "chunked") == 0 && r->length == NULL, "the coding is %s", r->coding);
    r->body = "";
    for (;;) {
        size_t size = strtoul(response_line(at, end), NULL, 16);
        HOLDS(size < (size_t)(end - *at), "a chunk of %zu bytes, there are %zu", size,
              (size_t)(end - *at));
        *at += size;
        r->body_len += size;
        HOLDS(*response_line(at, end) == '\0', "no line end behind a chunk");
        if (size == 0)
            return;
    }
}

static bool is_refusal(const struct response *r)
{
    return r->status >= 400;
}

static bool closes(const struct response *r)
{
    return r->connection != NULL && strcasecmp(r->connection, "close") == 0;
}

/* Ours say why. */
static bool is_of_library(const struct response *r)
{
    return is_refusal(r) && r->reason == NULL;
}

/* RFC 9112, 6.3. */
static void read_body(struct response *r, bool to_head, char **at, const char *end)
{
    r->body = *at;
    /* The library's refusal has none to HEAD, even if nobody else could read that word. */
    bool of_library = is_of_library(r);
    if (r->status == 304 || (of_library ? *at == end : to_head))
        return;
    if (r->coding != NULL) {
        read_chunks(r, at, end);
        return;
    }
    size_t len = (size_t)(end - *at);
    if (r->length != NULL) {
        char *digits_end;
        len = strtoul(r->length, &digits_end, 10);
        HOLDS(*digits_end == '\0' && isdigit((unsigned char)r->length[0]) &&
                  len <= (size_t)(end - *at),
              "a body of %s bytes, there are %zu", r->length, (size_t)(end - *at));
    }
    r->body_len = len;
    *at += len;
}

static void read_head(char **at, const char *end, struct response *out)
{
    *out = (struct response){.status = 0};
    char *line = response_line(at, end);
    HOLDS((strncmp(line, "HTTP/1.1 ", 9) == 0 || strncmp(line, "HTTP/1.0 ", 9) == 0) &&
              strspn(line + 9, "0123456789") == 3 && line[12] == ' ',
          "the status line %s", line);
    out->status = (unsigned)strtoul(line + 9, NULL, 10);
    while (*(line = response_line(at, end)) != '\0')
        read_response_field(out, line);
}

static void read_response(char **at, const char *end, bool to_head, struct response *out)
{
    read_head(at, end, out);
    if (out->status == 100) /* RFC 9110, 15.2.1: another one follows */
        read_head(at, end, out);
    /* 0.9.75 says the head twice when it refuses a Content-Length, and closes. */
    if (is_of_library(out) && closes(out) && strncmp(*at, "HTTP/1.1 ", 9) == 0) {
        unsigned status = out->status;
        read_head(at, end, out);
        HOLDS(is_of_library(out) && out->status == status, "%u behind %u", out->status, status);
    }
    read_body(out, to_head, at, end);
}

struct looking {
    const char *body;
    size_t len;
    const struct cluster *found;
};

static bool look(const struct cluster *c, void *arg)
{
    struct looking *l = arg;
    if (c->body_len == l->len && memcmp(c->body, l->body, l->len) == 0)
        l->found = c;
    return l->found == NULL;
}

static const struct cluster *cluster_of_body(const char *body, size_t len)
{
    struct looking l = {.body = body, .len = len};
    table_each(reference_table(), look, &l);
    return l.found;
}

/* What every response owes, whatever was asked. */
static void check_form(const struct response *r, bool to_head)
{
    static const unsigned ours[] = {200, 304, 400, 404, 405, 503};
    static const unsigned of_library[] = {400, 413, 414, 431, 500, 501, 505};
    bool known = false;
    if (r->reason != NULL || !is_refusal(r)) {
        for (size_t i = 0; i < COUNT_OF(ours); i++)
            known |= r->status == ours[i];
        bool page = r->caching != NULL; /* of admin, which may explain in its body */
        HOLDS(!is_refusal(r) || page || (r->body_len == 0 && (r->length == NULL || to_head)),
              "%u has a body, or says how long none is", r->status);
    } else {
        for (size_t i = 0; i < COUNT_OF(of_library); i++)
            known |= r->status == of_library[i];
        HOLDS(closes(r), "%u of the library, and the connection stays", r->status);
    }
    HOLDS(known, "the status %u", r->status);
    HOLDS(r->date != NULL || !(r->reason != NULL || !is_refusal(r)), "no Date");
    HOLDS((r->allow != NULL) == (r->status == 405), "Allow with %u", r->status);
    HOLDS(r->trailer == NULL || (r->reason != NULL && r->length == NULL), "Trailer with %u",
          r->status);
    if (r->status == 200 && r->caching != NULL) {
        HOLDS(to_head || r->body_len > 0, "an empty page");
    } else if (r->status == 200) { /* P1: never an empty body */
        HOLDS(r->length != NULL && r->length[0] != '0' && r->type != NULL, "200 without a body");
        HOLDS(to_head || r->body_len > 0, "200 with an empty body");
    }
    HOLDS(r->status != 400 || closes(r), "400, and the connection stays");
}

/* The list of exactly that cluster. */
static void check_list(const struct response *r, const char *id, bool to_head)
{
    const struct cluster *c = table_find(reference_table(), id, strlen(id));
    HOLDS(r->etag != NULL && strcmp(r->etag, c->etag) == 0, "the ETag of %s is %s", id,
          r->etag != NULL ? r->etag : "not there");
    HOLDS((r->state != NULL) == (c->state != CLUSTER_LIVE) &&
              (r->state == NULL) == (r->since == NULL),
          "%s is said to be %s", id, r->state != NULL ? r->state : "live");
    HOLDS(r->state == NULL || strcmp(r->state, cluster_state_name(c->state)) == 0, "%s is %s", id,
          r->state);
    if (r->status == 304)
        return;
    HOLDS(strtoul(r->length, NULL, 10) == c->body_len, "the list of %s has %s bytes", id,
          r->length);
    HOLDS(strcmp(r->type, "text/plain; charset=utf-8") == 0, "the list of %s is %s", id, r->type);
    HOLDS(to_head || (r->body_len == c->body_len && memcmp(r->body, c->body, r->body_len) == 0),
          "instead of the list of %s there is %.*s", id, (int)r->body_len, r->body);
}

/* -- do both fit? ---------------------------------------------------------------------------- */

/* 304 if the client says that it has this list, else 200. */
static void check_condition(const struct asked *a, const struct response *r, const char *id)
{
    const char *etag = table_find(reference_table(), id, strlen(id))->etag;
    bool named = false;
    bool clear =
        !a->doubtful && (a->tag_lists == 0 ||
                         (a->tag_lists == 1 && reference_tag_list(a->if_none_match, etag, &named)));
    HOLDS(r->status == 200 || r->status == 304, "%.20s %.200s: %u instead of a list", a->method,
          a->path, r->status);
    HOLDS(!clear || (r->status == 304) == named, "%u to the condition %s", r->status,
          a->if_none_match);
}

static void check_answer(const struct world *w, const struct asked *a, const struct response *r)
{
    struct reference_answer wanted =
        reference_answer(a->method, a->path, &w->status, w->admin, w->default_cluster);
    if (a->verdict == BAD || (a->verdict != GOOD && is_refusal(r) && r->status != wanted.status)) {
        HOLDS(is_refusal(r) && closes(r), "%u to a request that is to be refused%s", r->status,
              closes(r) ? "" : ", and the connection stays");
        return;
    }
    if (wanted.id != NULL)
        check_condition(a, r, wanted.id);
    else
        HOLDS(r->status == wanted.status, "%.20s %.200s: %u instead of %u", a->method, a->path,
              r->status, wanted.status);
    if (wanted.id != NULL)
        check_list(r, wanted.id, a->to_head);
    else if (wanted.status == 200 && wanted.text != NULL)
        HOLDS(strtoul(r->length, NULL, 10) == strlen(wanted.text) &&
                  (a->to_head || strncmp(r->body, wanted.text, r->body_len) == 0),
              "%s has another body", a->path);
    bool shall_close =
        a->close || w->status.draining || wanted.status == 400 || wanted.status == 405;
    HOLDS(closes(r) == shall_close || a->verdict != GOOD, "%.20s %.200s: the connection %s",
          a->method, a->path, closes(r) ? "is closed" : "stays");
}

/* Nobody can tell whose they are, but they must be somebody's. */
static void check_rest(char *at, const char *end, const char *bytes, size_t len)
{
    bool any_to_head = memmem(bytes, len, "HEAD", 4) != NULL; /* then not even where they end */
    while (at < end && !any_to_head) {
        struct response r;
        read_response(&at, end, false, &r);
        check_form(&r, false);
        HOLDS(r.etag == NULL || r.status == 304 || cluster_of_body(r.body, r.body_len) != NULL,
              "a list of nobody's: %.*s", (int)r.body_len, r.body);
    }
}

static void check_talk(const struct talk *t, char *bytes, size_t len)
{
    char *at = t->output.data;
    const char *end = at != NULL ? at + t->output.len : NULL;
    while (len > 0 || at < end) {
        struct asked a;
        struct response r;
        read_asked(bytes, len, &a);
        if (a.verdict == UNSEEN) {
            check_rest(at, end, bytes, len);
            return;
        }
        if (at == end) {
            HOLDS(a.verdict == CUT_SHORT || a.doubtful || (t->closed && a.verdict != GOOD),
                  "no answer to %.20s %.200s", a.method, a.path);
            return;
        }
        read_response(&at, end, a.to_head, &r);
        check_form(&r, a.to_head);
        if (a.verdict == CUT_SHORT)
            HOLDS(is_refusal(&r) && closes(&r), "%u to half a request", r.status);
        else
            check_answer(t->world, &a, &r);
        if (a.doubtful) {
            check_rest(at, end, bytes, len);
            return;
        }
        if (closes(&r)) {
            HOLDS(at == end && t->closed, "after Connection: close there %s",
                  at == end ? "is no end" : "are further bytes");
            return;
        }
        bytes += a.len;
        len -= a.len;
    }
    HOLDS(!t->closed, "the connection is closed for no reason");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {.at = data, .left = size};
    struct talk t;
    size_t lengths[8], len;
    struct world *w = &worlds[fuzz_byte(&in) % COUNT_OF(worlds)];
    size_t cuts = fuzz_byte(&in) % COUNT_OF(lengths);
    for (size_t i = 0; i < cuts; i++)
        lengths[i] = fuzz_byte(&in);
    if (w->loop == NULL) {
        (void)signal(SIGPIPE, SIG_IGN);
        log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
        start_world(w);
    }
    begin_talk(&t, w);
    struct input sent = in;
    for (size_t i = 0; i < cuts; i++) {
        size_t part = lengths[i] < sent.left ? lengths[i] : sent.left;
        say(&t, sent.at, part);
        sent = (struct input){.at = sent.at + part, .left = sent.left - part};
    }
    say(&t, sent.at, sent.left);
    char *bytes = fuzz_rest(&in, &len);
    check_talk(&t, bytes, len);
    free(bytes);
    end_talk(&t);
    return 0;
}
