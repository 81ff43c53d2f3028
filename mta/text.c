/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/text.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int text_read(const char *path, size_t max, struct arena *a, struct str *ret, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(e, "%s: %s", path, strerror(errno));
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = size < 0 || (size_t)size > max ? NULL : arena_alloc(a, (size_t)size + 1);
    size_t have = 0;
    ssize_t n = text ? 1 : 0;
    while (n > 0) {
        n = pread(fd, text + have, (size_t)size - have, (off_t)have);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            have += (size_t)n;
    }
    int error = errno;
    close(fd);
    if (size < 0 || n < 0)
        return err_set(e, "%s: %s", path, strerror(error));
    if (!text)
        return err_set(e, "%s: has more than %zu bytes, or there is no memory", path, max);
    *ret = (struct str){text, have};
    return 0;
}

/* One line of the text without its newline. */
static struct str physical(struct str *rest)
{
    const char *end = memchr(rest->p, '\n', rest->n);
    struct str line = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    size_t used = line.n + (end != NULL);
    rest->p += used, rest->n -= used;
    return line;
}

bool text_line(struct str *rest, unsigned *line_no, struct str *ret, unsigned *ret_line)
{
    if (rest->n == 0)
        return false;
    *ret = physical(rest);
    *ret_line = ++*line_no;
    while (rest->n && (rest->p[0] == ' ' || rest->p[0] == '\t')) {
        struct str more = physical(rest);
        ++*line_no;
        ret->n = (size_t)(more.p + more.n - ret->p);
    }
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str text_trim(struct str s)
{
    while (s.n && is_space(s.p[0]))
        s.p++, s.n--;
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

const char *text_string(struct arena *a, struct str s)
{
    const char *nul = s.n ? memchr(s.p, 0, s.n) : NULL;
    if (nul)
        s.n = (size_t)(nul - s.p);
    s = text_trim(s);
    return s.n ? arena_strdup(a, s) : "";
}
