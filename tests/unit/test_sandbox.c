/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody who has taken over a program could still do. Each attack is tried in a process that
 * entered the sandbox of a program, by the same function as the program, and once without, where it
 * must succeed: else its failure would say nothing. What is expected is written here by hand.
 */
#include "tests/unit/journal_help.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edge/log.h"
#include "edge/sandbox.h"

/* ---- the scene ----------------------------------------------------------------- */

/* Below `top`: each place a directory of its own, as on a real machine. */
static const char *const directories[] = {"etc",         "elsewhere",     "run", "journal",
                                          "journal/own", "journal/other", "real"};
static const char *const files[] = {
    "etc/mailreeve.yaml", "etc/exceptions",  "elsewhere/secret",   "run/own.sock",
    "journal/secret",     "journal/own/old", "journal/own/status", "journal/other/segment",
    "real/linked.yaml",   "real/beside"};

static struct {
    int tcp, abstract, syslog; /* of others, listening */
    struct sockaddr_in tcp_address;
    struct sockaddr_un abstract_address, syslog_address;
    socklen_t abstract_n;
    pid_t victim; /* another process of the same user, which waits */
} scene;

static const char *path_of(const char *name)
{
    static char path[4][512];
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", top, name);
    return p;
}

static void write_file(const char *name)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, "text\n", 5) == 5);
    close(fd);
}

static void make_sockets(void)
{
    socklen_t n = sizeof scene.tcp_address;
    scene.tcp_address = (struct sockaddr_in){.sin_family = AF_INET};
    scene.tcp_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    scene.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(scene.tcp, (void *)&scene.tcp_address, n), 0);
    assert_int_equal(listen(scene.tcp, 64), 0);
    assert_int_equal(getsockname(scene.tcp, (void *)&scene.tcp_address, &n), 0);

    scene.abstract_address.sun_family = scene.syslog_address.sun_family = AF_UNIX;
    int name_n =
        snprintf(scene.abstract_address.sun_path + 1, 64, "mailreeve-test-%ld", (long)getpid());
    scene.abstract_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)name_n);
    scene.abstract = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(scene.abstract, (void *)&scene.abstract_address, scene.abstract_n), 0);
    assert_int_equal(listen(scene.abstract, 64), 0);

    snprintf(scene.syslog_address.sun_path, sizeof scene.syslog_address.sun_path, "%s",
             path_of("elsewhere/log"));
    scene.syslog = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(scene.syslog, (void *)&scene.syslog_address, sizeof scene.syslog_address),
                     0);
}

