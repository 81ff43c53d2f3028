/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where setups are remembered: STATE/<name of the MTA's directory>/<n>/ with the manifest, the
 * files as they were (0, 1, 2), and the commands that take single lines back ("reverse"). Setups
 * with nothing changed in between share one n, so that undo goes back to before the first.
 *
 * Thread use: one thread; a lock keeps other setups out.
 */
#ifndef SETUP_STORE_H
#define SETUP_STORE_H

#include "setup/manifest.h"

struct store {
    char path[600];
    int lock;                 /* -1: none */
    unsigned number;          /* of the last setup; 0: there is none */
    struct manifest manifest; /* of that */
};

/* Opens and locks; makes the directories, mode 0700, if `make`. Without them and without `make` it
 * is an empty store. -1 and *e: another setup is running, not root, or it is damaged. */
int store_open(struct store *s, const char *state, const char *directory, bool make, struct err *e);
void store_close(struct store *s);

/*
 * Writes down what is about to be done: manifest and copies, on the disk when it
 * returns. Goes on with the last setup if every file is as that left it (or half left it), else
 * begins a new one. `makes` has files with `before` and mode of now; `reverse`: text for people.
 */
int store_begin(struct store *s, const struct manifest *makes, struct str reverse, struct err *e);

/* Writes the manifest as it is in *s. */
int store_save(struct store *s, struct err *e);

/* Writes down that a directory is about to be made, to be removed again by undo. */
int store_made(struct store *s, const char *path, struct err *e);

/* The copy of a file as it was. */
int store_copy(const struct store *s, const struct manifest_file *f, struct arena *arena,
               struct file_image *ret, struct err *e);

/* The text of "reverse"; empty: none. */
struct str store_reverse(const struct store *s, struct arena *arena);

/* Forgets the last setup. */
int store_forget(struct store *s, struct err *e);

#endif
