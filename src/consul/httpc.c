/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/httpc.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "config/config.h"

#define CONNECT_TIMEOUT_MS 3000L
#define TOKEN_FILE_MAX 4096
/* Of one call at a time: two addresses that are tried, and what its name's resolver wakes us by. */
#define SOCKETS_PER_CALL 3
/* A wait without timers ends all the same: a thread that does not turn is taken for dead. */
#define IDLE_POLL_MS 1000
/* So many failures in a row, and it is not just one request that Consul does not like. */
#define FAILURES_MEAN_AWAY 3
/* curl's 16 KB each are much for thousands that wait for a few lines. */
#define WAITING_BUFFER 2048L
/* And few for what comes by the megabyte. */
#define ARRIVING_BUFFER (64L * 1024)
/* A reply of megabytes may take its time, but not creep: fewer bytes per second, for so long. Consul
 * itself may need 7 s before the first one (its rpc_hold_timeout). */
#define CREEPING_BYTES 1000L
#define CREEPING_SECONDS 10L
/* The text of a refusal; the body of a reply that is taken as it arrives is not kept. */
#define REFUSAL_MAX (64 * 1024)

struct httpc_call {
    struct httpc *owner;
    CURL *easy;
    struct calls *row; /* the one it is in */
    struct httpc_call *next;
    struct httpc_call *prev;
    bool blocking;
    httpc_done *done;
    httpc_body *on_body;
    void *arg;
    char *body_out;
    struct buf body_in;
    struct httpc_reply reply;
    char error[CURL_ERROR_SIZE];
};

/* In the order in which they were sent. */
struct calls {
    struct httpc_call *first;
    struct httpc_call *last;
};

struct task {
    struct task *next;
    void (*fn)(void *arg);
    void *arg;
};

struct httpc {
    const struct config *config;
    CURLM *multi;
    int wake;               /* eventfd */
    struct pollfd *sockets; /* that one, and what curl waits for */
    size_t socket_count;
    size_t socket_room;
    int64_t curl_ms;            /* when curl wants its turn without a socket, or CLOCK_NEVER */
    struct curl_slist *headers; /* with the token */
    struct curl_slist *connect_to;
    char base_url[CONSUL_URL_MAX];
    char *token;
    struct calls running;
    struct calls waiting; /* for their turn; none of them is blocking */
    unsigned run_count;
    unsigned short_calls; /* of them */
    bool compress;        /* replies may be */
    struct timers timers;
    int64_t now_ms;
    bool running_timers;
    atomic_int_fast64_t turned_ms; /* when the thread last showed that it goes on */
    atomic_uint failures;          /* in a row */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* guards the three below */
    struct task *first_task;
    struct task *last_task;
    bool stopping;
};

/* -- the token ------------------------------------------------------------------------------- */

/* New text of the token file without surrounding blanks, or NULL with *reterr filled. */
static char *read_token_file(const char *path, struct error *reterr)
{
    char *token = NULL;
    struct buf text;
    buf_init(&text, TOKEN_FILE_MAX);
    if (!file_read(path, &text, reterr))
        goto out;
    const char *start = buf_text(&text);
    start += strspn(start, " \t\r\n");
    size_t len = strlen(start);
    while (len > 0 && strchr(" \t\r\n", start[len - 1]) != NULL)
        len--;
    for (size_t i = 0; i < len; i++) {
        if (start[i] < 0x21 || start[i] > 0x7e) {
            error_set(reterr, "%s: has characters that no token has", path);
            goto out;
        }
    }
    token = strndup(start, len);
    if (token == NULL)
        error_set(reterr, "out of memory");
out:
    buf_clear(&text);
    return token;
}

/* The list of request headers with `token` (stolen, may be empty) as the one in use. */
static bool use_token(struct httpc *h, char *token, struct error *reterr)
{
    struct buf line;
    buf_init(&line, TOKEN_FILE_MAX + 64);
    /* curl would add "Expect: 100-continue" to larger bodies and wait for the answer. */
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    struct curl_slist *longer = headers;
    if (headers != NULL && token[0] != '\0' && buf_printf(&line, "X-Consul-Token: %s", token))
        longer = curl_slist_append(headers, buf_text(&line));
    bool ok = headers != NULL && longer != NULL && !line.failed;
    buf_clear(&line);
    if (!ok) {
        curl_slist_free_all(headers);
        free(token);
        return error_set(reterr, "out of memory");
    }
    curl_slist_free_all(h->headers);
    h->headers = headers;
    free(h->token);
    h->token = token;
    return true;
}