static int set_the_scene(void **state)
{
    if (set_up(state) != 0)
        return -1;
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        assert_int_equal(mkdir(path_of(directories[i]), 0700), 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        write_file(files[i]);
    assert_int_equal(symlink(path_of("real/linked.yaml"), path_of("etc/linked.yaml")), 0);
    make_sockets();
    scene.victim = fork();
    if (scene.victim == 0)
        for (;;)
            pause();
    return scene.victim > 0 ? 0 : -1;
}

static int clear_the_scene(void **state)
{
    kill(scene.victim, SIGKILL);
    waitpid(scene.victim, NULL, 0);
    close(scene.tcp);
    close(scene.abstract);
    close(scene.syslog);
    return tear_down(state);
}

/* ---- attacks: 0, or an errno ------------------------------------------------------- */

static int result(int r)
{
    return r < 0 ? errno : 0;
}

static int open_it(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    int r = result(fd);
    if (fd >= 0)
        close(fd);
    return r;
}

enum { MAKE = O_WRONLY | O_CREAT | O_EXCL };

static int read_passwd(void)
{
    return open_it("/etc/passwd", O_RDONLY);
}
static int read_secret(void)
{
    return open_it(path_of("elsewhere/secret"), O_RDONLY);
}
static int list_root(void)
{
    return open_it("/", O_RDONLY | O_DIRECTORY);
}
static int list_configuration(void)
{
    return open_it(path_of("etc"), O_RDONLY | O_DIRECTORY);
}
static int read_configuration(void)
{
    return open_it(path_of("etc/mailreeve.yaml"), O_RDONLY);
}
static int read_exceptions(void)
{
    return open_it(path_of("etc/exceptions"), O_RDONLY);
}
static int read_linked(void)
{
    return open_it(path_of("etc/linked.yaml"), O_RDONLY);
}
static int write_configuration(void)
{
    return open_it(path_of("etc/mailreeve.yaml"), O_WRONLY);
}
static int make_configuration(void)
{
    return open_it(path_of("etc/new"), MAKE);
}
static int write_elsewhere(void)
{
    return open_it(path_of("elsewhere/new"), MAKE);
}
static int write_tmp(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/mailreeve-test-%ld", (long)getpid());
    int r = open_it(path, MAKE);
    unlink(path);
    return r;
}
static int read_hash_key(void)
{
    return open_it(path_of("journal/secret"), O_RDONLY);
}
static int write_journal(void)
{
    return open_it(path_of("journal/own/new"), MAKE);
}
static int truncate_journal(void)
{
    return open_it(path_of("journal/own/old"), O_WRONLY | O_TRUNC);
}
static int list_journal(void)
{
    return open_it(path_of("journal/own"), O_RDONLY | O_DIRECTORY);
}
static int prune_journal(void)
{
    return result(unlink(path_of("journal/own/old")));
}
static int replace_status(void)
{
    return result(rename(path_of("journal/own/old"), path_of("journal/own/status")));
}
static int read_journal(void)
{
    return open_it(path_of("journal/own/old"), O_RDONLY);
}
static int link_out(void)
{
    return result(link(path_of("journal/own/old"), path_of("elsewhere/linked")));
}
static int make_directory(void)
{
    return result(mkdir(path_of("journal/own/sub"), 0700));
}
static int make_fifo(void)
{
    return result(mkfifo(path_of("journal/own/fifo"), 0600));
}
static int make_symlink(void)
{
    return result(symlink("/etc/passwd", path_of("journal/own/link")));
}
static int write_other(void)
{
    return open_it(path_of("journal/other/new"), MAKE);
}
static int read_other(void)
{
    return open_it(path_of("journal/other/segment"), O_RDONLY);
}
static int prune_other(void)
{
    return result(unlink(path_of("journal/other/segment")));
}
static int remove_socket(void)
{
    return result(unlink(path_of("run/own.sock")));
}
static int replace_socket(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path_of("run/new.sock"));
    return result(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&un, sizeof un));
}
static int listen_tcp(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    return result(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&in, sizeof in));
}
static int connect_tcp(void)
{
    return result(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&scene.tcp_address,
                          sizeof scene.tcp_address));
}
static int connect_abstract(void)
{
    return result(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&scene.abstract_address,
                          scene.abstract_n));
}
static int connect_syslog(void)
{
    return result(connect(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&scene.syslog_address,
                          sizeof scene.syslog_address));
}
static int signal_other(void)
{
    return result(kill(scene.victim, SIGCONT));
}
static int signal_self(void)
{
    return result(kill(getpid(), SIGCONT));
}
static int trace_other(void)
{
    return result((int)ptrace(PTRACE_SEIZE, scene.victim, NULL, NULL));
}

/* A shell, or its errno. */
static int run_shell(void)
{
    int status = 0, fds[2];
    char why = 0;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return errno;
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", ":", (char *)NULL);
        why = (char)errno;
        _exit(write(fds[1], &why, 1) != 1);
    }
    close(fds[1]);
    waitpid(child, &status, 0);
    if (read(fds[0], &why, 1) != 1)
        why = status ? ECHILD : 0;
    close(fds[0]);
    return why;
}

static void *try_in_thread(void *ret)
{
    *(int *)ret = read_secret();
    return NULL;
}

static int later_thread(void)
{
    pthread_t thread;
    int r = -1;
    if (pthread_create(&thread, NULL, try_in_thread, &r) == 0)
        pthread_join(thread, NULL);
    return r;
}

/* ---- what is expected ----------------------------------------------------------------- */

enum {
    P = 1 << SANDBOX_POLICYD,
    M = 1 << SANDBOX_MILTER,
    F = 1 << SANDBOX_MILTER_PARENT,
    T = 1 << SANDBOX_TAP,
    G = 1 << SANDBOX_GATE,
    S = 1 << SANDBOX_GATE_SCRIBE,
    ALL = P | M | F | T | G | S,
    NOBODY = 0,
};

