/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edge/log.h"

/*
 * The kernel's interface, by linux/landlock.h: not included, because that of the machine we are
 * built on (Debian 12's knows version 2) says nothing about the one we run on.
 */
enum {
    CREATE_RULESET = 444, /* as on every architecture that Debian has */
    ADD_RULE = 445,
    RESTRICT_SELF = 446,
    ASK_VERSION = 1,
    RULE_PATH_BENEATH = 1,
};

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_REG = 1 << 8,
    FS_TRUNCATE = 1 << 14,
    NET_BIND_TCP = 1 << 0,
    NET_CONNECT_TCP = 1 << 1,
    SCOPE_ABSTRACT_UNIX = 1 << 0,
    SCOPE_SIGNAL = 1 << 1,
};

struct ruleset {
    uint64_t fs, net, scoped;
};

struct path_beneath {
    uint64_t allowed;
    int32_t directory;
} __attribute__((packed));

/* What a version can forbid; each can all of the one before. */
static const struct ruleset versions[] = {
    {(1 << 13) - 1, 0, 0}, /* version 1: Linux 5.13 */
    {(1 << 14) - 1, 0, 0}, /* 2: renaming between directories, 5.19 */
    {(1 << 15) - 1, 0, 0}, /* 3: truncating, 6.2 */
    {(1 << 15) - 1, NET_BIND_TCP | NET_CONNECT_TCP, 0},
    {(1 << 16) - 1, NET_BIND_TCP | NET_CONNECT_TCP, 0}, /* 5: ioctl of devices, 6.10 */
    {(1 << 16) - 1, NET_BIND_TCP | NET_CONNECT_TCP, SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL},
};
enum { VERSIONS = sizeof versions / sizeof *versions };

/* ---- what each program may ------------------------------------------------ */

enum {
    /* Its configuration and exceptions: what a reload reads again. */
    READ_AGAIN = 1 << 0,
    /* Segments, the status file and the old ones' end, in its own directory. */
    WRITE_JOURNAL = 1 << 1,
    /* Its sockets' files, at the end. */
    REMOVE_SOCKETS = 1 << 2,
    /* SIGTERM and SIGUSR1 for the processes it started; they have a sandbox of their own. */
    SIGNAL_OTHERS = 1 << 3,
};

/* What is in no row nobody may: start a program, listen on TCP, connect to it. Connections that
 * come in, the log and the service manager need no row: they are open, or unix sockets with a
 * path, which Landlock leaves alone. */
static const struct {
    unsigned may;
    const char *who; /* behind "sandbox", where a program has several */
} rows[SANDBOX_ROLES] = {
    [SANDBOX_POLICYD] = {READ_AGAIN | WRITE_JOURNAL | REMOVE_SOCKETS, ""},
    [SANDBOX_MILTER] = {READ_AGAIN | WRITE_JOURNAL | REMOVE_SOCKETS, ""},
    [SANDBOX_MILTER_PARENT] = {SIGNAL_OTHERS, " of the first process"},
    [SANDBOX_TAP] = {READ_AGAIN | WRITE_JOURNAL, ""},
    [SANDBOX_GATE] = {REMOVE_SOCKETS, ""},
    [SANDBOX_GATE_SCRIBE] = {WRITE_JOURNAL, " of the journal"},
};

enum {
    JOURNAL_RIGHTS = FS_READ_DIR | FS_WRITE_FILE | FS_MAKE_REG | FS_REMOVE_FILE | FS_TRUNCATE,
};

/* ---- what came of it -------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) tell(struct sandbox *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->told, sizeof s->told, fmt, ap);
    va_end(ap);
}

/* Not to be had; that is nobody's mistake. */
static void none(struct sandbox *s, const char *why)
{
    s->landlock = 0;
    tell(s, "none: %s", why);
    log_info("sandbox: %s", s->told);
}

/* Should have been there. */
static void failed(struct sandbox *s, const char *what, const char *why)
{
    s->landlock = 0;
    tell(s, "none: %s: %s", what, why);
    log_warn("sandbox: %s; going on without it", s->told);
}

/* ---- what there is ------------------------------------------------------------ */

static bool switched_off(void)
{
    const char *value = getenv(SANDBOX_VARIABLE);
    if (!value || !*value || strcmp(value, "on") == 0)
        return false;
    if (strcmp(value, "off") == 0)
        return true;
    log_warn("sandbox: %s is \"on\" or \"off\", not \"%s\"; taken as on", SANDBOX_VARIABLE, value);
    return false;
}

/* Each call once, in vain: they all fail, unless a filter ends us. */
static void try_calls(void)
{
    syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
    syscall(ADD_RULE, -1, RULE_PATH_BENEATH, NULL, 0);
    syscall(RESTRICT_SELF, -1, 0);
}

/*
 * A unit file from before there was this sandbox allows @system-service, which has none of these
 * calls, and ends whoever makes one: a mail service that is updated under it would not start. So a
 * child goes first. True: it is alive; else *ret_why.
 */