/* The token file when there is one and it is not empty, else the plain token. */
static bool load_token(struct httpc *h, struct error *reterr)
{
    const struct config *c = h->config;
    char *token = NULL;
    if (c->consul.token_file[0] != '\0') {
        token = read_token_file(c->consul.token_file, reterr);
        if (token == NULL)
            return false;
    }
    if (token == NULL || token[0] == '\0') {
        free(token);
        token = strdup(c->consul.token);
        if (token == NULL)
            return error_set(reterr, "out of memory");
    }
    return use_token(h, token, reterr);
}

/* curl reads the headers of a call while it runs: a call in flight must not lose its list. */
static void rebind_headers(struct httpc *h)
{
    const struct calls *rows[] = {&h->running, &h->waiting};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (struct httpc_call *call = rows[i]->first; call != NULL; call = call->next)
            (void)curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, h->headers);
}

bool httpc_reload_token(struct httpc *h, struct error *reterr)
{
    if (h->config->consul.token_file[0] == '\0')
        return false;
    char *before = strdup(h->token);
    bool ok = before != NULL && load_token(h, reterr);
    if (before == NULL)
        error_set(reterr, "out of memory");
    rebind_headers(h);
    bool changed = ok && strcmp(before, h->token) != 0;
    free(before);
    return changed;
}

bool httpc_has_token(const struct httpc *h)
{
    return h->token[0] != '\0';
}

const char *httpc_library_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}

/* -- life ------------------------------------------------------------------------------------ */

/* CONSUL_TLS_SERVER_NAME is the name of SNI and verification: make it the URL's host and tell
 * curl where that really is. */
static bool set_base_url(struct httpc *h, struct error *reterr)
{
    const struct consul_address *a = &h->config->consul.target;
    const char *name = h->config->consul.tls.server_name;
    (void)snprintf(h->base_url, sizeof h->base_url, "%s", a->base_url);
    if (name[0] == '\0' || !a->tls)
        return true;
    const char *rest = a->base_url + strlen("https://");
    size_t authority = strcspn(rest, "/");
    const char *port = rest + authority;
    while (*port != ':')
        port--;
    int port_len = (int)(rest + authority - port);
    struct buf mapping;
    buf_init(&mapping, 2 * CONSUL_URL_MAX);
    int n = snprintf(h->base_url, sizeof h->base_url, "https://%s%s", name, port);
    bool fits = n > 0 && (size_t)n < sizeof h->base_url;
    if (fits && buf_printf(&mapping, "%s%.*s:%.*s", name, port_len, port, (int)authority, rest))
        h->connect_to = curl_slist_append(NULL, buf_text(&mapping));
    buf_clear(&mapping);
    if (h->connect_to == NULL)
        return error_set(reterr, "cannot use consul.tls.server_name \"%s\"", name);
    return true;
}

/* -- what curl waits for ---------------------------------------------------------------------- */

/* curl_multi_perform() would look at every call each time, and there may be thousands that wait. */

static bool reserve_sockets(struct httpc *h, size_t count)
{
    if (count <= h->socket_room)
        return true;
    size_t room = 2 * count;
    struct pollfd *more = realloc(h->sockets, room * sizeof *more);
    if (more == NULL)
        return false;
    h->sockets = more;
    h->socket_room = room;
    return true;
}

static bool open_wake(struct httpc *h, struct error *reterr)
{
    if (!reserve_sockets(h, 1))
        return error_set(reterr, "out of memory");
    h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (h->wake < 0)
        return error_set(reterr, "cannot make an eventfd: %s", strerror(errno));
    h->sockets[h->socket_count++] = (struct pollfd){.fd = h->wake, .events = POLLIN};
    return true;
}

/* One that fails finds the thread as awake as can be. */
static void wake(const struct httpc *h)
{
    uint64_t one = 1;
    ssize_t written = write(h->wake, &one, sizeof one);
    (void)written;
}

