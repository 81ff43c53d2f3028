/* SPDX-License-Identifier: Apache-2.0 */
/* The two ways of `mailreeve explain`. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

/* One session, from logs and journals; the exit code. `config` NULL: the usual one. */
int explain_session(const char *name, const char *config, char *const *sources, int count);

#endif
