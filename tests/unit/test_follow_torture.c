/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer that rotates its log in every way, at random, while a follower in another process reads
 * it, is stopped, is killed, and begins again. The oracle is in the numbers of the lines: each once
 * and in order; after SIGKILL again those since the last checkpoint, but no others.
 *
 * FOLLOW_SEED and FOLLOW_SECONDS choose another run.
 */
#include "tests/unit/follow_help.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/now.h"

enum { ROTATED = 12, CONTEXT = 5 };

/* ---- the follower, in a process of its own ------------------------------------------- */

/* What it says: a line, one again, idle after the line `number`. */
struct word {
    uint32_t kind, number;
};

struct speaker {
    int to;
    uint32_t last;
    uint64_t positions[CONTEXT];
    unsigned lines;
};

static void speak(struct speaker *s, uint32_t kind, uint32_t number)
{
    struct word w = {kind, number};
    if (write(s->to, &w, sizeof w) != sizeof w)
        _exit(3);
}

static bool say_line(void *context, const struct follow_line *l)
{
    struct speaker *s = context;
    char p[64];
    snprintf(p, sizeof p, "%.*s", STR_ARG(l->line->text));
    uint32_t number = strncmp(p, "n ", 2) == 0 ? (uint32_t)strtoul(p + 2, NULL, 10) : 0;
    s->positions[s->lines++ % CONTEXT] = l->position;
    speak(s, l->again ? 'a' : 'n', number);
    s->last = l->again ? s->last : number;
    return true;
}

static uint64_t say_idle(void *context)
{
    struct speaker *s = context;
    if (s->last)
        speak(s, 'i', s->last);
    return s->lines < CONTEXT ? 0 : s->positions[s->lines % CONTEXT];
}

static void say_note(void *context, const char *text)
{
    (void)context;
    if (getenv("FOLLOW_NOTES"))
        fprintf(stderr, "# %s\n", text);
}

static _Noreturn void follower(int to, int stop, bool inotify)
{
    struct speaker speaker = {.to = to};
    struct follow_settings s = kept();
    struct err err;
    s.take = say_line;
    s.idle = say_idle;
    s.note = say_note;
    s.context = &speaker;
    s.no_inotify = !inotify;
    struct follow *f = follow_open(&s, &err);
    speak(&speaker, 'o', 0);
    if (!f || follow_run(f, stop, &err) < 0) {
        fprintf(stderr, "# %s\n", err.text);
        _exit(2);
    }
    follow_close(f);
    _exit(0);
}

/* ---- the writer ---------------------------------------------------------------------- */

static struct {
    unsigned short seed[3];
    int fd;                        /* of the log, as a daemon has it open */
    bool dated, half;              /* the naming; there is half a line */
    unsigned written;              /* the last line */
    char rotated[ROTATED + 1][64]; /* names, the newest first */
    unsigned rotated_n, dates;

    pid_t child; /* 0: no follower */
    int words, stop;
    bool opened;         /* there is a checkpoint */
    bool first, killed;  /* no line yet in this life; the one before was killed */
    unsigned gone;       /* up to this line some are nowhere */
    unsigned seen;       /* the last line */
    unsigned again;      /* the last one that came again in this life */
    unsigned safe, idle; /* at the two last idle(): what the checkpoint says at least */
    unsigned kills, stops, repeated, agains;
} t;

static unsigned any(unsigned n)
{
    return (unsigned)(nrand48(t.seed) % n);
}

