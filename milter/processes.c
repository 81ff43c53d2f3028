/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/processes.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "edge/daemon.h"
#include "edge/log.h"
#include "edge/sock.h"

static int ready_fd = -1;
static pid_t parent;

struct family {
    pid_t pid[SOCKETS_MAX];
    unsigned count, living;
    bool ending;
    int code; /* of the first that did not end well */
};

static void tell_all(const struct family *f, int signal_number)
{
    for (unsigned i = 0; i < f->count; i++)
        if (f->pid[i] > 0)
            kill(f->pid[i], signal_number);
}

static void end_all(struct family *f)
{
    f->ending = true;
    tell_all(f, SIGTERM);
}

/* Some have ended, or one signal stood for several of them. */
static void reap(struct family *f)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        unsigned i = 0;
        while (i < f->count && f->pid[i] != pid)
            i++;
        if (i == f->count)
            continue;
        f->pid[i] = 0;
        f->living--;
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
        if (code && !f->code)
            f->code = code;
        if (f->ending)
            continue;
        log_error("the process of socket %u has ended (%s %d); the others are ended too", i + 1,
                  WIFEXITED(status) ? "exit code" : "signal",
                  WIFEXITED(status) ? code : WTERMSIG(status));
        if (!f->code)
            f->code = EX_SOFTWARE;
        end_all(f);
    }
}

/* One byte from each; fewer if one of them ended before. */
static bool all_ready(int fd, unsigned count)
{
    char byte;
    while (count) {
        ssize_t n = read(fd, &byte, 1);
        if (n == 0)
            return false;
        count -= n > 0;
    }
    return true;
}

static int look_after(struct family *f, int fd, const sigset_t *signals)
{
    if (all_ready(fd, f->count))
        sock_notify("READY=1");
    while (f->living) {
        switch (sigwaitinfo(signals, NULL)) {
        case SIGCHLD: reap(f); break;
        case SIGUSR1: tell_all(f, SIGUSR1); break;
        case SIGTERM:
        case SIGINT:
        case SIGHUP: end_all(f); break;
        default: break; /* EINTR */
        }
    }
    return f->code;
}

static void grow_up(const sigset_t *mask)
{
    unsetenv("NOTIFY_SOCKET"); /* systemd listens to the first process alone */
    sigprocmask(SIG_SETMASK, mask, NULL);
}

int processes_branch(struct daemon *d, unsigned count, unsigned *ret_which)
{
    *ret_which = 0;
    if (count <= 1)
        return -1;

    static const int numbers[] = {SIGCHLD, SIGUSR1, SIGTERM, SIGINT, SIGHUP};
    struct family f = {.count = count};
    struct err e;
    sigset_t signals, before;
    int pipe_fd[2];
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&signals, numbers[i]);
    signal(SIGUSR1, SIG_DFL); /* an ignored signal is not waited for */
    sigprocmask(SIG_BLOCK, &signals, &before);
    if (pipe(pipe_fd) != 0) {
        log_fatal("not started: pipe: %s", strerror(errno));
        return EX_OSERR;
    }
    parent = getpid();
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            close(pipe_fd[0]);
            ready_fd = pipe_fd[1];
            signal(SIGUSR1, SIG_IGN); /* as before */
            grow_up(&before);
            *ret_which = i;
            return -1;
        }
        if (pid < 0) {
            log_fatal("not started: fork: %s", strerror(errno));
            f.code = EX_OSERR;
            f.count = i;
            end_all(&f);
            break;
        }
        f.pid[i] = pid;
        f.living++;
    }
    close(pipe_fd[1]);
    if (daemon_become_user(d, &e) != 0) { /* they refuse for the same reason, and say so */
        f.code = EX_UNAVAILABLE;
        end_all(&f);
    }
    int code = look_after(&f, pipe_fd[0], &signals);
    close(pipe_fd[0]);
    return code;
}

void processes_ready(void)
{
    if (ready_fd < 0)
        return;
    /* Not sooner: to become another user undoes it. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        kill(getpid(), SIGTERM); /* it died before that */
    while (write(ready_fd, "", 1) < 0 && errno == EINTR)
        ;
    close(ready_fd);
    ready_fd = -1;
}
