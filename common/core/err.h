/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why something a person wrote, or a system call a person asked for, did not
 * work: one sentence for that person.
 *
 * Functions that take a `struct err *` return 0 on success and -1 on failure;
 * on failure they have set it, on success they leave it alone. The caller
 * prints it; nothing below the programs does. Passing NULL is allowed.
 */
#ifndef CORE_ERR_H
#define CORE_ERR_H

struct err {
    char text[512]; /* no newline at the end */
};

/* Sets e->text; cut at the end if it does not fit. Always returns -1. */
int err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
