/*
 * outcome.h - what became of a request to Consul, as it is counted. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_OUTCOME_H
#define CONSUL_OUTCOME_H

#include <stdbool.h>

#include "model/consul_report.h"

/* Why a request was of no use: by curl's CURLcode when it did not come to its end, else by the
 * status. `too_large`: its reply was. */
enum consul_failure outcome_failure(int curl_code, bool too_large, long status);

#endif
