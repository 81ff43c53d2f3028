/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void sum_of(struct str text, char ret[FILE_SUM])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_Digest(text.p ? text.p : "", text.n, digest, &n, EVP_sha256(), NULL) != 1)
        n = 0;
    ret[0] = '\0';
    for (unsigned i = 0; i < n && i < 32; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

static ssize_t read_all(int fd, char *text, size_t size)
{
    size_t have = 0;
    ssize_t n;
    while (have < size && (n = read(fd, text + have, size - have)) != 0) {
        if (n < 0 && errno != EINTR)
            return -1;
        have += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)have;
}

int file_load(const char *path, struct arena *arena, struct file_image *ret, struct err *e)
{
    struct stat st;
    *ret = (struct file_image){.sum = "-"};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(e, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_size > FILE_LARGEST) {
        err_set(e, "%s is %s", path, S_ISREG(st.st_mode) ? "too large" : "no file");
    } else {
        size_t size = (size_t)st.st_size;
        char *text = arena_alloc(arena, size + 1);
        ssize_t n = text ? read_all(fd, text, size + 1) : -1;
        if (n == (ssize_t)size) {
            *ret = (struct file_image){.there = true,
                                       .text = {text, size},
                                       .uid = st.st_uid,
                                       .mode = st.st_mode & 07777,
                                       .gid = st.st_gid};
            sum_of(ret->text, ret->sum);
            close(fd);
            return 0;
        }
        err_set(e, "%s cannot be read, or is being changed", path);
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

struct file_image file_of(struct str text, const struct file_image *like)
{
    struct file_image image = {
        .there = true, .text = text, .mode = like->mode, .uid = like->uid, .gid = like->gid};
    sum_of(text, image.sum);
    return image;
}

/* So that a rename is on the disk. */
static void flush_directory(const char *path)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof directory, "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash)
        slash[slash == directory] = '\0';
    int fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static bool write_all(int fd, struct str text)
{
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            text.p += n, text.n -= (size_t)n;
    }
    return true;
}

int file_store(const char *path, const struct file_image *image, struct err *e)
{
    char real[PATH_MAX], beside[PATH_MAX + 32];
    if (!realpath(path, real))
        snprintf(real, sizeof real, "%s", path);
    if (!image->there) {
        if (unlink(real) < 0 && errno != ENOENT)
            return err_set(e, "%s cannot be removed: %s", path, strerror(errno));
        flush_directory(real);
        return 0;
    }
    snprintf(beside, sizeof beside, "%s.mailreeve-setup", real);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = fd >= 0 && write_all(fd, image->text) && fchown(fd, image->uid, image->gid) == 0 &&
                fchmod(fd, image->mode) == 0 && fsync(fd) == 0;
    int failed = errno;
    if (fd >= 0)
        close(fd);
    if (good && rename(beside, real) == 0) {
        flush_directory(real);
        return 0;
    }
    failed = good ? errno : failed;
    if (fd >= 0)
        unlink(beside);
    return err_set(e, "%s cannot be written: %s", path, strerror(failed));
}
