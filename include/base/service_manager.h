/*
 * service_manager.h - what a service manager such as systemd hands over, and what it is told.
 *
 * The protocols of sd_listen_fds(3) and sd_notify(3), by environment and datagrams. Without its
 * variables nothing is handed over, nothing is said and nothing is waited for. They are taken out
 * of the environment when they are read.
 *
 * Ownership  struct service_manager is embedded: open, then close. Descriptors are the caller's.
 * Threads    The main thread; reading the environment needs to be done before others start.
 * Units      Milliseconds of clock_mono_ms(); the caller passes "now".
 * Errors     What was handed over and cannot be used is an error, and what would be right.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_SERVICE_MANAGER_H
#define BASE_SERVICE_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/attrs.h"

struct error;

/* -- sockets --------------------------------------------------------------------------------- */

#define INHERITED_SOCKETS_MAX 64

/* Others may hold the same socket: close it, but never shutdown(2) it. */
struct inherited_socket {
    int fd;           /* listens for TCP over IPv4 or IPv6; does not block; close-on-exec */
    char name[64];    /* from LISTEN_FDNAMES, "" without; cut */
    char address[56]; /* where it listens: "127.0.0.1:8080", "[::]:8080" */
};

struct inherited_sockets {
    size_t count;
    struct inherited_socket items[INHERITED_SOCKETS_MAX];
};

/* LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES; none if they are meant for another process. False
 * when one of the sockets cannot be used. */
bool service_manager_listen_fds(struct inherited_sockets *out, struct error *reterr) MUST_CHECK;

/* -- news ------------------------------------------------------------------------------------ */

enum service_phase { SERVICE_STARTING, SERVICE_READY, SERVICE_STOPPING };

struct service_state {
    enum service_phase phase; /* only ever goes up */
    unsigned reloads_asked;   /* counts */
    unsigned reloads_done;    /* the same number as asked: none goes on */
    bool alive;               /* everything that has to turn does */
    const char *status;       /* one line for people */
};

#define SERVICE_STATUS_SIZE 256

struct service_manager {
    int fd; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t address_len;
    int64_t watchdog_ms;      /* 0: nobody watches */
    enum service_phase phase; /* this and what follows: as was told */
    bool reloading;
    unsigned reloads;
    char status[SERVICE_STATUS_SIZE];
    int64_t status_ms; /* no new status before */
    int64_t extend_ms; /* ask for more time then */
    int64_t beat_ms;   /* say that we are alive then */
    int64_t next_ms;
};

/* NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. False when one of them has no sense; what depends
 * on it is off then, and *m is good. */
bool service_manager_open(struct service_manager *m, struct error *reterr) MUST_CHECK;
void service_manager_close(struct service_manager *m);

/* Is there anybody to tell? */
bool service_manager_listens(const struct service_manager *m);

/* For how long something may not turn and is still `alive`. */
int64_t service_manager_patience_ms(const struct service_manager *m);

/* Only with somebody to tell. Tells what is new in *s, a change of its status once a second at most; while it starts or stops
 * that it needs more time, and to a watchdog that it is alive. False when that could not be sent:
 * it is tried again. */
bool service_manager_tell(struct service_manager *m, const struct service_state *s, int64_t now_ms,
                          struct error *reterr) MUST_CHECK;

/* When to tell again; CLOCK_NEVER without anybody to tell. */
int64_t service_manager_next_ms(const struct service_manager *m);

#endif
