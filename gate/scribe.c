/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/scribe.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "core/now.h"
#include "edge/log.h"
#include "edge/process.h"
#include "gate/notes.h"

enum { TICK_S = 1, STOP_S = 7 };

struct scribe {
    struct notes notes; /* the thread's, once it runs */
    bool started;
    pthread_t thread;

    pthread_mutex_t lock; /* for everything below; held for copying only */
    pthread_cond_t wake, gone;
    bool stop, ended;
    unsigned first, count;
    uint64_t dropped; /* since the last that was told */
    struct attempt queue[SCRIBE_QUEUE];
};

struct scribe *scribe_new(const struct scribe_options *options)
{
    struct scribe *s = calloc(1, sizeof *s);
    pthread_condattr_t monotonic;
    if (!s || notes_open(&s->notes, options) != 0) {
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &monotonic);
    pthread_cond_init(&s->gone, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return s;
}

void scribe_open_now(struct scribe *s, uid_t owner, gid_t group)
{
    struct now now = clock_now();
    if (s)
        notes_try_journal(&s->notes, owner, group, &now);
}

/* ---- the thread ---------------------------------------------------------------- */

static struct timespec in_seconds(int s)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += s;
    return t;
}

/* Waits for a refusal, a tick or the end. True: *ret is a refusal. */
static bool next(struct scribe *s, struct attempt *ret, uint64_t *ret_dropped, bool *ret_stop)
{
    struct timespec until = in_seconds(TICK_S);
    pthread_mutex_lock(&s->lock);
    while (s->count == 0 && !s->stop)
        if (pthread_cond_timedwait(&s->wake, &s->lock, &until) == ETIMEDOUT)
            break;
    bool any = s->count > 0;
    if (any) {
        struct attempt *a = &s->queue[s->first];
        *ret = *a;
        explicit_bzero(a, sizeof *a);
        s->first = (s->first + 1) % SCRIBE_QUEUE;
        s->count--;
    }
    *ret_stop = s->stop && !any;
    *ret_dropped = s->dropped;
    s->dropped = 0;
    pthread_mutex_unlock(&s->lock);
    return any;
}

static void *write_down(void *arg)
{
    struct scribe *s = arg;
    int64_t tick_us = 0;
    bool stop = false;
    while (!stop) {
        struct attempt a;
        uint64_t dropped;
        struct now now = clock_now();
        if (now.mono_us >= tick_us) {
            tick_us = now.mono_us + TICK_S * US_PER_S;
            notes_try_journal(&s->notes, (uid_t)-1, (gid_t)-1, &now);
            notes_tick(&s->notes, &now);
        }
        bool any = next(s, &a, &dropped, &stop);
        now = clock_now();
        if (dropped)
            notes_dropped(&s->notes, dropped);
        if (any)
            notes_refused(&s->notes, &a, &now);
        explicit_bzero(&a, sizeof a);
    }
    notes_close(&s->notes);
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_cond_signal(&s->gone);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- the loop's side ----------------------------------------------------------- */

int scribe_start(struct scribe *s, struct err *e)
{
    int failed = process_thread(&s->thread, write_down, s);
    s->started = !failed;
    return failed ? err_set(e, "no thread to be had: %s", strerror(failed)) : 0;
}

void scribe_tell(struct scribe *s, const struct attempt *a)
{
    if (!s || !s->started)
        return;
    pthread_mutex_lock(&s->lock);
    if (s->count == SCRIBE_QUEUE) {
        s->dropped++;
    } else {
        s->queue[(s->first + s->count++) % SCRIBE_QUEUE] = *a;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
}

bool scribe_stop(struct scribe *s)
{
    if (!s)
        return true;
    bool ended = true;
    if (s->started) {
        struct timespec until = in_seconds(STOP_S);
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        pthread_cond_signal(&s->wake);
        while (!s->ended && pthread_cond_timedwait(&s->gone, &s->lock, &until) != ETIMEDOUT)
            ;
        ended = s->ended;
        pthread_mutex_unlock(&s->lock);
    }
    if (!ended) {
        log_error("the journal does not answer; what was not written is lost");
        return false;
    }
    if (s->started)
        pthread_join(s->thread, NULL);
    else
        notes_close(&s->notes);
    explicit_bzero(s->queue, sizeof s->queue);
    free(s);
    return true;
}
