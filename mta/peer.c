/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/now.h"

/* An answer takes a millisecond; a daemon that is being reloaded, or a machine under load, longer.
 */
enum { PATIENCE_MS = 5000, PATH_LONGEST = 4096 };

/* Where it is: a path, or an address that was looked up outside the chroot. */
struct endpoint {
    char path[PATH_LONGEST]; /* "": inet */
    struct sockaddr_storage address;
    socklen_t length;
};

/* What the child found out. */
struct finding_out {
    enum peer_outcome outcome;
    int error;      /* errno */
    size_t stopped; /* PEER_DENIED, PEER_ABSENT: so much of the path is what it failed at */
    char step[24];  /* what failed, if it was none of the above: "chroot" */
};

static enum peer_outcome unknown(char why[256], const char *what, const char *detail)
{
    snprintf(why, 256, "%.120s: %.120s", what, detail);
    return PEER_UNKNOWN;
}

/* ---- endpoints ----------------------------------------------------------------- */

static bool takes_prefix(struct str *s, const char *prefix)
{
    size_t n = strlen(prefix);
    if (s->n < n || memcmp(s->p, prefix, n) != 0)
        return false;
    s->p += n, s->n -= n;
    return true;
}

/* "HOST:PORT", "[::1]:PORT" of Postfix, "PORT@HOST" of Sendmail. */
static bool split_inet(struct str text, char host[256], char port[32])
{
    const char *at = memchr(text.p, '@', text.n), *colon = memrchr(text.p, ':', text.n);
    const char *cut = at ? at : colon;
    if (!cut)
        return false;
    struct str left = {text.p, (size_t)(cut - text.p)},
               right = {cut + 1, text.n - (size_t)(cut + 1 - text.p)};
    struct str h = at ? right : left, p = at ? left : right;
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
        h.p++, h.n -= 2;
    if (h.n == 0 || p.n == 0 || h.n >= 256 || p.n >= 32)
        return false;
    snprintf(host, 256, "%.*s", STR_ARG(h));
    snprintf(port, 32, "%.*s", STR_ARG(p));
    return true;
}

static bool look_up(struct str text, struct endpoint *ret, char why[256])
{
    char host[256], port[32];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (!split_inet(text, host, port)) {
        unknown(why, "no host and port", text.n ? text.p : "nothing is there");
        return false;
    }
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed) {
        unknown(why, host, gai_strerror(failed));
        return false;
    }
    memcpy(&ret->address, found->ai_addr, found->ai_addrlen);
    ret->length = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static bool parse(const char *endpoint, struct endpoint *ret, char why[256])
{
    struct str rest = str_of(endpoint);
    *ret = (struct endpoint){0};
    if (takes_prefix(&rest, "inet6:") || takes_prefix(&rest, "inet:"))
        return look_up(rest, ret, why);
    if (!takes_prefix(&rest, "unix:"))
        takes_prefix(&rest, "local:");
    struct sockaddr_un *un = (void *)&ret->address;
    if (rest.n == 0 || rest.n >= sizeof un->sun_path) {
        unknown(why, endpoint, rest.n ? "longer than the path of a socket may be" : "no path");
        return false;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, rest.p, rest.n);
    memcpy(ret->path, rest.p, rest.n);
    ret->length = sizeof *un;
    return true;
}

/* ---- the child's side ------------------------------------------------------------ */

/* The first part of the path that is not to be had: not there, or not let in. 0: none of them. */
static size_t stopped_at(const char *path)
{
    char part[PATH_LONGEST];
    for (size_t n = 1; n <= strlen(path); n++) {
        if (path[n] != '/' && path[n] != '\0')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        if (access(part, path[n] ? X_OK : W_OK) < 0)
            return n;
    }
    return 0;
}

