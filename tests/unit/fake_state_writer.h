/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_state_writer.h - source/state_writer.h without a thread: work has ended when its start
 * returns, or, while the test holds work back, when it lets it go.
 */
#ifndef UNIT_FAKE_STATE_WRITER_H
#define UNIT_FAKE_STATE_WRITER_H

#include "source/state_writer.h"

void fake_state_writer_hold(void);
void fake_state_writer_release(void);
/* What is held is done now, and yet nobody hears that it has ended before it is let go. */
void fake_state_writer_work(void);
/* The next work is not done, and fails. */
void fake_state_writer_fail(void);

#endif
