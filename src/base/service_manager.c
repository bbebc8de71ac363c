/* SPDX-License-Identifier: Apache-2.0 */
#include "base/service_manager.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

#define FIRST_FD 3 /* behind standard input, output and error */

/* Status lines at most so often; and how soon a state that nobody announced is seen. */
#define STATUS_EVERY_MS 1000
/* More time is asked for long before the last one asked for is over. */
#define EXTEND_BY_MS 30000
#define EXTEND_EVERY_MS 10000
/* Without a watchdog: what does not turn for so long gets no more time for its start or stop. */
#define PATIENCE_MS 30000
/* Loops turn once a second: a shorter watchdog must not take that for death. */
#define PATIENCE_MIN_MS 2000

/* Decimal digits only: strtoull would take blanks and signs. */
static bool parse_number(const char *text, uint64_t *out)
{
    char *end;
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text))
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0;
}

static bool is_own_pid(const char *text)
{
    uint64_t pid;
    return parse_number(text, &pid) && pid == (uint64_t)getpid();
}

/* -- sockets --------------------------------------------------------------------------------- */

/* What the socket is, in words, if it is not what we need; else NULL. */
static const char *flaw(int fd)
{
    int family;
    int type;
    int listens;
    socklen_t len = sizeof family;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) != 0)
        return errno == ENOTSOCK ? "not a socket" : "not open";
    len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
        return "of no known type";
    if (family != AF_INET && family != AF_INET6)
        return family == AF_UNIX ? "a unix socket" : "of another family than IPv4 and IPv6";
    if (type != SOCK_STREAM)
        return type == SOCK_DGRAM ? "a datagram socket" : "not a stream socket";
    len = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || listens == 0)
        return "a socket that does not listen";
    return NULL;
}

static bool address_text(int fd, char *out, size_t size)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {.sin6_family = AF_UNSPEC}};
    socklen_t len = sizeof address;
    char ip[INET6_ADDRSTRLEN];
    if (getsockname(fd, &address.any, &len) != 0)
        return false;
    if (address.any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &address.v4.sin_addr, ip, sizeof ip);
        (void)snprintf(out, size, "%s:%u", ip, (unsigned)ntohs(address.v4.sin_port));
    } else {
        (void)inet_ntop(AF_INET6, &address.v6.sin6_addr, ip, sizeof ip);
        (void)snprintf(out, size, "[%s]:%u", ip, (unsigned)ntohs(address.v6.sin6_port));
    }
    return true;
}

static bool take_socket(struct inherited_socket *s, struct error *reterr)
{
    const char *what = flaw(s->fd);
    if (what != NULL)
        return error_set(reterr,
                         "LISTEN_FDS: descriptor %d \"%s\" is %s; right is a listening TCP socket, "
                         "such as systemd makes of ListenStream=8080 with Accept=no",
                         s->fd, s->name, what);
    int flags = fcntl(s->fd, F_GETFL);
    if (!address_text(s->fd, s->address, sizeof s->address) ||
        fcntl(s->fd, F_SETFD, FD_CLOEXEC) != 0 || flags < 0 ||
        fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return error_set(reterr, "LISTEN_FDS: cannot use descriptor %d: %s", s->fd,
                         strerror(errno));
    return true;
}

/* "a:b": a name for each of them. */
static bool set_names(struct inherited_sockets *out, const char *names, struct error *reterr)
{
    size_t count = 0;
    for (const char *name = names; name != NULL; count++) {
        size_t len = strcspn(name, ":");
        if (count < out->count)
            (void)snprintf(out->items[count].name, sizeof out->items[count].name, "%.*s", (int)len,
                           name);
        name = name[len] == ':' ? name + len + 1 : NULL;
    }
    if (count == out->count)
        return true;
    return error_set(reterr, "LISTEN_FDNAMES has %zu names; right is one for each of %zu sockets",
                     count, out->count);
}

static bool take_sockets(struct inherited_sockets *out, const char *fds, const char *names,
                         struct error *reterr)
{
    uint64_t count;
    if (!parse_number(fds, &count) || count > INHERITED_SOCKETS_MAX)
        return error_set(reterr, "LISTEN_FDS=%s: right is a number of sockets up to %d", fds,
                         INHERITED_SOCKETS_MAX);
    out->count = (size_t)count;
    for (size_t i = 0; i < out->count; i++)
        out->items[i] = (struct inherited_socket){.fd = FIRST_FD + (int)i};
    if (names != NULL && count > 0 && !set_names(out, names, reterr))
        return false;
    for (size_t i = 0; i < out->count; i++)
        if (!take_socket(&out->items[i], reterr))
            return false;
    return true;
}

bool service_manager_listen_fds(struct inherited_sockets *out, struct error *reterr)
{
    const char *pid = getenv("LISTEN_PID");
    const char *fds = getenv("LISTEN_FDS");
    out->count = 0;
    bool ok = pid == NULL || fds == NULL || !is_own_pid(pid) ||
              take_sockets(out, fds, getenv("LISTEN_FDNAMES"), reterr);
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return ok;
}

/* -- news ------------------------------------------------------------------------------------ */

/* A path, or "@name" for an abstract one, whose first byte is NUL and whose length is exact. */
static bool parse_address(struct service_manager *m, const char *text)
{
    size_t len = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof m->address.sun_path)
        return false;
    m->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(m->address.sun_path, text, len);
    m->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (text[0] == '@')
        m->address.sun_path[0] = '\0';
    else
        m->address_len++;
    return true;
}