/* As smtpd does it: the groups of its user, then the root, then the user. */
static const char *become(const struct peer *p, const struct passwd *user)
{
    if (user && (setgid(user->pw_gid) < 0 || initgroups(user->pw_name, user->pw_gid) < 0))
        return "setgid";
    if (p->root && (chroot(p->root) < 0 || chdir("/") < 0))
        return "chroot";
    if (p->directory && chdir(p->directory) < 0)
        return "chdir";
    if (user && setuid(user->pw_uid) < 0)
        return "setuid";
    return NULL;
}

static const char request[] = "request=smtpd_access_policy\nprotocol_state=CONNECT\n"
                              "protocol_name=SMTP\nclient_address=unknown\nclient_name=unknown\n"
                              "instance=\nsasl_method=\nencryption_protocol=\n\n";

/* Puts the request, and reads until there is an action. The patience is the parent's. */
static void ask(int fd, struct finding_out *f)
{
    char answer[1024];
    size_t n = 0;
    ssize_t got;
    if (write(fd, request, sizeof request - 1) != sizeof request - 1) {
        *f = (struct finding_out){PEER_SILENT, errno, 0, ""};
        return;
    }
    while (n < sizeof answer && (got = read(fd, answer + n, sizeof answer - n)) > 0) {
        n += (size_t)got;
        if (memmem(answer, n, "\n\n", 2))
            break;
    }
    bool said = n >= 7 && memcmp(answer, "action=", 7) == 0;
    *f = (struct finding_out){said ? PEER_ANSWERS : PEER_SILENT, 0, 0, ""};
    if (!said)
        snprintf(f->step, sizeof f->step, "%s", n ? "it said something else" : "it hung up");
}

static enum peer_outcome outcome_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR: return PEER_ABSENT;
    case EACCES:
    case EPERM: return PEER_DENIED;
    case ECONNREFUSED: return PEER_REFUSED;
    case ETIMEDOUT: return PEER_SILENT;
    default: return PEER_UNKNOWN;
    }
}

static void find_out(const struct peer *p, const struct passwd *user, const struct endpoint *to,
                     bool asks, struct finding_out *f)
{
    const char *failed = become(p, user);
    int fd = failed ? -1 : socket(to->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        *f = (struct finding_out){PEER_UNKNOWN, errno, 0, ""};
        snprintf(f->step, sizeof f->step, "%s", failed ? failed : "socket");
        return;
    }
    if (connect(fd, (const struct sockaddr *)&to->address, to->length) < 0) {
        *f = (struct finding_out){outcome_of(errno), errno, 0, "connect"};
        f->stopped = *to->path ? stopped_at(to->path) : 0;
        return;
    }
    *f = (struct finding_out){PEER_ANSWERS, 0, 0, ""};
    if (asks)
        ask(fd, f);
}

/* ---- ours ------------------------------------------------------------------------- */

/* What the child reports; false: nothing within our patience, or it died. */
static bool report_of(int fd, struct finding_out *f)
{
    int64_t end_us = clock_us(CLOCK_MONOTONIC) + PATIENCE_MS * INT64_C(1000);
    struct pollfd p = {fd, POLLIN, 0};
    for (;;) {
        int64_t left_ms = (end_us - clock_us(CLOCK_MONOTONIC)) / 1000;
        int ready = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        return ready > 0 && read(fd, f, sizeof *f) == sizeof *f;
    }
}

/* "/var/spool/postfix/mailreeve" for people: as it is seen from outside the chroot. */
static void whole_path(const struct peer *p, const char *path, size_t n, char ret[PATH_LONGEST])
{
    bool relative = path[0] != '/';
    snprintf(ret, PATH_LONGEST, "%s%s%s%.*s", p->root ? p->root : "",
             relative && p->directory ? p->directory : "",
             relative && (p->directory || p->root) ? "/" : "", (int)n, path);
}

