/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a socket answer, as another user and from a chroot: real sockets with real modes. What needs
 * root is skipped without it, and expected.txt does not know such a skip.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/str.h"
#include "mta/peer.h"

static char top[] = "/tmp/mailreeve-peer.XXXXXX";
static char why[256];
static const struct peer root = {0};

static const char *in(const char *name)
{
    static char path[4][256];
    static unsigned turn;
    snprintf(path[turn % 4], sizeof path[0], "%s/%s", top, name);
    return path[turn++ % 4];
}

static const char *endpoint(const char *name)
{
    static char text[300];
    snprintf(text, sizeof text, "unix:%s", in(name));
    return text;
}

static int listening(const char *name, mode_t mode)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(un.sun_path, sizeof un.sun_path, "%s", in(name));
    unlink(un.sun_path);
    assert_int_equal(bind(fd, (void *)&un, sizeof un), 0);
    assert_int_equal(chmod(un.sun_path, mode), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

/* Accepts one, reads its request and says `answer`; the pid. */
static pid_t answering(int fd, const char *answer)
{
    pid_t pid = fork();
    if (pid == 0) {
        char heard[4096];
        size_t n = 0;
        int client = accept(fd, NULL, NULL);
        while (n < sizeof heard && !memmem(heard, n, "\n\n", 2)) {
            ssize_t got = read(client, heard + n, sizeof heard - n);
            if (got <= 0)
                _exit(1);
            n += (size_t)got;
        }
        _exit(write(client, answer, strlen(answer)) != (ssize_t)strlen(answer));
    }
    return pid;
}

static void ended(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_unix(void **state)
{
    (void)state;
    int fd = listening("a.sock", 0660);
    assert_int_equal(peer_connect(&root, endpoint("a.sock"), why), PEER_ANSWERS);
    assert_string_equal(why, "");
    char local[300];
    snprintf(local, sizeof local, "local:%s", in("a.sock"));
    assert_int_equal(peer_connect(&root, local, why), PEER_ANSWERS);
    assert_int_equal(peer_connect(&root, in("a.sock"), why), PEER_ANSWERS);
    close(fd);
    assert_int_equal(peer_connect(&root, endpoint("a.sock"), why), PEER_REFUSED);
    assert_non_null(strstr(why, "nobody listens on /tmp/mailreeve-peer."));
    unlink(in("a.sock"));
    assert_int_equal(peer_connect(&root, endpoint("a.sock"), why), PEER_ABSENT);
    assert_non_null(strstr(why, "there is no /tmp/"));
    assert_int_equal(peer_connect(&root, endpoint("no/such/a.sock"), why), PEER_ABSENT);
    assert_string_equal(why + strlen(why) - 3, "/no"); /* the directory, not the socket */
    fclose(fopen(in("file"), "w"));
    assert_int_equal(peer_connect(&root, endpoint("file"), why), PEER_REFUSED);
    assert_non_null(strstr(why, "is no socket"));
}

static void test_inet(void **state)
{
    (void)state;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof to;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (void *)&to, sizeof to), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (void *)&to, &n), 0);
    char postfix[64], sendmail[64];
    snprintf(postfix, sizeof postfix, "inet:127.0.0.1:%u", ntohs(to.sin_port));
    snprintf(sendmail, sizeof sendmail, "inet:%u@127.0.0.1", ntohs(to.sin_port));
    assert_int_equal(peer_connect(&root, postfix, why), PEER_ANSWERS);
    assert_int_equal(peer_connect(&root, sendmail, why), PEER_ANSWERS);
    close(fd);
    assert_int_equal(peer_connect(&root, postfix, why), PEER_REFUSED);
    assert_non_null(strstr(why, postfix));
    static const char *const bad[] = {
        "inet:", "inet:127.0.0.1", "inet::25", "inet:127.0.0.1:", "inet:@", "unix:", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(peer_connect(&root, bad[i], why), PEER_UNKNOWN);
        assert_true(*why);
    }
    char lengthy[400];
    memset(lengthy, 'x', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = '\0';
    assert_int_equal(peer_connect(&root, lengthy, why), PEER_UNKNOWN);
}