static bool calls_are_harmless(const char **ret_why)
{
    int status = 0;
    void (*before)(int) = signal(SIGCHLD, SIG_DFL); /* else there may be nobody to wait for */
    pid_t child = fork();
    if (child == 0) {
        try_calls();
        _exit(0);
    }
    pid_t ended;
    while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR && child > 0)
        ;
    signal(SIGCHLD, before);
    if (child < 0 || ended != child) {
        *ret_why = "no child process to try it";
        return false;
    }
    *ret_why = "a filter of system calls forbids it; the unit file may be an old one";
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void sandbox_begin(struct sandbox *s)
{
    const char *why = "";
    *s = (struct sandbox){0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) { /* since Linux 3.5 */
        failed(s, "no_new_privs", strerror(errno));
        return;
    }
    if (switched_off()) {
        failed(s, "switched off", SANDBOX_VARIABLE "=off");
        return;
    }
    if (!calls_are_harmless(&why)) {
        failed(s, "Landlock", why);
        return;
    }
    long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
    if (version > 0)
        s->landlock = version < INT_MAX ? (unsigned)version : INT_MAX;
    else if (errno == ENOSYS)
        none(s, "kernel has no Landlock");
    else if (errno == EOPNOTSUPP)
        none(s, "the kernel's Landlock is not switched on (lsm=)");
    else
        failed(s, "Landlock", strerror(errno));
}

/* ---- giving up ------------------------------------------------------------------ */

static int allow(int ruleset, const struct ruleset *can, int directory, uint64_t rights)
{
    struct path_beneath rule = {rights & can->fs, directory};
    return (int)syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0);
}

/* In the directory of that file. One that is not there, any more or yet, is nothing to lose. */
static int allow_beside(int ruleset, const struct ruleset *can, const char *file, uint64_t rights)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(file, '/');
    int n = slash ? (int)(slash - file) + 1 : 0;
    if (snprintf(directory, sizeof directory, "%.*s", n, file) >= (int)sizeof directory)
        return 0;
    int fd = open(n ? directory : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int result = allow(ruleset, can, fd, rights);
    int why = errno;
    close(fd);
    errno = why;
    return result;
}

/* Where it is, and where it really is: the kernel asks for the latter. */
static int allow_reading(int ruleset, const struct ruleset *can, const char *file)
{
    char real[PATH_MAX];
    if (allow_beside(ruleset, can, file, FS_READ_FILE) != 0)
        return -1;
    return realpath(file, real) ? allow_beside(ruleset, can, real, FS_READ_FILE) : 0;
}

/* Sanitizers look for leaks by way of /proc, and for names, to suppress what is known, in programs.
 */
static int allow_sanitizer(int ruleset, const struct ruleset *can)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    if (allow_beside(ruleset, can, "/proc/x", FS_READ_FILE | FS_READ_DIR) != 0 ||
        allow_reading(ruleset, can, "/proc/self/exe") != 0)
        return -1;
    return allow_beside(ruleset, can, "/usr/lib/x", FS_READ_FILE);
#else
    (void)ruleset;
    (void)can;
    return 0;
#endif
}

static int add_rules(int ruleset, const struct ruleset *can, unsigned may,
                     const struct sandbox_places *p)
{
    if (may & READ_AGAIN)
        for (size_t i = 0; i < sizeof p->read / sizeof *p->read; i++)
            if (p->read[i] && allow_reading(ruleset, can, p->read[i]) != 0)
                return -1;
    if (may & WRITE_JOURNAL && p->journal >= 0 &&
        allow(ruleset, can, p->journal, JOURNAL_RIGHTS) != 0)
        return -1;
    if (may & REMOVE_SOCKETS)
        for (unsigned i = 0; i < p->removed_count; i++)
            if (allow_beside(ruleset, can, p->removed[i], FS_REMOVE_FILE) != 0)
                return -1;
    return allow_sanitizer(ruleset, can);
}

void sandbox_enter(struct sandbox *s, enum sandbox_role role, const struct sandbox_places *places)
{
    if (!s->landlock)
        return;
    struct ruleset can = versions[(s->landlock < VERSIONS ? s->landlock : VERSIONS) - 1];
    if (rows[role].may & SIGNAL_OTHERS)
        can.scoped &= ~(uint64_t)SCOPE_SIGNAL;
    /* A kernel takes a longer one than its own if the rest is 0. */
    int ruleset = (int)syscall(CREATE_RULESET, &can, sizeof can, 0);
    if (ruleset < 0) {
        failed(s, "Landlock", strerror(errno));
        return;
    }
    if (add_rules(ruleset, &can, rows[role].may, places) != 0)
        failed(s, "Landlock's rules", strerror(errno));
    else if (syscall(RESTRICT_SELF, ruleset, 0) != 0)
        failed(s, "Landlock's restriction", strerror(errno));
    else
        tell(s, "landlock %u", s->landlock);
    close(ruleset);
    if (s->landlock)
        log_info("sandbox%s: %s", rows[role].who, s->told);
}
