/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_state_writer.h - source/state_writer.h without a thread: a write has ended when its start
 * returns, or, while the test holds writes back, when it lets them go.
 */
#ifndef UNIT_FAKE_STATE_WRITER_H
#define UNIT_FAKE_STATE_WRITER_H

#include "source/state_writer.h"

void fake_state_writer_hold(void);
void fake_state_writer_release(void);

#endif