/* There is room: run() has made it. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    struct httpc *h = arg;
    size_t i = 1;
    (void)easy;
    (void)unused;
    while (i < h->socket_count && h->sockets[i].fd != fd)
        i++;
    if (what == CURL_POLL_REMOVE) {
        if (i < h->socket_count)
            h->sockets[i] = h->sockets[--h->socket_count];
        return 0;
    }
    if (i == h->socket_room)
        return -1;
    short events = (short)(((what & CURL_POLL_IN) != 0 ? POLLIN : 0) |
                           ((what & CURL_POLL_OUT) != 0 ? POLLOUT : 0));
    h->sockets[i] = (struct pollfd){.fd = fd, .events = events};
    h->socket_count += i == h->socket_count;
    return 0;
}

static int on_curl_timer(CURLM *multi, long wait_ms, void *arg)
{
    struct httpc *h = arg;
    (void)multi;
    h->curl_ms = wait_ms < 0 ? CLOCK_NEVER : clock_mono_ms() + wait_ms;
    return 0;
}

static void act(struct httpc *h, curl_socket_t fd, int events)
{
    int running;
    (void)curl_multi_socket_action(h->multi, fd, events, &running);
}

/* From the last one on, for one that is removed is replaced by the last. */
static void act_on_sockets(struct httpc *h)
{
    for (size_t i = h->socket_count; i-- > 1;) {
        if (i >= h->socket_count || h->sockets[i].revents == 0)
            continue;
        short seen = h->sockets[i].revents;
        h->sockets[i].revents = 0;
        act(h, h->sockets[i].fd,
            ((seen & POLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                ((seen & POLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                ((seen & (POLLERR | POLLHUP | POLLNVAL)) != 0 ? CURL_CSELECT_ERR : 0));
    }
}

static void wait_for_sockets(struct httpc *h, int timeout_ms)
{
    uint64_t times;
    ssize_t got = 0;
    if (poll(h->sockets, h->socket_count, timeout_ms) <= 0)
        return;
    if (h->sockets[0].revents != 0)
        got = read(h->wake, &times, sizeof times); /* that it was is enough */
    (void)got;
    act_on_sockets(h);
}

/* On this host packing a reply costs more than it saves: a sixth of a core more with 10,000
 * clusters (measured). */
static bool is_here(const struct consul_address *a)
{
    static const char *const hosts[] = {"127.", "localhost:", "[::1]:"};
    const char *host = strstr(a->base_url, "://") + 3;
    bool here = a->unix_socket[0] != '\0';
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        here |= strncmp(host, hosts[i], strlen(hosts[i])) == 0;
    return here;
}

struct httpc *httpc_new(const struct config *config, struct error *reterr)
{
    struct httpc *h = calloc(1, sizeof *h);
    if (h == NULL || pthread_mutex_init(&h->lock, NULL) != 0) {
        error_set(reterr, "out of memory");
        free(h);
        return NULL;
    }
    h->config = config;
    h->now_ms = clock_mono_ms();
    h->curl_ms = CLOCK_NEVER;
    h->wake = -1;
    atomic_init(&h->turned_ms, h->now_ms);
    atomic_init(&h->failures, FAILURES_MEAN_AWAY);
    if (!open_wake(h, reterr))
        goto fail;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        (h->multi = curl_multi_init()) == NULL) {
        error_set(reterr, "cannot start libcurl");
        goto fail;
    }
    (void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    (void)curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    (void)curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    (void)curl_multi_setopt(h->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)HTTPC_STREAMS);
    h->compress = !is_here(&config->consul.target);
    if (load_token(h, reterr) && set_base_url(h, reterr))
        return h;
fail:
    httpc_free(h);
    return NULL;
}

void httpc_free(struct httpc *h)
{
    if (h == NULL)
        return;
    httpc_stop(h);
    while (h->waiting.first != NULL)
        httpc_cancel(h, h->waiting.first);
    while (h->running.first != NULL)
        httpc_cancel(h, h->running.first);
    while (h->first_task != NULL) {
        struct task *t = h->first_task;
        h->first_task = t->next;
        free(t);
    }
    curl_slist_free_all(h->headers);
    curl_slist_free_all(h->connect_to);
    if (h->multi != NULL)
        (void)curl_multi_cleanup(h->multi);
    if (h->wake >= 0)
        (void)close(h->wake);
    free(h->sockets);
    free(h->token);
    (void)pthread_mutex_destroy(&h->lock);
    curl_global_cleanup();
    free(h);
}

/* -- one call -------------------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct httpc_call *call = arg;
    long status = 0;
    if (call->on_body != NULL)
        (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        return call->on_body(call->arg, bytes, size * count) ? size * count : 0;
    /* CURLOPT_MAXFILESIZE does nothing for chunked bodies in 7.88.1: the buffer's limit counts. */
    return buf_append(&call->body_in, bytes, size * count) ? size * count : 0;
}

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

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct httpc_call *call = arg;
    struct httpc_reply *r = &call->reply;
    size_t len = size * count;
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
    return len;
}

/* curl_easy_setopt() for a string that may be empty, which means "leave the default". */
static CURLcode set_text(CURL *easy, CURLoption option, const char *text)
{
    return text[0] == '\0' ? CURLE_OK : curl_easy_setopt(easy, option, text);
}

static CURLcode set_tls(CURL *easy, const struct config *c)
{
    CURLcode rc = CURLE_OK;
    bool own_ca = c->consul.tls.ca_file[0] != '\0' || c->consul.tls.ca_path[0] != '\0';
    if (own_ca) {
        /* Only the named ones: curl would trust the system's beside them. */
        rc |= curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        rc |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        rc |= set_text(easy, CURLOPT_CAINFO, c->consul.tls.ca_file);
        rc |= set_text(easy, CURLOPT_CAPATH, c->consul.tls.ca_path);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Else a replaced ca_file is not looked at for a day. */
    rc |= curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
    rc |= set_text(easy, CURLOPT_SSLCERT, c->consul.tls.cert_file);
    rc |= set_text(easy, CURLOPT_SSLKEY, c->consul.tls.key_file);
    rc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, c->consul.tls.verify ? 1L : 0L);
    rc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, c->consul.tls.verify ? 2L : 0L);
    return rc;
}