static void open_log(void)
{
    close(t.fd);
    t.fd = open(at("mail.log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(t.fd >= 0);
}

static void put(const char *p, size_t n)
{
    assert_int_equal(write(t.fd, p, n), n);
}

/* Some lines, some in two pieces, the last perhaps without its second one for now. */
static void write_lines(unsigned n)
{
    char p[256];
    while (n--) {
        size_t size = numbered(p, sizeof p, t.written + 1);
        size_t at_once = any(4) ? size : 1 + any((unsigned)size - 1);
        if (t.half)
            put(p + 3, size - 3);
        else if (at_once < size && n == 0 && any(2)) {
            put(p, 3);
            t.half = true;
            return;
        } else {
            put(p, at_once);
            put(p + at_once, size - at_once);
        }
        t.half = false;
        t.written++;
    }
}

/* Before what a daemon does between two lines. */
static void end_line(void)
{
    if (t.half)
        write_lines(1);
    assert_false(t.half);
}

/* ---- what the follower said ------------------------------------------------------------ */

static bool follows(unsigned number)
{
    return number > t.again && (number == t.again + 1 || t.again < t.gone);
}

static void check(const struct word *w)
{
    t.opened = t.opened || w->kind == 'o';
    if (w->kind == 'o')
        return;
    if (w->kind == 'i') {
        t.safe = t.idle;
        t.idle = w->number;
        return;
    }
    if (w->kind == 'a') {
        if (!t.first || w->number > t.seen || (t.again && !follows(w->number)))
            fail_msg("line %u again, behind %u; %u was the last", w->number, t.again, t.seen);
        t.again = w->number;
        t.agains++;
        return;
    }
    unsigned least = t.first && t.killed ? t.safe + 1 : t.seen + 1;
    if (w->number < least || w->number > t.seen + 1 || (t.first && t.again && !follows(w->number)))
        fail_msg("line %u, expected %u to %u; %u came again", w->number, least, t.seen + 1,
                 t.again);
    t.repeated += t.seen + 1 - w->number;
    t.first = false;
    t.seen = w->number;
}

/* False: it has ended. */
static bool listen(int ms)
{
    struct word w[512];
    struct pollfd p = {.fd = t.words, .events = POLLIN};
    if (!t.child || poll(&p, 1, ms) <= 0)
        return true;
    ssize_t n = read(t.words, w, sizeof w);
    assert_true(n >= 0 && n % (ssize_t)sizeof *w == 0);
    for (unsigned i = 0; i < (size_t)n / sizeof *w; i++)
        check(&w[i]);
    return n > 0;
}

static void start_follower(void)
{
    int words[2], stop[2];
    if (t.child)
        return;
    assert_true(pipe2(words, O_CLOEXEC) == 0 && pipe2(stop, O_CLOEXEC) == 0);
    bool inotify = any(2);
    fflush(stdout);
    t.child = fork();
    assert_true(t.child >= 0);
    if (t.child == 0) {
        close(stop[1]);
        follower(words[1], stop[0], inotify);
    }
    close(words[1]);
    close(stop[0]);
    t.words = words[0];
    t.stop = stop[1];
    t.first = true;
    t.again = 0;
}

static void end_follower(bool killed)
{
    int status;
    if (!t.child)
        return;
    if (killed)
        kill(t.child, SIGKILL);
    close(t.stop);
    int64_t until = clock_us(CLOCK_MONOTONIC) + 20 * US_PER_S;
    while (listen(1000))
        assert_true(clock_us(CLOCK_MONOTONIC) < until);
    close(t.words);
    assert_int_equal(waitpid(t.child, &status, 0), t.child);
    assert_int_equal(status, killed ? SIGKILL : 0);
    t.child = 0;
    /* One that was ended before its first line leaves things as they were. */
    t.killed = killed || (t.killed && t.first);
    if (killed)
        t.idle = t.safe;
    else if (!t.killed)
        t.safe = t.idle = t.seen;
    t.kills += killed;
    t.stops += !killed;
}

static void catch_up(void)
{
    int64_t until = clock_us(CLOCK_MONOTONIC) + 20 * US_PER_S;
    start_follower();
    while (t.seen < t.written) {
        assert_true(listen(1000));
        if (clock_us(CLOCK_MONOTONIC) > until)
            fail_msg("line %u did not come; %u was the last", t.written, t.seen);
    }
}

/* ---- what happens to logs -------------------------------------------------------------- */

/* A name for the newest; with numbers, all others get their next one. */
static const char *make_room(void)
{
    if (t.rotated_n == ROTATED) {
        catch_up(); /* what goes was read */
        gone(t.rotated[--t.rotated_n]);
    }
    for (unsigned i = t.rotated_n; i-- > 0;) {
        char name[64];
        snprintf(name, sizeof name, "mail.log.%u%s", i + 2,
                 strstr(t.rotated[i], ".gz")   ? ".gz"
                 : strstr(t.rotated[i], ".xz") ? ".xz"
                                               : "");
        if (!t.dated)
            move(t.rotated[i], name);
        memcpy(t.rotated[i + 1], t.dated ? t.rotated[i] : name, sizeof name);
    }
    t.rotated_n++;
    if (t.dated)
        snprintf(t.rotated[0], sizeof t.rotated[0], "mail.log-20261121-%06u", ++t.dates);
    else
        snprintf(t.rotated[0], sizeof t.rotated[0], "mail.log.1");
    return t.rotated[0];
}

static void rotate(void)
{
    move("mail.log", make_room());
    if (any(2))
        text("mail.log", "");
    write_lines(any(20));
    end_line();
    open_log();
}

static void copytruncate(void)
{
    end_line();
    copy("mail.log", make_room());
    if (any(2))
        listen(0);
    assert_int_equal(ftruncate(t.fd, 0), 0);
}

static void compress(void)
{
    if (!t.rotated_n)
        return;
    unsigned i = any(t.rotated_n);
    char *name = t.rotated[i];
    if (strstr(name, ".gz") || strstr(name, ".xz"))
        return;
    bool z = any(2);
    (z ? gzip : xz)(name);
    strncat(name, z ? ".gz" : ".xz", sizeof t.rotated[0] - strlen(name) - 1);
}

/* Lines that are nowhere any more: what was told is in the checkpoint before the next thing
 * happens. A place in such a file is a case of its own. */
static void after_loss(void)
{
    t.gone = t.written;
    write_lines(1);
    end_line();
    catch_up();
    while (t.safe < t.written)
        assert_true(listen(10000));
}

/* With a line of it told, the follower has the log open. */
static void be_open(void)
{
    end_line();
    write_lines(1);
    end_line();
    catch_up();
}

static void unlink_log(void)
{
    be_open();
    gone("mail.log");
    write_lines(any(10));
    end_line();
    catch_up();
    open_log();
    after_loss();
}

static void truncate_only(void)
{
    be_open();
    assert_int_equal(ftruncate(t.fd, 0), 0);
    after_loss();
}

static void put_directory(void)
{
    end_line();
    move("mail.log", make_room());
    assert_int_equal(mkdir(at("mail.log"), 0700), 0);
    write_lines(any(3));
    end_line();
    listen((int)any(3));
    gone("mail.log");
    open_log();
}

static void write_some(void)
{
    write_lines(1 + any(40));
}

static void stop_it(void)
{
    end_follower(false);
}

static void kill_it(void)
{
    end_follower(true);
}

static void hear(void)
{
    if (t.child)
        listen((int)any(20));
}

static const struct {
    void (*does)(void);
    unsigned often;
    const char *name;
} acts[] = {
#define ACT(often, f)                                                                              \
    {                                                                                              \
        f, often, #f                                                                               \
    }
    ACT(20, write_some), ACT(5, rotate),         ACT(4, copytruncate),  ACT(4, compress),
    ACT(1, unlink_log),  ACT(1, truncate_only),  ACT(1, put_directory), ACT(2, stop_it),
    ACT(2, kill_it),     ACT(6, start_follower), ACT(15, hear),         ACT(2, catch_up)};

static void act(void)
{
    unsigned all = 0;
    for (unsigned i = 0; i < sizeof acts / sizeof *acts; i++)
        all += acts[i].often;
    unsigned n = any(all);
    for (unsigned i = 0;; n -= acts[i++].often)
        if (n < acts[i].often) {
            if (getenv("FOLLOW_NOTES"))
                fprintf(stderr, "# %u %s\n", t.written, acts[i].name);
            acts[i].does();
            return;
        }
}

static void test_torture(void **state)
{
    (void)state;
    const char *seed_text = getenv("FOLLOW_SEED"), *seconds = getenv("FOLLOW_SECONDS");
    unsigned seed = seed_text ? (unsigned)atoi(seed_text)
                              : (unsigned)(clock_us(CLOCK_REALTIME) ^ getpid()) % 1000000;
    int64_t end = clock_us(CLOCK_MONOTONIC) + (seconds ? atoi(seconds) : 8) * US_PER_S;
    unsigned rounds = 0, written = 0, kills = 0, stops = 0, repeated = 0, agains = 0;
    do {
        printf("# FOLLOW_SEED=%u\n", seed);
        fflush(stdout);
        memset(&t, 0, sizeof t);
        t.seed[0] = (unsigned short)seed, t.seed[1] = (unsigned short)(seed >> 16);
        t.fd = -1;
        t.dated = any(2);
        open_log();
        start_follower();
        while (!t.opened)
            assert_true(listen(10000));
        for (unsigned i = 0; i < 300; i++)
            act();
        end_line();
        catch_up();
        end_follower(false);
        start_follower();
        end_follower(false);
        assert_int_equal(t.seen, t.written);
        close(t.fd);
        written += t.written, kills += t.kills, stops += t.stops;
        repeated += t.repeated, agains += t.agains;
        assert_int_equal(follow_tear_down(NULL), 0);
        assert_int_equal(follow_set_up(NULL), 0);
        seed++, rounds++;
    } while (clock_us(CLOCK_MONOTONIC) < end);
    printf("# %u rounds, %u lines, %u stops, %u kills: %u lines again, %u told twice\n", rounds,
           written, stops, kills, agains, repeated);
}

static int tear_down(void **state)
{
    if (t.child) { /* it failed */
        kill(t.child, SIGKILL);
        waitpid(t.child, NULL, 0);
    }
    return follow_tear_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_torture, follow_set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
