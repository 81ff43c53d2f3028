/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what status.h writes. Non-logging; any thread.
 */
#ifndef JOURNAL_STATUS_READER_H
#define JOURNAL_STATUS_READER_H

#include "core/err.h"
#include "journal/status.h"

struct status_report {
    bool running; /* somebody holds the lock */
    bool found;   /* there is a status file, and the fields below are its */
    long pid;     /* 0: not known */
    char program[64], version[64], started[32], config[256], policy[64], mode[512], sandbox[160];
    uint64_t reloads;
    bool reload_ok;
    char reload_at[32], reload_why[512];
    struct {
        char segment[64], why[160];
        uint64_t lines, bytes, lost, ring_used, ring_size;
        bool stalled;
    } journal;
    char as_of[32];
    int64_t as_of_us;    /* wall clock */
    struct str counters; /* an object, for json_scan_init(); points into `file` */
    size_t file_n;
    char file[STATUS_FILE_MAX];
};

/*
 * The report of one program. -1 and *err: the directory, the lock or the
 * file is there but cannot be read, or the file is not what status.c writes.
 * No lock file: ret->running and ret->found are false.
 */
int status_read(const char *journal_path, const char *program, struct status_report *ret,
                struct err *err);

enum { STATUS_PROGRAMS_MAX = 16 };

/*
 * The programs that have a directory with a lock below the journal's path, by
 * name. Returns how many (none if the path does not exist), or -1 and *err.
 */
int status_programs(const char *journal_path, char ret[STATUS_PROGRAMS_MAX][64], struct err *err);

#endif