#define ATTACK(function) #function, function

static const struct {
    const char *name;
    int (*attack)(void);
    unsigned may;   /* who can do it all the same: it is his to do */
    unsigned since; /* the version of Landlock that can forbid it */
} attacks[] = {
    {ATTACK(read_passwd), NOBODY, 1},
    {ATTACK(read_secret), NOBODY, 1},
    {ATTACK(later_thread), NOBODY, 1},
    {ATTACK(list_root), NOBODY, 1},
    {ATTACK(list_configuration), NOBODY, 1},
    {ATTACK(read_configuration), P | M | T, 1},
    {ATTACK(read_exceptions), P | M | T, 1},
    {ATTACK(read_linked), P | M | T, 1},
    {ATTACK(write_configuration), NOBODY, 1},
    {ATTACK(make_configuration), NOBODY, 1},
    {ATTACK(write_elsewhere), NOBODY, 1},
    {ATTACK(write_tmp), NOBODY, 1},
    {ATTACK(read_hash_key), NOBODY, 1},
    {ATTACK(write_journal), P | M | T | S, 1},
    {ATTACK(truncate_journal), P | M | T | S, 1}, /* it is also writing */
    {ATTACK(list_journal), P | M | T | S, 1},
    {ATTACK(prune_journal), P | M | T | S, 1},
    {ATTACK(replace_status), P | M | T | S, 1},
    {ATTACK(read_journal), NOBODY, 1},
    {ATTACK(link_out), NOBODY, 1},
    {ATTACK(make_directory), NOBODY, 1},
    {ATTACK(make_fifo), NOBODY, 1},
    {ATTACK(make_symlink), NOBODY, 1},
    {ATTACK(write_other), NOBODY, 1},
    {ATTACK(read_other), NOBODY, 1},
    {ATTACK(prune_other), NOBODY, 1},
    {ATTACK(remove_socket), P | M | G, 1},
    {ATTACK(replace_socket), NOBODY, 1},
    {ATTACK(run_shell), NOBODY, 1},
    {ATTACK(trace_other), NOBODY, 1},
    {ATTACK(listen_tcp), NOBODY, 4},
    {ATTACK(connect_tcp), NOBODY, 4},
    {ATTACK(connect_abstract), NOBODY, 6},
    {ATTACK(signal_other), F, 6},
    {ATTACK(connect_syslog), ALL, 1},
    {ATTACK(signal_self), ALL, 1},
};
enum { ATTACKS = sizeof attacks / sizeof *attacks };

static const char *const role_of[SANDBOX_ROLES] = {[SANDBOX_POLICYD] = "policyd",
                                                   [SANDBOX_MILTER] = "milter",
                                                   [SANDBOX_MILTER_PARENT] = "milter parent",
                                                   [SANDBOX_TAP] = "tap",
                                                   [SANDBOX_GATE] = "gate",
                                                   [SANDBOX_GATE_SCRIBE] = "gate scribe"};

/* ---- trying ------------------------------------------------------------------------------ */

static unsigned kernel_has(void)
{
    long version = syscall(444, NULL, 0, 1);
    return version > 0 ? (unsigned)version : 0;
}

