/*
 * manager.h - what the service manager is told of the daemon, and what it handed over.
 *
 * Threads  Main.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DAEMON_MANAGER_H
#define DAEMON_MANAGER_H

#include <stdbool.h>

#include "base/attrs.h"

struct config;
struct daemon;
struct error;

/* Before other threads start. Its sockets go into the config in use. */
bool manager_meet(struct daemon *d, struct error *reterr) MUST_CHECK;

/* Where it listens for us takes the place of what is configured. */
bool manager_use_sockets(const struct daemon *d, struct config *config,
                         struct error *reterr) MUST_CHECK;

/* What is new to it. A thread that hangs keeps the watchdog waiting. */
void manager_tell(struct daemon *d);

#endif