static CURLcode set_connection(CURL *easy, const struct httpc *h)
{
    const struct config *c = h->config;
    CURLcode rc = CURLE_OK;
    rc |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    rc |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    rc |= curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not the environment's */
    /* Over TLS what both sides speak; without, Consul knows no HTTP/2. A further connection is only
     * made when the streams of the first are used up. */
    long version = c->consul.target.tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
    rc |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    rc |= curl_easy_setopt(easy, CURLOPT_PIPEWAIT, c->consul.target.tls ? 1L : 0L);
    rc |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    rc |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
    rc |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
    rc |= curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 30L);
    if (h->compress)
        rc |= curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, ""); /* what curl can unpack */
    rc |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "nsaddrd/" NSADDRD_VERSION);
    rc |= set_text(easy, CURLOPT_UNIX_SOCKET_PATH, c->consul.target.unix_socket);
    if (h->connect_to != NULL)
        rc |= curl_easy_setopt(easy, CURLOPT_CONNECT_TO, h->connect_to);
    if (c->consul.http_auth != NULL) {
        rc |= curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        rc |= curl_easy_setopt(easy, CURLOPT_USERPWD, c->consul.http_auth);
    }
    return rc | set_tls(easy, c);
}

static CURLcode set_request(struct httpc_call *call, const struct httpc_request *request,
                            const char *url)
{
    CURL *easy = call->easy;
    CURLcode rc = CURLE_OK;
    rc |= curl_easy_setopt(easy, CURLOPT_URL, url);
    rc |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    rc |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->owner->headers);
    if (request->on_body != NULL && !request->blocking) {
        rc |= curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, CREEPING_BYTES);
        rc |= curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, CREEPING_SECONDS);
    }
    if (request->on_body != NULL)
        rc |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, ARRIVING_BUFFER);
    else if (request->blocking)
        rc |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, WAITING_BUFFER);
    rc |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    rc |= curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    if (strcmp(request->method, "GET") != 0) {
        rc |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
        rc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                               call->body_out != NULL ? call->body_out : "");
    }
    return rc;
}

static void call_free(struct httpc_call *call)
{
    if (call->easy != NULL)
        curl_easy_cleanup(call->easy);
    buf_clear(&call->body_in);
    free(call->body_out);
    free(call);
}

