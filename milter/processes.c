/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "edge/life.h"
#include "edge/log.h"

static pid_t parent; /* 0: we have none */

struct family {
    pid_t pid[SOCKETS_MAX];
    unsigned count, living;
    bool ending;
    int code;      /* of the first that did not end well */
    int pipe[2];   /* a byte from each when it is ready, and as a sign of life: its number */
    unsigned seen; /* a bit for each that was heard of since all were */
    bool ready;
    struct notify *notify;
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

/* ---- what the manager hears --------------------------------------------------- */

static void all_seen(struct family *f)
{
    char text[NOTIFY_TEXT_MAX];
    struct buf b = BUF(text);
    f->seen = 0;
    notify_alive(f->notify);
    if (f->ready || f->ending)
        return;
    f->ready = true;
    buf_printf(&b, "%u sockets, each with a process of its own; see mailreeve status", f->count);
    notify_status(f->notify, buf_cstr(&b));
    notify_ready(f->notify);
}

static void hear(struct family *f)
{
    unsigned char numbers[256];
    ssize_t n = read(f->pipe[0], numbers, sizeof numbers);
    for (ssize_t i = 0; i < n; i++) {
        if (numbers[i] < f->count)
            f->seen |= 1u << numbers[i];
        if (f->seen == (1u << f->count) - 1)
            all_seen(f);
    }
}

/* ---- the first process --------------------------------------------------------- */

static void take_signals(struct family *f, int signals)
{
    struct signalfd_siginfo s;
    while (read(signals, &s, sizeof s) == sizeof s) {
        switch (s.ssi_signo) {
        case SIGCHLD: reap(f); break;
        case SIGUSR1: tell_all(f, SIGUSR1); break;
        default:
            notify_stopping(f->notify);
            end_all(f);
            break;
        }
    }
}

/* -1: it cannot (errno). */
static int look_after(struct family *f, const sigset_t *set)
{
    int signals = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return -1;
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = f->pipe[0], .events = POLLIN}};
    while (f->living) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (fds[1].revents & POLLIN)
            hear(f);
        else if (fds[1].revents)
            fds[1].fd = -1; /* all have closed it: they are ending */
        take_signals(f, signals);
    }
    close(signals);
    return 0;
}

/* As the user, and with nothing but the signals for the others left. */
static int guard(struct life *l, struct family *f, const sigset_t *signals)
{
    static const struct sandbox_places nothing = {.journal = -1};
    struct err e;
    close(f->pipe[1]);
    if (daemon_become_user(&l->daemon, &e) != 0) { /* they refuse for the same reason, and say so */
        f->code = EX_UNAVAILABLE;
        end_all(f);
    }
    sandbox_enter(&l->sandbox, SANDBOX_MILTER_PARENT, &nothing);
    if (look_after(f, signals) != 0) {
        log_fatal("signalfd: %s", strerror(errno));
        f->code = EX_OSERR;
        end_all(f);
    }
    close(f->pipe[0]);
    return f->code;
}

/* ---- the others ------------------------------------------------------------------ */

static int grow_up(struct life *l, struct family *f, unsigned which, const sigset_t *mask)
{
    close(f->pipe[0]);
    notify_to_parent(&l->notify, f->pipe[1], (unsigned char)which);
    signal(SIGUSR1, SIG_IGN); /* as before */
    sigprocmask(SIG_SETMASK, mask, NULL);
    return -1;
}

int processes_branch(struct life *l, unsigned count, unsigned *ret_which)
{
    *ret_which = 0;
    if (count <= 1)
        return -1;

    static const int numbers[] = {SIGCHLD, SIGUSR1, SIGTERM, SIGINT, SIGHUP};
    struct family f = {.count = count, .notify = &l->notify};
    sigset_t signals, before;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&signals, numbers[i]);
    signal(SIGUSR1, SIG_DFL); /* an ignored signal is not waited for */
    sigprocmask(SIG_BLOCK, &signals, &before);
    if (pipe2(f.pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        log_fatal("not started: pipe: %s", strerror(errno));
        return EX_OSERR;
    }
    parent = getpid();
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            *ret_which = i;
            return grow_up(l, &f, i, &before);
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
    parent = 0;
    return guard(l, &f, &signals);
}

void processes_bind(void)
{
    if (!parent)
        return;
    /* Not sooner: to become another user undoes it. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        kill(getpid(), SIGTERM); /* it died before that */
}
