/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was seen, for people and for programs. Faults are told by mta/fault.h.
 *
 * Thread use: any.
 */
#ifndef PROBE_REPORT_H
#define PROBE_REPORT_H

#include <stdio.h>

#include "probe/seen.h"

/* A table with a row for each port at each address, then the SRV records. */
void seen_print(const struct host_seen *h, int64_t now_s, FILE *out);

/* The object of --json, with the faults; docs/probe.md has its members. */
void seen_json(const struct host_seen *h, const struct faults *fs, FILE *out);

#endif