static void name_of_ids(const struct stat *st, char ret[64])
{
    struct passwd *user = getpwuid(st->st_uid);
    char owner[32];
    snprintf(owner, sizeof owner, "%ld", (long)st->st_uid);
    struct group *group = getgrgid(st->st_gid);
    char of[32];
    snprintf(of, sizeof of, "%ld", (long)st->st_gid);
    snprintf(ret, 64, "%.24s:%.24s", user ? user->pw_name : owner, group ? group->gr_name : of);
}

static void say_denied(const struct peer *p, const struct endpoint *to, const struct finding_out *f,
                       char why[256])
{
    char path[PATH_LONGEST], ids[64];
    struct stat st;
    const char *who = p->user ? p->user : "we";
    size_t n = f->stopped ? f->stopped : strlen(to->path);
    whole_path(p, to->path, n, path);
    if (f->stopped == 0 || stat(path, &st) < 0) {
        snprintf(why, 256,
                 "%.120s: %s, although no mode forbids it to %.32s; AppArmor or SELinux may", path,
                 strerror(f->error), who);
        return;
    }
    name_of_ids(&st, ids);
    snprintf(why, 256, "%s %.110s (mode %04o, %s) does not let %.24s %s",
             S_ISDIR(st.st_mode) ? "the directory" : "the socket", path,
             (unsigned)st.st_mode & 07777, ids, who, S_ISDIR(st.st_mode) ? "in" : "connect");
}

static void say(const struct peer *p, const struct endpoint *to, const char *endpoint,
                const struct finding_out *f, char why[256])
{
    char path[PATH_LONGEST];
    struct stat st;
    whole_path(p, to->path, f->stopped ? f->stopped : strlen(to->path), path);
    if (f->outcome == PEER_ANSWERS)
        why[0] = '\0';
    else if (f->outcome == PEER_DENIED && *to->path)
        say_denied(p, to, f, why);
    else if (f->outcome == PEER_ABSENT)
        snprintf(why, 256, "there is no %.200s", path);
    else if (f->outcome == PEER_REFUSED && *to->path && stat(path, &st) == 0 &&
             !S_ISSOCK(st.st_mode))
        snprintf(why, 256, "%.200s is no socket", path);
    else if (f->outcome == PEER_REFUSED)
        snprintf(why, 256, "nobody listens on %.200s", *to->path ? path : endpoint);
    else if (f->outcome == PEER_SILENT)
        snprintf(why, 256, "%.160s: %s", *to->path ? path : endpoint,
                 *f->step ? f->step : strerror(f->error));
    else
        snprintf(why, 256, "%.24s: %s%s", f->step, strerror(f->error),
                 f->error == EPERM && geteuid() != 0 ? "; only root can try it as another user"
                                                     : "");
}

static enum peer_outcome try(const struct peer *p, const char *endpoint, bool asks, char why[256])
{
    struct endpoint to;
    struct finding_out f = {PEER_SILENT, ETIMEDOUT, 0, ""};
    struct passwd *user = p->user ? getpwnam(p->user) : NULL;
    int ends[2];
    why[0] = '\0';
    if (p->user && !user)
        return unknown(why, p->user, "there is no such user");
    if (!parse(endpoint, &to, why))
        return PEER_UNKNOWN;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return unknown(why, "pipe", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        find_out(p, user, &to, asks, &f);
        _exit(write(ends[1], &f, sizeof f) != sizeof f);
    }
    close(ends[1]);
    if (pid < 0) {
        unknown(why, "fork", strerror(errno));
        f.outcome = PEER_UNKNOWN;
    } else {
        if (!report_of(ends[0], &f))
            snprintf(f.step, sizeof f.step, "no answer within %d s", PATIENCE_MS / 1000);
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        say(p, &to, endpoint, &f, why);
    }
    close(ends[0]);
    return f.outcome;
}

enum peer_outcome peer_connect(const struct peer *p, const char *endpoint, char why[256])
{
    return try(p, endpoint, false, why);
}

enum peer_outcome peer_ask_policyd(const struct peer *p, const char *endpoint, char why[256])
{
    return try(p, endpoint, true, why);
}
