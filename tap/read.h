/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve-tap --read: a capture from a file, without any rights. */
#ifndef TAP_READ_H
#define TAP_READ_H

#include <stdbool.h>

/* What the command line says. */
struct read_options {
    const char *file;   /* "-": standard input */
    const char *config; /* NULL: the usual one if it is there, else the defaults */
    bool json;          /* lines of the journal, not text */
};

/* Reads it and writes to standard output; returns the exit code. */
int read_capture(const struct read_options *o);

#endif