static bool open_socket(struct service_manager *m, const char *text, struct error *reterr)
{
    if (!parse_address(m, text))
        return error_set(reterr, "NOTIFY_SOCKET=%s: right is a path or @name, up to %zu bytes",
                         text, sizeof m->address.sun_path - 1);
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return m->fd >= 0 || error_set(reterr, "NOTIFY_SOCKET: %s", strerror(errno));
}

static bool set_watchdog(struct service_manager *m, const char *text, struct error *reterr)
{
    uint64_t usec;
    if (!parse_number(text, &usec) || usec == 0 || usec > INT64_MAX)
        return error_set(reterr, "WATCHDOG_USEC=%s: right is a number of microseconds", text);
    m->watchdog_ms = usec < 1000 ? 1 : (int64_t)(usec / 1000);
    return true;
}

bool service_manager_open(struct service_manager *m, struct error *reterr)
{
    const char *path = getenv("NOTIFY_SOCKET");
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    *m = (struct service_manager){.fd = -1};
    bool ok = path == NULL || open_socket(m, path, reterr);
    if (m->fd >= 0 && usec != NULL && (pid == NULL || is_own_pid(pid)))
        ok = set_watchdog(m, usec, reterr);
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    return ok;
}

void service_manager_close(struct service_manager *m)
{
    if (m->fd >= 0)
        (void)close(m->fd);
    m->fd = -1;
}

bool service_manager_listens(const struct service_manager *m)
{
    return m->fd >= 0;
}

int64_t service_manager_patience_ms(const struct service_manager *m)
{
    if (m->watchdog_ms == 0)
        return PATIENCE_MS;
    return m->watchdog_ms < PATIENCE_MIN_MS ? PATIENCE_MIN_MS : m->watchdog_ms;
}

/* Half of what the watchdog allows, as sd_watchdog_enabled(3) advises. */
static int64_t beat_every_ms(const struct service_manager *m)
{
    return m->watchdog_ms < 2 ? 1 : m->watchdog_ms / 2;
}

struct message {
    char text[SERVICE_STATUS_SIZE + 256];
    size_t len;
};

static void add(struct message *msg, const char *format, ...) PRINTF_LIKE(2, 3);

/* There is room for every line at once. */
static void add(struct message *msg, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    msg->len += (size_t)vsnprintf(msg->text + msg->len, sizeof msg->text - msg->len, format, args);
    va_end(args);
}

/* The manager compares it with its own clock at the moment it asked: no less may be said. */
static int64_t mono_usec(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Notes in *m what the message says. True when the phase is another one. */
static bool add_phase(struct message *msg, struct service_manager *m, const struct service_state *s)
{
    if (m->phase != s->phase) {
        m->phase = s->phase;
        m->reloading = false;
        m->reloads = s->reloads_asked; /* what starts or stops does not say that it reloads, too */
        m->extend_ms = 0;
        add(msg, s->phase == SERVICE_READY ? "READY=1\n" : "STOPPING=1\n");
        return true;
    }
    if (s->phase != SERVICE_READY)
        return false;
    if (m->reloads != s->reloads_asked) {
        m->reloads = s->reloads_asked;
        m->reloading = true;
        add(msg, "RELOADING=1\nMONOTONIC_USEC=%lld\n", (long long)mono_usec());
    } else if (m->reloading && s->reloads_done == s->reloads_asked) {
        m->reloading = false;
        add(msg, "READY=1\n");
    }
    return false;
}

/* All that is to be said now, at most one step of the phase; nothing when it stays empty. */
static void compose(struct message *msg, struct service_manager *m, const struct service_state *s,
                    int64_t now_ms)
{
    bool news = add_phase(msg, m, s);
    if (strncmp(s->status, m->status, sizeof m->status - 1) != 0 &&
        (news || now_ms >= m->status_ms)) {
        (void)snprintf(m->status, sizeof m->status, "%s", s->status);
        m->status_ms = now_ms + STATUS_EVERY_MS;
        add(msg, "STATUS=%s\n", m->status);
    }
    if (!s->alive)
        return;
    if (s->phase != SERVICE_READY && now_ms >= m->extend_ms) {
        m->extend_ms = now_ms + EXTEND_EVERY_MS;
        add(msg, "EXTEND_TIMEOUT_USEC=%d\n", EXTEND_BY_MS * 1000);
    }
    if (m->watchdog_ms > 0 && now_ms >= m->beat_ms) {
        m->beat_ms = now_ms + beat_every_ms(m);
        add(msg, "WATCHDOG=1\n");
    }
}

bool service_manager_tell(struct service_manager *m, const struct service_state *s, int64_t now_ms,
                          struct error *reterr)
{
    for (;;) {
        struct service_manager told = *m;
        struct message msg = {.len = 0};
        compose(&msg, &told, s, now_ms);
        if (msg.len == 0)
            break;
        if (sendto(m->fd, msg.text, msg.len, MSG_NOSIGNAL, (const struct sockaddr *)&m->address,
                   m->address_len) < 0) {
            m->next_ms = now_ms + STATUS_EVERY_MS;
            return error_set(reterr, "NOTIFY_SOCKET: %s", strerror(errno));
        }
        *m = told;
    }
    m->next_ms = now_ms + STATUS_EVERY_MS;
    int64_t beat_ms = m->beat_ms > now_ms ? m->beat_ms : now_ms + beat_every_ms(m);
    if (m->watchdog_ms > 0 && beat_ms < m->next_ms)
        m->next_ms = beat_ms;
    return true;
}

int64_t service_manager_next_ms(const struct service_manager *m)
{
    return m->fd < 0 ? CLOCK_NEVER : m->next_ms;
}
