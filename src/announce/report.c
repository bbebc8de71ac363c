/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/report.h"

#include "announce/inner.h"

#define REPORT_SPACING_MS 1000

static void count(struct registration *r, void *arg)
{
    struct registration_numbers *n = arg;
    bool same = r->presence == PRESENCE_SAME;
    n->wanted += r->wanted;
    n->registered += r->wanted && same;
    n->pending += r->wanted && !same;
    n->leaving += !r->wanted && r->presence != PRESENCE_NONE;
}

void announce_report(struct announce *a)
{
    struct registration_numbers n = {.failing = a->failing, .draining = a->draining};
    registrations_each(a->set, count, &n);
    consul_metrics_registrations(httpc_metrics(a->httpc), &n);
    a->report_ms = httpc_now(a->httpc) + REPORT_SPACING_MS;
}

void announce_report_written(struct announce *a)
{
    if (httpc_now(a->httpc) >= a->report_ms)
        announce_report(a);
}
