/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the clocks, for programs and edges, which pass the time on. Nothing in the core includes
 * this: there the time is an argument.
 */
#ifndef CORE_NOW_H
#define CORE_NOW_H

#include <time.h>

#include "core/clock.h"

static inline int64_t clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

static inline struct now clock_now(void)
{
    return (struct now){clock_us(CLOCK_REALTIME), clock_us(CLOCK_MONOTONIC)};
}

#endif