/* The sandbox as that role's program enters it; as on a kernel that has no more than `version`. */
static void enter(struct sandbox *s, enum sandbox_role role, unsigned version)
{
    struct sandbox_places p = {
        .read = {path_of("etc/mailreeve.yaml"), path_of("etc/linked.yaml")},
        .journal = open(path_of("journal/own"), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .removed = {path_of("run/own.sock")},
        .removed_count = 1,
    };
    sandbox_begin(s);
    if (s->landlock > version)
        s->landlock = version;
    sandbox_enter(s, role, &p);
    close(p.journal);
}

/* In a process of its own: 0, or the errno. `role` < 0: without a sandbox. */
static int outcome(size_t attack, int role, unsigned version)
{
    int status = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        write_file(files[i]); /* whatever the one before did to them */
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct sandbox s;
        if (role >= 0)
            enter(&s, (enum sandbox_role)role, version);
        _exit(role >= 0 && !s.landlock ? 255 : attacks[attack].attack());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    static const char *const made[] = {"etc/new",           "elsewhere/new",    "journal/own/new",
                                       "journal/own/fifo",  "journal/own/link", "elsewhere/linked",
                                       "journal/other/new", "run/new.sock"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        unlink(path_of(made[i]));
    rmdir(path_of("journal/own/sub"));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void need_landlock(void)
{
    if (kernel_has() == 0) {
        print_message("this kernel has no Landlock\n");
        skip();
    }
}

static void test_control(void **state)
{
    (void)state;
    for (size_t a = 0; a < ATTACKS; a++) {
        int r = outcome(a, -1, 0);
        if (r != 0)
            fail_msg("%s without a sandbox: %s; it proves nothing", attacks[a].name, strerror(r));
    }
}

static void try_all(unsigned version)
{
    for (int role = 0; role < SANDBOX_ROLES; role++) {
        for (size_t a = 0; a < ATTACKS; a++) {
            bool possible = attacks[a].may & 1u << role || version < attacks[a].since;
            int r = outcome(a, role, version);
            if (possible ? r != 0 : r != EACCES && r != EPERM && r != EXDEV)
                fail_msg("Landlock %u, %s: %s: %s", version, role_of[role], attacks[a].name,
                         r ? strerror(r) : "possible");
        }
    }
}

static void test_this_kernel(void **state)
{
    (void)state;
    need_landlock();
    print_message("Landlock %u\n", kernel_has());
    try_all(kernel_has());
}

/* The rules as an older kernel would be given them; what it cannot forbid stays possible. */
static void test_older_versions(void **state)
{
    (void)state;
    need_landlock();
    for (unsigned version = 1; version < 6 && version < kernel_has(); version++)
        try_all(version);
}

/* What people see of it is the kernel's version, also of one that is newer than we know. */
static void test_told(void **state)
{
    (void)state;
    need_landlock();
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct sandbox s;
        char expected[32];
        snprintf(expected, sizeof expected, "landlock %u", kernel_has());
        enter(&s, SANDBOX_TAP, 1000);
        _exit(strcmp(s.told, expected) != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- privileges --------------------------------------------------------------------------- */

/* A program that belongs to root and is set-user-id: who does it run as? */
static uid_t run_setuid_program(bool begin)
{
    char text[32] = "";
    int fds[2], status = 0;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        struct sandbox s;
        setenv(SANDBOX_VARIABLE, "off", 1); /* no_new_privs alone */
        if (begin)
            sandbox_begin(&s);
        if (dup2(fds[1], 1) == 1 && setresuid(65534, 65534, 65534) == 0)
            execl(path_of("id"), "id", "-u", (char *)NULL);
        _exit(1);
    }
    close(fds[1]);
    ssize_t n = read(fds[0], text, sizeof text - 1);
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(status == 0 && n > 0);
    return (uid_t)strtoul(text, NULL, 10);
}

static void copy_id(void)
{
    char piece[65536];
    int from = open("/usr/bin/id", O_RDONLY), to = open(path_of("id"), O_WRONLY | O_CREAT, 0755);
    ssize_t n;
    assert_true(from >= 0 && to >= 0);
    while ((n = read(from, piece, sizeof piece)) > 0)
        assert_int_equal(write(to, piece, (size_t)n), n);
    assert_int_equal(fchmod(to, 04755), 0);
    close(from);
    close(to);
    assert_int_equal(chmod(top, 0755), 0);
}

static void test_setuid_program(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can make such a program\n");
        skip();
    }
    copy_id();
    assert_int_equal(run_setuid_program(false), 0);
    assert_int_equal(run_setuid_program(true), 65534);
}

int main(void)
{
    log_open_socket("test_sandbox", "/nonexistent"); /* a line for each sandbox is too much */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_control, set_the_scene, clear_the_scene),
        cmocka_unit_test_setup_teardown(test_this_kernel, set_the_scene, clear_the_scene),
        cmocka_unit_test_setup_teardown(test_older_versions, set_the_scene, clear_the_scene),
        cmocka_unit_test_setup_teardown(test_told, set_the_scene, clear_the_scene),
        cmocka_unit_test_setup_teardown(test_setuid_program, set_the_scene, clear_the_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