static void enter(struct calls *row, struct httpc_call *call)
{
    call->row = row;
    call->next = NULL;
    call->prev = row->last;
    if (row->last != NULL)
        row->last->next = call;
    else
        row->first = call;
    row->last = call;
}

static void leave(struct httpc_call *call)
{
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        call->row->first = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
    else
        call->row->last = call->prev;
}

static bool run(struct httpc *h, struct httpc_call *call)
{
    if (!reserve_sockets(h, 1 + SOCKETS_PER_CALL * (size_t)(h->run_count + 1)) ||
        curl_multi_add_handle(h->multi, call->easy) != CURLM_OK)
        return false;
    enter(&h->running, call);
    h->run_count++;
    h->short_calls += !call->blocking;
    return true;
}

/* Also behind those who wait, when a place has just become free: what the end of a call sends is not
 * to go first each time. */
static bool must_wait(const struct httpc *h, const struct httpc_call *call)
{
    return !call->blocking && (h->short_calls == HTTPC_SHORT_CALLS || h->waiting.first != NULL);
}

/* Takes it out of its row and, when it is running, out of curl's hands. */
static void end(struct httpc *h, struct httpc_call *call)
{
    leave(call);
    if (call->row == &h->waiting)
        return;
    (void)curl_multi_remove_handle(h->multi, call->easy);
    h->run_count--;
    h->short_calls -= !call->blocking;
}

struct httpc_call *httpc_send(struct httpc *h, const struct httpc_request *request,
                              httpc_done *done, void *arg)
{
    struct buf url;
    buf_init(&url, 8192);
    struct httpc_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    *call = (struct httpc_call){.owner = h,
                                .blocking = request->blocking,
                                .done = done,
                                .on_body = request->on_body,
                                .arg = arg};
    buf_init(&call->body_in, request->on_body != NULL ? REFUSAL_MAX : request->max_body);
    call->easy = curl_easy_init();
    bool ok = call->easy != NULL && buf_printf(&url, "%s%s", h->base_url, request->path);
    if (ok && request->body != NULL)
        ok = (call->body_out = strdup(request->body)) != NULL;
    ok = ok && set_connection(call->easy, h) == CURLE_OK &&
         set_request(call, request, buf_text(&url)) == CURLE_OK;
    buf_clear(&url);
    if (ok && must_wait(h, call))
        enter(&h->waiting, call);
    else if (!ok || !run(h, call)) {
        call_free(call);
        return NULL;
    }
    return call;
}

void httpc_cancel(struct httpc *h, struct httpc_call *call)
{
    if (call == NULL)
        return;
    end(h, call);
    call_free(call);
}

void httpc_keep(struct httpc *h, unsigned connections)
{
    (void)curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)connections);
}

/* The one end of every call that was not cancelled. */
static void deliver(struct httpc *h, struct httpc_call *call)
{
    struct httpc_reply *r = &call->reply;
    bool good = (r->status >= 200 && r->status < 300) || r->status == 404;
    if (good)
        atomic_store(&h->failures, 0);
    else
        atomic_fetch_add(&h->failures, 1);
    call->done(call->arg, r);
    call_free(call);
}

static void finish(struct httpc *h, struct httpc_call *call, CURLcode code)
{
    struct httpc_reply *r = &call->reply;
    char *local_ip = NULL;
    long version = 0;
    if (code == CURLE_OK) {
        (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &r->status);
        (void)curl_easy_getinfo(call->easy, CURLINFO_LOCAL_IP, &local_ip);
        (void)curl_easy_getinfo(call->easy, CURLINFO_HTTP_VERSION, &version);
    }
    if (call->body_in.failed)
        r->error = "the reply is larger than any sane one";
    else if (code == CURLE_WRITE_ERROR)
        r->error = "the reply is not what Consul sends";
    else if (code != CURLE_OK)
        r->error = call->error[0] != '\0' ? call->error : curl_easy_strerror(code);
    else if (r->status == 0)
        r->error = "no HTTP status";
    r->body = buf_text(&call->body_in);
    r->body_len = call->body_in.len;
    r->http2 = version == CURL_HTTP_VERSION_2_0;
    r->local_ip = local_ip != NULL ? local_ip : "";
    end(h, call);
    deliver(h, call);
}

