/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what was seen to what is wrong (mta/fault.h). Pure: no clock, no
 * network. The policy is in the ports (role, min_tls, public).
 *
 * Thread use: any.
 */
#ifndef PROBE_JUDGE_H
#define PROBE_JUDGE_H

#include "probe/seen.h"

/* Adds the faults; the same one at several ports or addresses is told once, with all places. */
void judge_host(const struct host_seen *h, int64_t now_s, struct faults *fs);

/* Those of the SRV records alone, for judge_host(). */
void judge_srv(const struct host_seen *h, struct faults *fs);

/* ---- for both ---------------------------------------------------------------------- */

/* A fault at a port, with its place, and how to mend it. */
struct fault *judge_add(struct faults *fs, enum fault_id id, const struct port_seen *p);

/* The same without a port. */
struct fault *judge_add_at(struct faults *fs, enum fault_id id, const char *where);

#endif
