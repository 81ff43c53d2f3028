/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/process.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int process_look_up(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
    *ret_uid = geteuid();
    *ret_gid = getegid();
    if (!user)
        return 0;
    struct passwd *pw = getpwnam(user);
    if (!pw)
        return -1;
    *ret_uid = pw->pw_uid;
    *ret_gid = pw->pw_gid;
    return 0;
}

int process_become(const char *user, uid_t uid, gid_t gid, struct err *e)
{
    if (uid == 0)
        return err_set(e, "it must not run as root: name a user with -u USER, or start it as "
                          "one (systemd: User=)");
    if (geteuid() != 0)
        return user && uid != geteuid() ? err_set(e, "only root can become \"%s\" (-u)", user) : 0;
    if (initgroups(user, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        return err_set(e, "cannot become \"%s\" (-u): %s", user, strerror(errno));
    return 0;
}

uint64_t process_limits(void)
{
    struct rlimit files = {1024, 1024}, none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0)
            getrlimit(RLIMIT_NOFILE, &files);
    }
    return files.rlim_cur;
}

int process_thread(pthread_t *thread, void *(*body)(void *), void *arg)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(thread, NULL, body, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}