static void test_relative_and_chroot(void **state)
{
    (void)state;
    mkdir(in("spool"), 0755), mkdir(in("spool/m"), 0755);
    int fd = listening("spool/m/p.sock", 0660);
    struct peer from = {.directory = in("spool")};
    assert_int_equal(peer_connect(&from, "unix:m/p.sock", why), PEER_ANSWERS);
    from.directory = top;
    assert_int_equal(peer_connect(&from, "unix:m/p.sock", why), PEER_ABSENT);
    assert_non_null(strstr(why, top));
    if (geteuid() != 0)
        skip();
    from = (struct peer){.root = in("spool"), .directory = "/"};
    assert_int_equal(peer_connect(&from, "unix:m/p.sock", why), PEER_ANSWERS);
    assert_int_equal(peer_connect(&from, "unix:/m/p.sock", why), PEER_ANSWERS);
    assert_int_equal(peer_connect(&from, endpoint("spool/m/p.sock"), why), PEER_ABSENT);
    from = (struct peer){.root = in("spool"), .directory = "/m"};
    assert_int_equal(peer_connect(&from, "unix:p.sock", why), PEER_ANSWERS);
    from = (struct peer){.root = in("nowhere")};
    assert_int_equal(peer_connect(&from, "unix:p.sock", why), PEER_UNKNOWN);
    assert_non_null(strstr(why, "chroot: No such file"));
    close(fd);
}

static void test_denied(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct peer nobody = {.user = "nobody", .directory = top};
    mkdir(in("closed"), 0750);
    int fd = listening("closed/p.sock", 0666), other = listening("p.sock", 0660);
    assert_int_equal(peer_connect(&nobody, "unix:closed/p.sock", why), PEER_DENIED);
    assert_non_null(strstr(why, "the directory /tmp/"));
    assert_non_null(strstr(why, "/closed (mode 0750, root:root) does not let nobody in"));
    assert_int_equal(peer_connect(&nobody, "unix:p.sock", why), PEER_DENIED);
    assert_non_null(strstr(why, "the socket /tmp/"));
    assert_non_null(strstr(why, "/p.sock (mode 0660, root:root) does not let nobody connect"));
    assert_int_equal(chmod(in("closed"), 0751), 0);
    assert_int_equal(peer_connect(&nobody, "unix:closed/p.sock", why), PEER_ANSWERS);
    struct passwd *user = getpwnam("nobody"); /* by the group, as it is with Postfix */
    assert_int_equal(chmod(in("closed"), 0750), 0);
    assert_int_equal(chown(in("closed"), 0, user->pw_gid), 0);
    assert_int_equal(peer_connect(&nobody, "unix:closed/p.sock", why), PEER_ANSWERS);
    close(fd), close(other);
}

static void test_asking(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum peer_outcome outcome;
    } cases[] = {
        {"action=DUNNO\n\n", PEER_ANSWERS},
        {"action=450 4.7.1 later\n\n", PEER_ANSWERS},
        {"action = DUNNO\n\n", PEER_SILENT},
        {"", PEER_SILENT},
        {"220 mail.example.com ESMTP\r\n\n\n", PEER_SILENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = listening("q.sock", 0660);
        pid_t pid = answering(fd, cases[i].answer);
        close(fd);
        assert_int_equal(peer_ask_policyd(&root, endpoint("q.sock"), why), cases[i].outcome);
        ended(pid);
    }
}

static void test_silence(void **state)
{
    (void)state;
    int fd = listening("s.sock", 0660); /* never accepts: the kernel does, up to the backlog */
    assert_int_equal(peer_connect(&root, endpoint("s.sock"), why), PEER_ANSWERS);
    assert_int_equal(peer_ask_policyd(&root, endpoint("s.sock"), why), PEER_SILENT);
    assert_non_null(strstr(why, "no answer within 5 s"));
    close(fd);
}

/* In a child that has given up root: only another user is a problem, not oneself. */
static void test_not_root(void **state)
{
    (void)state;
    int fd = listening("n.sock", 0666);
    struct peer other = {.user = "daemon"};
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        bool good = (geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0)) &&
                    peer_connect(&root, endpoint("n.sock"), why) == PEER_ANSWERS &&
                    peer_connect(&other, endpoint("n.sock"), why) == PEER_UNKNOWN &&
                    strstr(why, "only root can try it as another user");
        _exit(good ? 0 : 1);
    }
    ended(pid);
    other.user = "no-such-user";
    assert_int_equal(peer_connect(&other, endpoint("n.sock"), why), PEER_UNKNOWN);
    assert_string_equal(why, "no-such-user: there is no such user");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unix),     cmocka_unit_test(test_inet),
        cmocka_unit_test(test_denied),   cmocka_unit_test(test_relative_and_chroot),
        cmocka_unit_test(test_asking),   cmocka_unit_test(test_silence),
        cmocka_unit_test(test_not_root),
    };
    if (!mkdtemp(top) || chmod(top, 0755) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    const char *argv[] = {"rm", "-r", top, NULL};
    if (fork() == 0)
        execvp("rm", (char **)argv), _exit(1);
    wait(NULL);
    return failed;
}
