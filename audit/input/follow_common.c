/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/follow_internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/now.h"

enum { DEFAULT_MS = 1000 };

static bool copy(const char **s)
{
    *s = *s ? strdup(*s) : NULL;
    return *s;
}

int follow_begin(struct follow *f, const struct follow_settings *s, const char *log,
                 struct checkpoint_state *ret, struct err *err)
{
    f->s = *s;
    f->needed = UINT64_MAX;
    memset(&f->written, 0xff, sizeof f->written); /* nothing yet */
    f->checkpoint.lock = -1;
    int *times[] = {&f->s.poll_ms, &f->s.quiet_ms, &f->s.checkpoint_ms};
    for (unsigned i = 0; i < 3; i++)
        if (!*times[i])
            *times[i] = DEFAULT_MS;
    bool path = copy(&f->s.path), checkpoint = copy(&f->s.checkpoint);
    if (path != !!s->path || checkpoint != !!s->checkpoint)
        return err_set(err, "there is not enough memory");
    stamps_init(&f->stamps, clock_us(CLOCK_REALTIME));
    return checkpoint ? checkpoint_open(&f->checkpoint, f->s.checkpoint, log, ret, err) : 0;
}

void follow_end(struct follow *f)
{
    if (f->checkpoint.path)
        checkpoint_close(&f->checkpoint);
    free((char *)f->s.path);
    free((char *)f->s.checkpoint);
    free(f);
}

bool follow_give(struct follow *f, const struct log_line *l, uint64_t position, bool again)
{
    return f->s.take(f->s.context, &(struct follow_line){l, position, again});
}

void follow_say(struct follow *f, const char *fmt, ...)
{
    char text[2 * PATH_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (f->s.note)
        f->s.note(f->s.context, text);
}

/* ---- the checkpoint -------------------------------------------------------------- */

void follow_write(struct follow *f)
{
    struct checkpoint_state state = {0};
    struct err err;
    if (!f->checkpoint.path)
        return;
    f->places(f, &state);
    if (memcmp(&state, &f->written, sizeof state) == 0)
        return;
    f->written_us = clock_us(CLOCK_MONOTONIC);
    bool failed = checkpoint_write(&f->checkpoint, &state, &err) < 0;
    if (!failed)
        f->written = state;
    if (failed && !f->failing)
        follow_say(f, "%s; reading goes on, and after a restart what was read since comes again",
                   err.text);
    else if (!failed && f->failing)
        follow_say(f, "the checkpoint %s is written again", f->checkpoint.path);
    f->failing = failed;
}

void follow_settle(struct follow *f)
{
    f->needed = f->s.idle ? f->s.idle(f->s.context) : UINT64_MAX;
    f->idle_us = clock_us(CLOCK_MONOTONIC);
    if (f->idle_us - f->written_us >= f->s.checkpoint_ms * INT64_C(1000))
        follow_write(f);
}

bool follow_settle_is_due(const struct follow *f)
{
    return clock_us(CLOCK_MONOTONIC) - f->idle_us >= f->s.checkpoint_ms * INT64_C(1000);
}

/* ---- either kind ----------------------------------------------------------------- */

int follow_wait(const int fds[2], int64_t timeout_us, bool ret_readable[2], struct err *err)
{
    struct pollfd p[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
    int64_t ms = timeout_us < 0 ? 0 : (timeout_us + 999) / 1000;
    if (poll(p, 2, ms < INT_MAX ? (int)ms : INT_MAX) < 0 && errno != EINTR)
        return err_set(err, "cannot wait for the log: %s", strerror(errno));
    for (int i = 0; i < 2; i++)
        ret_readable[i] = p[i].revents;
    return 0;
}

int follow_run(struct follow *f, int stop_fd, struct err *err)
{
    return f->run(f, stop_fd, err);
}

void follow_close(struct follow *f)
{
    if (!f)
        return;
    follow_write(f);
    f->free(f);
}
