/*
 * report.h - our registrations in numbers. Internal to announce.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_REPORT_H
#define ANNOUNCE_REPORT_H

struct announce;

/* Counts all of them: for when all were looked at anyway... */
void announce_report(struct announce *a);

/* ... and for each one that is written: counts at most once a second. */
void announce_report_written(struct announce *a);

#endif
