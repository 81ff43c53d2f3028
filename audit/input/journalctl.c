/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/journalctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/input/entry.h"

extern char **environ;

static int spawn(struct journalctl *j, int to, char *const argv[])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, ended_by;
    sigemptyset(&none);
    sigemptyset(&ended_by);
    sigaddset(&ended_by, SIGTERM); /* also if we ignore them */
    sigaddset(&ended_by, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, j->told, STDERR_FILENO);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &ended_by);
    int failed = posix_spawnp(&j->pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

int journalctl_start(struct journalctl *j, const char *const args[], struct err *err)
{
    static const char *const always[] = {"journalctl", "--output=json", "--no-pager",
                                         ("--output-fields=" ENTRY_FIELDS)};
    enum { ALWAYS = sizeof always / sizeof *always };
    const char *argv[ALWAYS + JOURNALCTL_ARGS + 1] = {0};
    memcpy(argv, always, sizeof always);
    for (int i = 0; i < JOURNALCTL_ARGS && args[i]; i++)
        argv[ALWAYS + i] = args[i];

    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) < 0)
        return err_set(err, "journalctl cannot be run: %s", strerror(errno));
    j->out = pipe_ends[0];
    j->told = memfd_create("journalctl", MFD_CLOEXEC);
    int failed = j->told < 0 ? errno : spawn(j, pipe_ends[1], (char *const *)argv);
    close(pipe_ends[1]);
    if (failed == 0)
        return 0;
    close(j->out);
    if (j->told >= 0)
        close(j->told);
    if (failed == ENOENT)
        return err_set(err, "journalctl was not found; it is part of systemd");
    return err_set(err, "journalctl cannot be run: %s", strerror(failed));
}

/* Its last line says why; those before are hints. */
static int failure(int told, int status, struct err *err)
{
    char text[4096];
    off_t end = lseek(told, 0, SEEK_END);
    off_t from = end > (off_t)sizeof text ? end - (off_t)sizeof text : 0;
    ssize_t n = pread(told, text, sizeof text, from);
    struct str rest = {text, n > 0 ? (size_t)n : 0}, last = {NULL, 0};
    while (rest.p) {
        struct str line = str_cut(&rest, "\n");
        if (line.n)
            last = line;
    }
    for (size_t i = 0; i < last.n; i++)
        if ((unsigned char)last.p[i] < ' ' || last.p[i] == 0x7f)
            text[last.p + i - text] = '?';
    if (last.n)
        return err_set(err, "journalctl: %.*s", STR_ARG(last));
    if (WIFSIGNALED(status))
        return err_set(err, "journalctl was ended by signal %d", WTERMSIG(status));
    return err_set(err, "journalctl failed with status %d", WEXITSTATUS(status));
}

int journalctl_end(struct journalctl *j, bool stop, struct err *err)
{
    int status = 0;
    pid_t r;
    if (stop)
        kill(j->pid, SIGTERM);
    close(j->out);
    do
        r = waitpid(j->pid, &status, 0);
    while (r < 0 && errno == EINTR);
    int failed = stop || r < 0 || status == 0 ? 0 : failure(j->told, status, err);
    close(j->told);
    return failed;
}
