/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, SYSTEMD_FIRST_FD = 3 };

static socklen_t unix_address(struct sockaddr_un *un, const char *path)
{
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(un->sun_path, sizeof un->sun_path, "%s", path);
    return sizeof *un;
}

/* Whether somebody listens there; he gets a connection that is closed at once. */
static bool answers(const char *path)
{
    struct sockaddr_un un;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool yes =
        fd >= 0 && (connect(fd, (void *)&un, unix_address(&un, path)) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return yes;
}

/* Removes a socket file that a dead process left; refuses if one answers. */
static int make_room(const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : err_set(e, "unix:%s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return err_set(e,
                       "unix:%s: there is a file of that name which is no socket; "
                       "remove it or choose another path",
                       path);
    if (answers(path))
        return err_set(e, "unix:%s: another process listens there; stop it first", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return err_set(e, "unix:%s: the old socket cannot be removed: %s", path, strerror(errno));
    return 0;
}

/* (uid_t)-1 and (gid_t)-1: as it came. */
static int give(const char *path, uid_t owner, gid_t gid, const char *group, struct err *e)
{
    if (*group) {
        struct group *g = getgrnam(group);
        if (!g)
            return err_set(e, "unix:%s: there is no group \"%s\"", path, group);
        gid = g->gr_gid;
    }
    if (chown(path, owner, gid) != 0)
        return err_set(e,
                       "unix:%s: cannot be given to group %s (%s); the daemon must be a "
                       "member of it",
                       path, *group ? group : "of the daemon", strerror(errno));
    if (chmod(path, 0660) != 0)
        return err_set(e, "unix:%s: %s", path, strerror(errno));
    return 0;
}

static int listen_unix(const struct socket_spec *spec, const char *group, struct err *e)
{
    struct sockaddr_un un;
    socklen_t len = unix_address(&un, spec->path);
    if (make_room(spec->path, e) != 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0177); /* nobody gets in before the group is right */
    bool bound = fd >= 0 && bind(fd, (void *)&un, len) == 0;
    int saved = errno;
    umask(old);
    if (!bound)
        err_set(e, "unix:%s: %s%s", spec->path, strerror(saved),
                saved == ENOENT ? "; the directory must exist (systemd: RuntimeDirectory=)" : "");
    else if (give(spec->path, (uid_t)-1, (gid_t)-1, group, e) != 0)
        unlink(spec->path);
    else if (listen(fd, BACKLOG) != 0)
        err_set(e, "unix:%s: %s", spec->path, strerror(errno));
    else
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int listen_inet(const struct socket_spec *spec, const char *name, struct err *e)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(spec->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(spec->port)};
    bool six = spec->addr.bits == 128;
    memcpy(&in.sin_addr, spec->addr.b, 4);
    memcpy(&in6.sin6_addr, spec->addr.b, 16);

    int on = 1,
        fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!six || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, six ? (void *)&in6 : (void *)&in, six ? sizeof in6 : sizeof in) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    err_set(e, "%s: %s%s", name, strerror(errno),
            errno == EADDRINUSE ? "; another process listens there" : "");
    if (fd >= 0)
        close(fd);
    return -1;
}

static void name_of(const struct socket_spec *spec, char *ret, size_t size)
{
    struct buf b = {ret, 0, size, false};
    buf_cstring(&b, spec->is_unix ? "unix:" : spec->addr.bits == 128 ? "inet:[" : "inet:");
    if (spec->is_unix) {
        buf_cstring(&b, spec->path);
    } else {
        addr_format(&b, &spec->addr);
        buf_cstring(&b, spec->addr.bits == 128 ? "]:" : ":");
        buf_u64(&b, spec->port);
    }
    buf_cstr(&b);
}

static int listen_on(const struct program_settings *settings, unsigned which, struct listening *ret,
                     struct err *e)
{
    const struct socket_spec *spec = &settings->listen[which];
    *ret = (struct listening){.fd = -1};
    name_of(spec, ret->name, sizeof ret->name);
    memcpy(ret->listener, spec->listener, sizeof ret->listener);
    ret->fd =
        spec->is_unix ? listen_unix(spec, settings->group, e) : listen_inet(spec, ret->name, e);
    return ret->fd < 0 ? -1 : 0;
}

int sock_prepare(const struct program_settings *settings, unsigned which, struct listening *ret,
                 struct err *e)
{
    if (listen_on(settings, which, ret, e) != 0)
        return -1;
    sock_close_all(ret, 1);
    ret->fd = -1;
    return 0;
}

int sock_settle(const struct program_settings *settings, unsigned which, uid_t owner, gid_t group,
                struct err *e)
{
    const struct socket_spec *spec = &settings->listen[which];
    return spec->is_unix ? give(spec->path, owner, group, settings->group, e) : 0;
}

int sock_listen_all(const struct program_settings *settings, struct listening *ret, struct err *e)
{
    for (unsigned i = 0; i < settings->listen_count; i++) {
        if (listen_on(settings, i, &ret[i], e) != 0) {
            sock_close_all(ret, (int)i);
            return -1;
        }
    }
    return (int)settings->listen_count;
}

int sock_from_systemd(struct listening *ret, struct err *e)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t n = 0, to = 0;
    if (!pid || !count || !str_to_u64(str_of(pid), INT32_MAX, &to) || (pid_t)to != getpid() ||
        !str_to_u64(str_of(count), INT32_MAX, &n))
        return 0;
    if (n > SOCKETS_MAX)
        return err_set(e, "systemd passed %d sockets; at most %d can be used", (int)n, SOCKETS_MAX);
    struct str rest = str_of(names);
    for (int i = 0; i < (int)n; i++) {
        struct str name = rest.p ? str_cut(&rest, ":") : (struct str){NULL, 0};
        int fd = SYSTEMD_FIRST_FD + i;
        ret[i] = (struct listening){.fd = fd};
        snprintf(ret[i].name, sizeof ret[i].name, "systemd:%.*s", STR_ARG(name));
        snprintf(ret[i].listener, sizeof ret[i].listener, "%.*s", STR_ARG(name));
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
            return err_set(e, "the socket that systemd passed as descriptor %d: %s", fd,
                           strerror(errno));
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return (int)n;
}

/* NULL: none that is ours. */
static const char *file_of(const struct listening *l)
{
    return strncmp(l->name, "unix:", 5) == 0 ? l->name + 5 : NULL;
}

unsigned sock_files(const struct listening *list, int count, const char **ret)
{
    unsigned n = 0;
    for (int i = 0; i < count; i++)
        if (file_of(&list[i]))
            ret[n++] = file_of(&list[i]);
    return n;
}

void sock_close_all(struct listening *list, int count)
{
    for (int i = 0; i < count; i++) {
        close(list[i].fd);
        if (file_of(&list[i]))
            unlink(file_of(&list[i]));
    }
}
