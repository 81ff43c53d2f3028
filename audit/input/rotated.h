/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log and the files that it was rotated to, as logrotate, newsyslog, savelog and `postfix
 * logrotate` name them: mail.log.1, mail.log.2.gz, mail.log-20261121.xz, maillog.20261121-082200,
 * mail-20261121.log. Internal to input/.
 */
#ifndef AUDIT_ROTATED_H
#define AUDIT_ROTATED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The latest ones; what is older is not looked at. */
enum { ROTATED_MAX = 400 };

struct rotated_file {
    char *name; /* in its directory */
    int fd;     /* -1: see `why` */
    int why;    /* errno */
    bool packed;
    size_t stem_n;   /* of the name without .gz */
    uint64_t number; /* as in mail.log.1; 0: the name has a date, or it is the log */
    int64_t order;
    uint64_t device, inode, size;
    int64_t mtime_ns;
};

enum rotated_log { LOG_FILE, LOG_ABSENT, LOG_DIRECTORY, LOG_NOT_A_FILE, LOG_DENIED };

struct rotated {
    struct rotated_file *files; /* the oldest first; the log itself, if it is there, is the last */
    size_t n, cap;
    enum rotated_log log;
    uint64_t identity;  /* changes when a file comes, goes or gets another name */
    uint64_t signature; /* also when one but the log itself changes */
};

/*
 * Opens them all. Of a file and its compressed copy, which are there together while it is being
 * compressed, only the file is taken; of the log and a copy of it, as long as it was not truncated,
 * only the log. 0; -1 with errno: the directory cannot be read, memory.
 */
int rotated_list(struct rotated *r, const char *directory, const char *log);

/* Closes and takes out `n` of them. */
void rotated_drop(struct rotated *r, size_t first, size_t n);

void rotated_free(struct rotated *r);

/* `signature` as it is now; 0: cannot be told. */
uint64_t rotated_signature(const char *directory, const char *log);

#endif
