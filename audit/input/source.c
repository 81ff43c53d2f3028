/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/source.h"

#include <errno.h>
#include <unistd.h>

int source_next(struct source *s, size_t least, struct err *err)
{
    s->n = 0;
    do {
        ssize_t n = read(s->fd, s->piece + s->n, sizeof s->piece - s->n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, "%s: cannot be read: %s", s->name, strerror(errno));
        if (n == 0)
            break;
        s->n += (size_t)n;
    } while (s->n < least);
    return 0;
}

int source_read_plain(struct source *s, struct lines *l, struct err *err)
{
    while (s->n && lines_feed(l, s->piece, s->n))
        if (source_next(s, 1, err) < 0)
            return -1;
    lines_end(l);
    return 0;
}
