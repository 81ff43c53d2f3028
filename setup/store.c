/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NUMBERS_MAX = 1000 };

static const struct file_image private = {.there = true, .mode = 0600};

/* ---- names --------------------------------------------------------------------------- */

/* As systemd-escape does it: "/etc/postfix" is "etc-postfix", and no two paths are alike. */
static void escape(const char *path, char *to, size_t size)
{
    struct buf b = {to, 0, size, false};
    while (*path == '/')
        path++;
    for (; *path; path++)
        if (*path == '/')
            buf_char(&b, '-');
        else if (*path == '-' || *path == '\\' || (unsigned char)*path <= ' ')
            buf_printf(&b, "\\x%02x", (unsigned char)*path);
        else
            buf_char(&b, *path);
    buf_cstr(&b);
}

static void path_in(const struct store *s, const char *name, char ret[700])
{
    snprintf(ret, 700, "%.590s/%u/%s", s->path, s->number, name);
}

/* The whole path; what is above the last two may be looked into by everybody, as /var/lib is. */
static int make_directories(const char *path, struct err *e)
{
    char part[600];
    for (const char *at = strchr(path + 1, '/');; at = strchr(at + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", at ? (int)(at - path) : (int)strlen(path), path);
        bool ours = !at || !strchr(at + 1, '/');
        if (mkdir(part, ours ? 0700 : 0755) < 0 && errno != EEXIST)
            return err_set(e, "%s: %s", part, strerror(errno));
        if (!at)
            return 0;
    }
}

/* ---- opening --------------------------------------------------------------------------- */

static int load_manifest(struct store *s, struct err *e)
{
    char path[700];
    struct arena arena = {0};
    struct file_image image;
    struct err why;
    path_in(s, "manifest", path);
    int failed = file_load(path, &arena, &image, e);
    if (!failed && manifest_parse(image.text, &s->manifest, &why) < 0)
        failed = err_set(e, "%s is damaged: %s", path, why.text);
    arena_free(&arena);
    return failed;
}

int store_open(struct store *s, const char *state, const char *directory, bool make, struct err *e)
{
    char name[400], lock[700];
    *s = (struct store){.lock = -1};
    escape(directory, name, sizeof name);
    if (snprintf(s->path, sizeof s->path, "%s/%s", state, name) >= 580)
        return err_set(e, "%s: the path is too long", state);
    if (make && make_directories(s->path, e) < 0)
        return -1;
    snprintf(lock, sizeof lock, "%.590s/lock", s->path);
    s->lock = open(lock, O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
    if (s->lock < 0)
        return errno == ENOENT && !make ? 0 : err_set(e, "%s: %s", lock, strerror(errno));
    if (flock(s->lock, LOCK_EX | LOCK_NB) < 0)
        return err_set(e, "%s: another setup is at work; wait for it", lock);
    for (unsigned n = 1; n < NUMBERS_MAX; n++) {
        char path[700];
        snprintf(path, sizeof path, "%.590s/%u/manifest", s->path, n);
        if (access(path, F_OK) == 0)
            s->number = n;
    }
    return s->number ? load_manifest(s, e) : 0;
}

void store_close(struct store *s)
{
    if (s->lock >= 0)
        close(s->lock);
    s->lock = -1;
}

/* ---- beginning ---------------------------------------------------------------------------- */

/* Is every file that is to be changed as the last setup left it, or on its way there? */
static bool goes_on(struct store *s, const struct manifest *makes)
{
    for (unsigned i = 0; i < makes->file_count; i++) {
        const struct manifest_file *f = manifest_file(&s->manifest, makes->files[i].path);
        if (!f || !manifest_knows(f, makes->files[i].before))
            return false;
        if (s->manifest.done && strcmp(f->sums[f->sum_count - 1], makes->files[i].before) != 0)
            return false;
    }
    return s->number > 0;
}

static int save_text(const struct store *s, const char *name, struct str text, struct err *e)
{
    char path[700];
    struct file_image image = file_of(text, &private);
    path_in(s, name, path);
    image.uid = geteuid(), image.gid = getegid();
    return file_store(path, &image, e);
}

int store_save(struct store *s, struct err *e)
{
    char *text = malloc(MANIFEST_LARGEST);
    struct buf b = {text, 0, text ? MANIFEST_LARGEST : 0, false};
    manifest_format(&b, &s->manifest);
    int failed = b.full ? err_set(e, "%s: the manifest is too large", s->path)
                        : save_text(s, "manifest", buf_view(&b), e);
    free(text);
    return failed;
}

int store_made(struct store *s, const char *path, struct err *e)
{
    struct manifest *m = &s->manifest;
    for (unsigned i = 0; i < m->made_count; i++)
        if (strcmp(m->made[i], path) == 0)
            return 0;
    if (m->made_count == MANIFEST_MADE || strlen(path) >= MANIFEST_PATH)
        return err_set(e, "%.100s: no room for it in the manifest", path);
    snprintf(m->made[m->made_count++], MANIFEST_PATH, "%s", path);
    return store_save(s, e);
}

static int copy_files(struct store *s, struct err *e)
{
    for (unsigned i = 0; i < s->manifest.file_count; i++) {
        struct arena arena = {0};
        struct file_image image;
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        int failed = file_load(s->manifest.files[i].path, &arena, &image, e);
        if (!failed && strcmp(image.sum, s->manifest.files[i].before) != 0)
            failed = err_set(e, "%s was changed while we looked at it", s->manifest.files[i].path);
        if (!failed && image.there)
            failed = save_text(s, name, image.text, e);
        arena_free(&arena);
        if (failed)
            return -1;
    }
    return 0;
}

/* At the end of what is made of a file; where it was before, it moves. */
static void add_sum(struct manifest_file *f, const char sum[FILE_SUM])
{
    unsigned n = 0;
    for (unsigned i = 0; i < f->sum_count; i++)
        if (strcmp(f->sums[i], sum) != 0)
            memmove(f->sums[n++], f->sums[i], FILE_SUM);
    if (n < MANIFEST_SUMS)
        snprintf(f->sums[n++], FILE_SUM, "%s", sum);
    f->sum_count = n;
}

int store_begin(struct store *s, const struct manifest *makes, struct str reverse, struct err *e)
{
    char path[700];
    if (goes_on(s, makes)) {
        for (unsigned i = 0; i < makes->file_count; i++) {
            struct manifest_file *f = manifest_file(&s->manifest, makes->files[i].path);
            const struct manifest_file *new = &makes->files[i];
            if (f->sum_count + new->sum_count > MANIFEST_SUMS) /* the older ones are history */
                f->sum_count = 0;
            add_sum(f, new->before);
            for (unsigned k = 0; k < new->sum_count; k++)
                add_sum(f, new->sums[k]);
        }
        s->manifest.done = false;
        struct arena arena = {0};
        struct str old = store_reverse(s, &arena);
        char *both = arena_alloc(&arena, old.n + reverse.n + 1);
        if (both) { /* the newest first, as they are to be run */
            memcpy(both, reverse.p, reverse.n);
            memcpy(both + reverse.n, old.p ? old.p : "", old.n);
        }
        int failed = both ? save_text(s, "reverse", (struct str){both, old.n + reverse.n}, e)
                          : err_set(e, "memory ended");
        arena_free(&arena);
        return failed ? -1 : store_save(s, e);
    }
    s->number++;
    s->manifest = *makes;
    snprintf(path, sizeof path, "%.590s/%u", s->path, s->number);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_set(e, "%s: %s", path, strerror(errno));
    return copy_files(s, e) < 0 || save_text(s, "reverse", reverse, e) < 0 ? -1 : store_save(s, e);
}

/* ---- reading back ------------------------------------------------------------------------------
 */

int store_copy(const struct store *s, const struct manifest_file *f, struct arena *arena,
               struct file_image *ret, struct err *e)
{
    char path[700], name[16];
    *ret = (struct file_image){.sum = "-"};
    if (strcmp(f->before, "-") == 0)
        return 0;
    snprintf(name, sizeof name, "%u", (unsigned)(f - s->manifest.files));
    path_in(s, name, path);
    if (file_load(path, arena, ret, e) < 0)
        return -1;
    if (strcmp(ret->sum, f->before) != 0)
        return err_set(e, "%s is not what the manifest says: the copy is damaged", path);
    ret->mode = f->mode, ret->uid = f->uid, ret->gid = f->gid;
    return 0;
}

struct str store_reverse(const struct store *s, struct arena *arena)
{
    char path[700];
    struct file_image image;
    path_in(s, "reverse", path);
    return file_load(path, arena, &image, NULL) < 0 ? (struct str){NULL, 0} : image.text;
}

int store_forget(struct store *s, struct err *e)
{
    static const char *const names[] = {"manifest", "reverse", "0", "1", "2", "3"};
    char path[700];
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        path_in(s, names[i], path);
        if (unlink(path) < 0 && errno != ENOENT)
            return err_set(e, "%s: %s", path, strerror(errno));
    }
    snprintf(path, sizeof path, "%.590s/%u", s->path, s->number);
    rmdir(path);
    return 0;
}
