/*
 * reload.h - SIGHUP: the config is read anew and used, as a whole or not at all.
 *
 * main reads it, the httpc thread gives it to all that live there and to the HTTP threads, main
 * ends it: what is used by nobody any more is freed.
 *
 * Threads  Main.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

struct arguments;
struct daemon;

/* The file that is read without -c, if it is there, takes its place in `arguments`. */
void reload_find_config(struct arguments *arguments);

void reload_ask(struct daemon *d);

/* After word from the httpc thread; nothing when none is under way. */
void reload_end(struct daemon *d);

#endif