static void run_waiting(struct httpc *h)
{
    while (h->waiting.first != NULL && h->short_calls < HTTPC_SHORT_CALLS) {
        struct httpc_call *call = h->waiting.first;
        leave(call);
        if (run(h, call))
            continue;
        call->reply = (struct httpc_reply){.error = "out of memory", .body = "", .local_ip = ""};
        deliver(h, call);
    }
}

bool httpc_answered(const struct httpc *h)
{
    return atomic_load(&h->failures) < FAILURES_MEAN_AWAY;
}

/* -- time ------------------------------------------------------------------------------------ */

int64_t httpc_now(const struct httpc *h)
{
    return h->now_ms;
}

void httpc_timer_set(struct httpc *h, struct timer *timer, int64_t at_ms)
{
    /* Not within the run of timers that sets it: such a timer could keep the loop for itself. */
    if (h->running_timers && at_ms <= h->now_ms)
        at_ms = h->now_ms + 1;
    timers_set(&h->timers, timer, at_ms);
}

void httpc_timer_cancel(struct httpc *h, struct timer *timer)
{
    timers_cancel(&h->timers, timer);
}

/* -- the thread ------------------------------------------------------------------------------ */

bool httpc_alive(const struct httpc *h, int64_t within_ms)
{
    return clock_mono_ms() - atomic_load(&h->turned_ms) <= within_ms;
}

static int64_t note_turn(struct httpc *h)
{
    int64_t now_ms = clock_mono_ms();
    atomic_store(&h->turned_ms, now_ms);
    return now_ms;
}

bool httpc_post(struct httpc *h, void (*fn)(void *arg), void *arg)
{
    struct task *t = malloc(sizeof *t);
    if (t == NULL)
        return false;
    *t = (struct task){.fn = fn, .arg = arg};
    pthread_mutex_lock(&h->lock);
    if (h->first_task == NULL)
        h->first_task = t;
    else
        h->last_task->next = t;
    h->last_task = t;
    pthread_mutex_unlock(&h->lock);
    wake(h);
    return true;
}

/* False when the thread shall end. */
static bool run_tasks(struct httpc *h)
{
    pthread_mutex_lock(&h->lock);
    struct task *t = h->first_task;
    h->first_task = h->last_task = NULL;
    bool go_on = !h->stopping;
    pthread_mutex_unlock(&h->lock);
    while (t != NULL) {
        struct task *next = t->next;
        t->fn(t->arg);
        free(t);
        t = next;
    }
    return go_on;
}

/* True when there was one: what its callback sent is to go out before we sleep. */
static bool run_replies(struct httpc *h)
{
    bool any = false;
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
        struct httpc_call *call = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        finish(h, call, code);
        (void)note_turn(h); /* thousands may have come at once */
        any = true;
    }
    return any;
}

static int poll_timeout(const struct httpc *h)
{
    int64_t next = timers_next(&h->timers);
    if (h->curl_ms < next)
        next = h->curl_ms;
    int64_t wait = next == CLOCK_NEVER ? IDLE_POLL_MS : next - clock_mono_ms();
    return wait < 0 ? 0 : wait > IDLE_POLL_MS ? IDLE_POLL_MS : (int)wait;
}

static void *loop(void *arg)
{
    struct httpc *h = arg;
    for (;;) {
        h->now_ms = note_turn(h);
        if (!run_tasks(h))
            return NULL;
        h->running_timers = true;
        timers_run(&h->timers, h->now_ms);
        h->running_timers = false;
        run_waiting(h);
        if (h->curl_ms <= clock_mono_ms()) {
            h->curl_ms = CLOCK_NEVER;
            act(h, CURL_SOCKET_TIMEOUT, 0);
        }
        h->now_ms = note_turn(h);
        if (!run_replies(h))
            wait_for_sockets(h, poll_timeout(h));
    }
}

bool httpc_start(struct httpc *h, struct error *reterr)
{
    int rc = pthread_create(&h->thread, NULL, loop, h);
    if (rc != 0)
        return error_set(reterr, "cannot start a thread: %s", strerror(rc));
    h->started = true;
    return true;
}

void httpc_stop(struct httpc *h)
{
    if (!h->started)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_mutex_unlock(&h->lock);
    wake(h);
    (void)pthread_join(h->thread, NULL);
    h->started = false;
}
