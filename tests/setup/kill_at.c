/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into `mailreeve setup`: kills it with SIGKILL just before the KILL_AT-th of the calls
 * by which it changes something or has something changed. Its children are left alone.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>

static int left;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("KILL_AT");
    left = at ? atoi(at) : 0;
    unsetenv("LD_PRELOAD");
}

static void count(void)
{
    if (left && --left == 0)
        raise(SIGKILL);
}

#define COUNTED(type, name, parameters, arguments)                                                 \
    type name parameters;                                                                          \
    type name parameters                                                                           \
    {                                                                                              \
        type(*next) parameters;                                                                    \
        count();                                                                                   \
        *(void **)&next = dlsym(RTLD_NEXT, #name);                                                 \
        return next arguments;                                                                     \
    }

COUNTED(int, rename, (const char *a, const char *b), (a, b))
COUNTED(int, mkdir, (const char *a, mode_t b), (a, b))
COUNTED(int, unlink, (const char *a), (a))
COUNTED(int, rmdir, (const char *a), (a))
COUNTED(int, chown, (const char *a, uid_t b, gid_t c), (a, b, c))
COUNTED(int, chmod, (const char *a, mode_t b), (a, b))
COUNTED(pid_t, fork, (void), ())
COUNTED(int, kill, (pid_t a, int b), (a, b))
