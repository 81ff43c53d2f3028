/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/now.h"

enum { PATH_LONGEST = 4096 };

/* The path of a program into `ret`; false: there is none. */
static bool look_up(const char *name, char ret[PATH_LONGEST])
{
    const char *path = getenv("PATH");
    char folders[PATH_LONGEST];
    if (strchr(name, '/'))
        return snprintf(ret, PATH_LONGEST, "%s", name) < PATH_LONGEST && access(ret, X_OK) == 0;
    snprintf(folders, sizeof folders, "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
    struct str rest = str_of(folders);
    while (rest.p) {
        struct str folder = str_cut(&rest, ":");
        if (folder.n &&
            snprintf(ret, PATH_LONGEST, "%.*s/%s", STR_ARG(folder), name) < PATH_LONGEST &&
            access(ret, X_OK) == 0)
            return true;
    }
    return false;
}

bool child_exists(const char *name)
{
    char path[PATH_LONGEST];
    return look_up(name, path);
}

/* ---- the child's side -------------------------------------------------------- */

static void become(const char *path, const char *const argv[], const char *directory, int out,
                   int err)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 ||
        (directory && chdir(directory) < 0) || setenv("LC_ALL", "C", 1) < 0)
        _exit(127);
    execv(path, (char *const *)argv);
    _exit(127);
}

/* ---- ours --------------------------------------------------------------------- */

struct stream {
    int fd;
    char *text;
    size_t n, cap;
};

/* What there is to read. 0: goes on; 1: the end; -1: too much, or no memory. */
static int take(struct stream *s)
{
    if (s->n + 1 >= s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16384;
        char *grown = cap > CHILD_OUTPUT_MAX ? NULL : realloc(s->text, cap);
        if (!grown)
            return -1;
        s->text = grown, s->cap = cap;
    }
    ssize_t n = read(s->fd, s->text + s->n, s->cap - 1 - s->n);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : 1;
    s->n += (size_t)n;
    return n == 0;
}

/* Reads both to their ends. -1 and *e when it takes too long or is too much. */
static int collect(struct stream s[2], unsigned seconds, struct err *e)
{
    int64_t end_us = clock_us(CLOCK_MONOTONIC) + (int64_t)seconds * US_PER_S;
    struct pollfd p[2] = {{s[0].fd, POLLIN, 0}, {s[1].fd, POLLIN, 0}};
    while (p[0].fd >= 0 || p[1].fd >= 0) {
        int64_t left_us = end_us - clock_us(CLOCK_MONOTONIC);
        if (left_us <= 0)
            return err_set(e, "did not end within %u s", seconds);
        if (poll(p, 2, (int)(left_us / 1000) + 1) < 0 && errno != EINTR)
            return err_set(e, "poll: %s", strerror(errno));
        for (int i = 0; i < 2; i++) {
            int done = p[i].fd >= 0 && p[i].revents ? take(&s[i]) : 0;
            if (done < 0)
                return err_set(e, "says more than %d bytes", CHILD_OUTPUT_MAX);
            if (done)
                p[i].fd = -1;
        }
    }
    return 0;
}

static int finish(pid_t pid, const struct stream s[2], struct arena *arena,
                  struct child_result *ret, struct err *e)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set(e, "waitpid: %s", strerror(errno));
    if (!WIFEXITED(status))
        return err_set(e, "was ended by signal %d", WTERMSIG(status));
    struct str *texts[2] = {&ret->out, &ret->err};
    for (int i = 0; i < 2; i++) {
        struct str view = {s[i].text, s[i].n};
        char *copy = arena_strdup(arena, view);
        if (!copy)
            return err_set(e, "out of memory");
        *texts[i] = (struct str){copy, s[i].n};
    }
    ret->code = WEXITSTATUS(status);
    return 0;
}

int child_run(const char *const argv[], const char *directory, unsigned seconds,
              struct arena *arena, struct child_result *ret, struct err *e)
{
    char path[PATH_LONGEST];
    int out[2], err[2];
    struct err why;
    if (!look_up(argv[0], path))
        return err_set(e, "%s: there is no such program", argv[0]);
    if (pipe2(out, O_CLOEXEC) < 0)
        return err_set(e, "%s: pipe: %s", argv[0], strerror(errno));
    if (pipe2(err, O_CLOEXEC) < 0) {
        err_set(e, "%s: pipe: %s", argv[0], strerror(errno));
        close(out[0]), close(out[1]);
        return -1;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        become(path, argv, directory, out[1], err[1]);
    close(out[1]), close(err[1]);
    struct stream s[2] = {{.fd = out[0]}, {.fd = err[0]}};
    int failed = pid < 0 ? err_set(&why, "fork: %s", strerror(errno)) : collect(s, seconds, &why);
    if (failed && pid > 0)
        kill(pid, SIGKILL), waitpid(pid, NULL, 0);
    if (!failed)
        failed = finish(pid, s, arena, ret, &why);
    close(out[0]), close(err[0]);
    free(s[0].text), free(s[1].text);
    return failed ? err_set(e, "%s: %s", argv[0], why.text) : 0;
}
