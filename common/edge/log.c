/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h> /* the numbers; its functions wait for syslogd */
#include <time.h>
#include <unistd.h>

static const struct {
    int priority;
    const char *word;
} levels[] = {
    [LOG_LEVEL_INFO] = {LOG_MAIL | LOG_INFO, "info: "},
    [LOG_LEVEL_WARNING] = {LOG_MAIL | LOG_WARNING, "warning: "},
    [LOG_LEVEL_ERROR] = {LOG_MAIL | LOG_ERR, "error: "},
    [LOG_LEVEL_FATAL] = {LOG_MAIL | LOG_CRIT, "fatal: "},
};

/* The program's only globals: a process has one log. */
static struct {
    pthread_mutex_t lock; /* held for what never waits */
    const char *program;
    bool to_syslog;
    struct sockaddr_un address;
    int fd; /* -1: not connected */
    uint64_t untold;
    atomic_uint_fast64_t dropped;
} the_log = {.lock = PTHREAD_MUTEX_INITIALIZER, .program = "mailreeve", .fd = -1};

/* ---- where a line goes -------------------------------------------------- */

static bool connect_syslog(void)
{
    if (the_log.fd >= 0)
        close(the_log.fd);
    the_log.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (the_log.fd < 0)
        return false;
    if (connect(the_log.fd, (struct sockaddr *)&the_log.address, sizeof the_log.address) == 0)
        return true;
    close(the_log.fd);
    the_log.fd = -1;
    return false;
}

static bool to_syslog(enum log_level level, struct str line)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char text[LOG_LINE_MAX + 200];
    struct buf b = BUF(text);
    time_t t = time(NULL);
    struct tm tm = {.tm_mday = 1};
    localtime_r(&t, &tm);
    buf_printf(&b, "<%d>%s %2d %02d:%02d:%02d %.64s[%ld]: %s", levels[level].priority,
               months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, the_log.program,
               (long)getpid(), level == LOG_LEVEL_INFO ? "" : levels[level].word);
    buf_str(&b, line);
    bool fresh = the_log.fd < 0 && connect_syslog();
    if (the_log.fd < 0)
        return false;
    if (send(the_log.fd, b.p, b.n, MSG_NOSIGNAL) >= 0)
        return true;
    /* A syslogd that was restarted has a new socket; one that is busy has not. */
    if (fresh || errno == EAGAIN || errno == ENOBUFS || !connect_syslog())
        return false;
    return send(the_log.fd, b.p, b.n, MSG_NOSIGNAL) >= 0;
}

static bool to_stderr(enum log_level level, struct str line)
{
    char text[LOG_LINE_MAX + 200];
    struct buf b = BUF(text);
    buf_printf(&b, "%.64s: %s", the_log.program, levels[level].word);
    buf_str(&b, line);
    buf_char(&b, '\n');
    /* A pipe that is ready takes at least PIPE_BUF bytes, which is more. */
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&ready, 1, 0) == 1 && ready.revents & POLLOUT &&
           write(STDERR_FILENO, b.p, b.n) == (ssize_t)b.n;
}

static bool put_line(enum log_level level, struct str line)
{
    if (!the_log.to_syslog)
        return to_stderr(level, line);
    bool sent = to_syslog(level, line);
    /* Who starts the program by hand shall see why it ended. */
    return level == LOG_LEVEL_FATAL ? to_stderr(level, line) || sent : sent;
}

/* ---- what a line says --------------------------------------------------- */

void log_sanitise(struct buf *b, struct str s)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c < 0x7f)
            buf_char(b, (char)c);
        else
            buf_put(b, (char[4]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
    }
}

static void __attribute__((format(printf, 2, 0)))
say(enum log_level level, const char *fmt, va_list ap)
{
    static const struct str cut = {" [cut]", 6};
    int saved = errno;
    char raw[LOG_LINE_MAX + 1], clean[LOG_LINE_MAX];
    int n = vsnprintf(raw, sizeof raw, fmt, ap);
    struct buf b = {clean, 0, sizeof clean - cut.n, false};
    if (n > 0)
        log_sanitise(&b, (struct str){raw, (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1});
    if (b.full) {
        b.cap += cut.n;
        b.full = false;
        buf_str(&b, cut);
    }

    pthread_mutex_lock(&the_log.lock);
    if (the_log.untold) {
        char text[80];
        struct buf missing = BUF(text);
        buf_printf(&missing, "%llu lines of this log were lost before this one",
                   (unsigned long long)the_log.untold);
        if (put_line(LOG_LEVEL_WARNING, buf_view(&missing)))
            the_log.untold = 0;
    }
    if (the_log.untold || !put_line(level, buf_view(&b))) {
        the_log.untold++;
        atomic_fetch_add(&the_log.dropped, 1);
    }
    pthread_mutex_unlock(&the_log.lock);
    errno = saved;
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *fmt, ...)                                                                \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        say(level, fmt, ap);                                                                       \
        va_end(ap);                                                                                \
    }

LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_fatal, LOG_LEVEL_FATAL)

/* ---- life --------------------------------------------------------------- */

static void open_log(const char *program, bool to_syslog, const char *path)
{
    pthread_mutex_lock(&the_log.lock);
    the_log.program = program;
    the_log.to_syslog = to_syslog;
    if (the_log.fd >= 0)
        close(the_log.fd);
    the_log.fd = -1;
    if (to_syslog) {
        the_log.address.sun_family = AF_UNIX;
        snprintf(the_log.address.sun_path, sizeof the_log.address.sun_path, "%s", path);
        connect_syslog(); /* now: later the program may be in a chroot */
        tzset();          /* its times need a file: now, before the sandbox */
    }
    pthread_mutex_unlock(&the_log.lock);
}

void log_open(const char *program, bool to_stderr)
{
    open_log(program, !to_stderr, "/dev/log");
}

void log_open_socket(const char *program, const char *path)
{
    open_log(program, true, path);
}

uint64_t log_dropped(void)
{
    return atomic_load(&the_log.dropped);
}
