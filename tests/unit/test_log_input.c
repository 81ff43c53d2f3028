/* SPDX-License-Identifier: Apache-2.0 */
/* Files, pipes and compressed data to lines. The compressed data is real: zlib and liblzma made it.
 */
#include "tests/unit/log_help.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Reads bytes from a file, and once more a byte at a time: the same lines and the same end. */
static int read_both(struct got *g, const char *name, struct str bytes)
{
    struct got slow = {.stop_after = g->stop_after};
    struct log_dribble d;
    int r = got_read(g, log_file(name, bytes));
    assert_int_equal(got_read(&slow, log_dribble(&d, bytes)), r);
    log_dribble_end(&d);
    assert_int_equal(slow.count, g->count);
    assert_int_equal(slow.counts.lines, g->counts.lines);
    assert_int_equal(slow.counts.cut, g->counts.cut);
    for (size_t i = 0; i < g->count; i++)
        assert_true(str_eq(slow.list[i].text, g->list[i].text) &&
                    slow.list[i].pid == g->list[i].pid);
    got_free(&slow);
    return r;
}

static void assert_ends(const struct err *err, const char *end)
{
    size_t n = strlen(err->text), k = strlen(end);
    if (n < k || strcmp(err->text + n - k, end) != 0)
        fail_msg("\"%s\" does not end in \"%s\"", err->text, end);
}

/* ---- plain -------------------------------------------------------------------------- */

static void test_plain(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        const char *texts;
        uint64_t lines;
    } cases[] = {
        {STR(""), "", 0},
        {STR("\n"), "", 1},
        {STR("a"), "a", 1},
        {STR("a\n"), "a", 1},
        {STR("a\nb"), "a/b", 2},
        {STR("a\n\nb\n"), "a//b", 3},
        {STR("a\r\nb\r\n"), "a/b", 2},
        {STR("Nov 20 00:32:25 mx postfix/smtpd[7]: a\nNov 20 00:32:26 mx postfix/smtpd[7]: b\n"),
         "a/b", 2},
        {STR("\x1f"), "\x1f", 1}, /* the first byte of gzip, and no more */
        {STR("{\n{\"a\":1}\n{\"MESSAGE\":\"m\"}\n"), "{/{\"a\":1}/m", 3},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct got g = {0};
        assert_int_equal(read_both(&g, "log", cases[i].bytes), 0);
        assert_texts(&g, cases[i].texts);
        assert_int_equal(g.counts.lines, cases[i].lines);
        assert_int_equal(g.counts.bytes, cases[i].bytes.n);
        assert_int_equal(g.counts.cut, 0);
        got_free(&g);
    }
}

static void test_any_bytes(void **state)
{
    (void)state;
    char bytes[4096];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
    struct got g = {0};
    assert_int_equal(read_both(&g, "garbage", (struct str){bytes, sizeof bytes}), 0);
    assert_true(g.count > 1);
    got_free(&g);

    assert_int_equal(read_both(&g, "nul", STR("a\0b\n\0\0\n")), 0);
    assert_int_equal(g.count, 2);
    assert_true(str_eq(g.list[0].text, STR("a\0b")) && str_eq(g.list[1].text, STR("\0\0")));
    got_free(&g);
}

/* Lines over the end of a piece that is read, and longer ones than a piece. */
static void test_long_lines(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    const size_t lengths[] = {
        INPUT_LINE_MAX - 1, INPUT_LINE_MAX, INPUT_LINE_MAX + 1, 7, 1 << 20, 0, 200000, 1};
    const size_t kept[] = {INPUT_LINE_MAX - 1, INPUT_LINE_MAX,
                           INPUT_LINE_MAX,     7,
                           INPUT_LINE_MAX,     0,
                           INPUT_LINE_MAX,     1};
    char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    size_t n = 0;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        memset(bytes + n, (int)('a' + i), lengths[i]);
        n += lengths[i];
        bytes[n++] = '\n';
    }
    struct got g = {0};
    for (size_t tail = 0; tail < 2; tail++) { /* without the last newline, too */
        assert_int_equal(read_both(&g, "long", (struct str){bytes, n - tail}), 0);
        assert_int_equal(g.count, COUNT(lengths));
        assert_int_equal(g.counts.cut, 3);
        assert_int_equal(g.counts.bytes, n - tail);
        for (size_t i = 0; i < COUNT(lengths); i++) {
            assert_int_equal(g.list[i].text.n, kept[i]);
            if (kept[i])
                assert_int_equal(g.list[i].text.p[kept[i] - 1], 'a' + i);
        }
        got_free(&g);
    }
    free(bytes);
}

/* Many lines: each of them once, with its number. */
static void test_many_lines(void **state)
{
    (void)state;
    enum { LINES = 40000 };
    char *bytes = malloc(LINES * 64), *p = bytes;
    assert_non_null(bytes);
    for (int i = 0; i < LINES; i++)
        p += snprintf(p, 64, "Nov 20 00:32:25 mx postfix/smtpd[%d]: %.*s\n", i + 1, i % 17,
                      "xxxxxxxxxxxxxxxxxxxx");
    struct got g = {0};
    assert_int_equal(got_read(&g, log_file("log", (struct str){bytes, (size_t)(p - bytes)})), 0);
    assert_int_equal(g.count, LINES);
    for (int i = 0; i < LINES; i++)
        assert_true(g.list[i].pid == (uint32_t)i + 1 && g.list[i].text.n == (size_t)i % 17 &&
                    g.list[i].number == (uint64_t)i + 1);
    got_free(&g);
    free(bytes);
}

static void test_stop(void **state)
{
    (void)state;
    struct got g = {.stop_after = 2};
    assert_int_equal(read_both(&g, "log", STR("a\nb\nc\nd")), 0);
    assert_texts(&g, "a/b");
    assert_int_equal(g.counts.lines, 2);
    got_free(&g);
    g.stop_after = 1; /* at the last, which has no end */
    assert_int_equal(read_both(&g, "log", STR("a")), 0);
    assert_texts(&g, "a");
    got_free(&g);
}

static void test_standard_input(void **state)
{
    (void)state;
    struct got g = {0};
    int before = dup(STDIN_FILENO), fd = open(log_file("log", STR("a\nb\n")), O_RDONLY);
    assert_true(before >= 0 && fd >= 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    int r = got_read(&g, "-");
    assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
    close(before);
    close(fd);
    assert_int_equal(r, 0);
    assert_texts(&g, "a/b");
    got_free(&g);
}

static void test_not_readable(void **state)
{
    (void)state;
    struct got g = {0};
    assert_int_equal(got_read(&g, log_path("none")), -1);
    assert_ends(&g.err, "/none: cannot be opened: No such file or directory");
    assert_int_equal(g.counts.lines, 0);
    assert_int_equal(got_read(&g, log_top), -1);
    assert_ends(&g.err, ": is a directory; name the log files in it");
    log_file("log", STR("a\n"));
    assert_int_equal(got_read(&g, log_path("log/x")), -1);
    assert_ends(&g.err, "/x: cannot be opened: Not a directory");
    assert_int_equal(got_read(&g, "/proc/self/mem"), -1);
    assert_string_equal(g.err.text, "/proc/self/mem: cannot be read: Input/output error");
    assert_int_equal(input_read(log_path("none"), NOW_US, got_take, &g, &g.counts, NULL), -1);
}

/* ---- times ---------------------------------------------------------------------------- */

static void written_at(const char *path, time_t s)
{
    struct timespec times[2] = {{.tv_sec = s}, {.tv_sec = s}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* The year comes from the time a file was written; of a pipe, from now. */
static void test_reference(void **state)
{
    (void)state;
    struct str bytes = STR("Dec 31 23:59:59 h a[1]: x\nJan  2 00:00:00 h a[1]: y\n");
    struct got g = {0};
    const char *path = log_file("log", bytes);
    written_at(path, 1546700000); /* 2019-01-05T14:53:20Z */
    assert_int_equal(got_read(&g, path), 0);
    assert_int_equal(g.list[0].wall_us, INT64_C(1546300799) * US_PER_S); /* 2018-12-31T23:59:59Z */
    assert_int_equal(g.list[1].wall_us, INT64_C(1546387200) * US_PER_S); /* 2019-01-02 */
    got_free(&g);

    struct log_dribble d;
    assert_int_equal(got_read(&g, log_dribble(&d, bytes)), 0);
    log_dribble_end(&d);
    assert_int_equal(g.list[0].wall_us, INT64_C(1924991999) * US_PER_S); /* 2030-12-31T23:59:59Z */
    assert_int_equal(g.list[1].wall_us, INT64_C(1925078400) * US_PER_S); /* 2031-01-02 */
    got_free(&g);
}

static void test_first_time(void **state)
{
    (void)state;
    char bytes[4096];
    const char stamped[] = "2026-10-01T00:00:00Z h a[1]: x\n2026-10-02T00:00:00Z h a[1]: x\n";
    const int64_t expected = INT64_C(1790812800) * US_PER_S; /* 2026-10-01 */
    for (int before = 0; before <= 100; before += 33) {
        struct buf b = BUF(bytes);
        for (int i = 0; i < before; i++)
            buf_cstring(&b, "no time\n");
        buf_cstring(&b, stamped);
        assert_int_equal(input_first_time(log_file("log", buf_view(&b)), NOW_US), expected);
    }
    struct buf b = BUF(bytes);
    for (int i = 0; i < 100; i++)
        buf_cstring(&b, "no time\n");
    buf_cstring(&b, stamped);
    assert_int_equal(input_first_time(log_file("log", buf_view(&b)), NOW_US), 0);
    assert_int_equal(input_first_time(log_file("log", STR("")), NOW_US), 0);
    assert_int_equal(input_first_time(log_path("none"), NOW_US), 0);
    assert_int_equal(mkfifo(log_path("fifo"), 0600), 0); /* nobody writes: it must not be opened */
    assert_int_equal(input_first_time(log_path("fifo"), NOW_US), 0);
    assert_int_equal(input_first_time("-", NOW_US), 0);
}

/* ---- compressed -------------------------------------------------------------------------- */

static char packed[1 << 20];

static struct str gzip(struct buf *to, struct str bytes)
{
    z_stream z = {.next_in = (unsigned char *)bytes.p,
                  .avail_in = (unsigned)bytes.n,
                  .next_out = (unsigned char *)to->p + to->n,
                  .avail_out = (unsigned)(to->cap - to->n)};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    to->n += z.total_out;
    deflateEnd(&z);
    return buf_view(to);
}

static struct str xz(struct buf *to, struct str bytes)
{
    assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, (const uint8_t *)bytes.p,
                                             bytes.n, (uint8_t *)to->p, &to->n, to->cap),
                     LZMA_OK);
    return buf_view(to);
}

typedef struct str pack(struct buf *to, struct str bytes);
static pack *const packs[] = {gzip, xz};

static void test_compressed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(packs); i++) {
        struct got g = {0};
        struct buf b = BUF(packed);
        assert_int_equal(read_both(&g, "log.1", packs[i](&b, STR("a\nb\n"))), 0);
        assert_texts(&g, "a/b");
        assert_int_equal(g.counts.bytes, 4);
        got_free(&g);
        /* A second one behind it; a line lies in both. */
        packs[i](&b, STR("c"));
        assert_int_equal(read_both(&g, "log.1", packs[i](&b, STR("d\ne"))), 0);
        assert_texts(&g, "a/b/cd/e");
        got_free(&g);

        b = BUF(packed);
        assert_int_equal(read_both(&g, "log.1", packs[i](&b, STR(""))), 0);
        assert_int_equal(g.count, 0);
        got_free(&g);

        b = BUF(packed);
        g.stop_after = 1;
        assert_int_equal(read_both(&g, "log.1", packs[i](&b, STR("a\nb\nc\n"))), 0);
        assert_texts(&g, "a");
        got_free(&g);
    }
}

/* More than what is unpacked at once, from much less than what is read at once; and the reverse. */
static void test_large_compressed(void **state)
{
    (void)state;
    enum { SIZE = 8 << 20 };
    char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    memset(bytes, 'a', SIZE);
    for (size_t i = 999; i < SIZE; i += 1000)
        bytes[i] = '\n';
    for (size_t i = 0; i < COUNT(packs); i++) {
        struct got g = {0};
        struct buf b = BUF(packed);
        assert_int_equal(got_read(&g, log_file("log", packs[i](&b, (struct str){bytes, SIZE}))), 0);
        assert_int_equal(g.counts.bytes, SIZE);
        assert_int_equal(g.counts.lines, SIZE / 1000 + 1);
        got_free(&g);
    }
    /* 700 kB that do not get smaller */
    uint32_t x = 1;
    for (size_t i = 0; i < 700000; i++)
        bytes[i] = i % 100 == 99 ? '\n' : (char)((x = x * 1664525 + 1013904223) >> 24 | 0x80);
    for (size_t i = 0; i < COUNT(packs); i++) {
        struct got g = {0};
        struct buf b = BUF(packed);
        assert_int_equal(got_read(&g, log_file("log", packs[i](&b, (struct str){bytes, 700000}))),
                         0);
        assert_int_equal(g.counts.lines, 7000);
        got_free(&g);
    }
    free(bytes);
}

/* Cut anywhere: whole lines come, half a line does not, and it says that it was cut. */
static void test_cut_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(packs); i++) {
        struct buf b = BUF(packed);
        struct str all = packs[i](&b, STR("first line\nsecond line\n"));
        for (size_t n = 6; n < all.n; n++) {
            struct got g = {0};
            assert_int_equal(got_read(&g, log_file("log.2", (struct str){all.p, n})), -1);
            assert_ends(&g.err, "log.2: ends in the middle of the compressed data");
            for (size_t k = 0; k < g.count; k++)
                assert_true(str_eq(g.list[k].text, k ? STR("second line") : STR("first line")));
            /* only what follows the data is missing: all lines are there */
            if (n == all.n - 1)
                assert_int_equal(g.count, 2);
            got_free(&g);
        }
    }
}

static void test_damaged_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(packs); i++) {
        struct buf b = BUF(packed);
        struct str all = packs[i](&b, STR("first line\nsecond line\n"));
        unsigned noticed = 0;
        for (size_t n = 6; n < all.n; n++) {
            struct got g = {0};
            packed[n] ^= 0x55;
            if (got_read(&g, log_file("log.2", all)) < 0) {
                noticed++;
                assert_non_null(strstr(g.err.text, "log.2: "));
            }
            packed[n] ^= 0x55;
            got_free(&g);
        }
        assert_true(noticed >= all.n - 6 - 10); /* the time and the system in gzip's header */

        struct got g = {0};
        buf_cstring(&b, "something else");
        assert_int_equal(read_both(&g, "log.2", buf_view(&b)), -1);
        assert_ends(&g.err, "log.2: the compressed data is damaged after line 2");
        assert_texts(&g, "first line/second line");
        got_free(&g);
    }
    /* zeros behind gzip are what tapes leave */
    struct got g = {0};
    struct buf b = BUF(packed);
    gzip(&b, STR("a\n"));
    buf_str(&b, STR("\0\0\0\0\0"));
    gzip(&b, STR("b\n"));
    buf_str(&b, STR("\0\0\0"));
    assert_int_equal(read_both(&g, "log", buf_view(&b)), 0);
    assert_texts(&g, "a/b");
    got_free(&g);
}

/* A header that asks for a dictionary of 4 GiB. */
static void test_xz_memory(void **state)
{
    (void)state;
    struct buf b = BUF(packed);
    struct got g = {0};
    struct str all = xz(&b, STR("a\n"));
    uint8_t *block = (uint8_t *)packed + 12; /* behind the stream's header */
    size_t n = (size_t)(block[0] + 1) * 4 - 4;
    size_t at = 2;                                              /* behind the sizes */
    while (at < n && (block[at] != 0x21 || block[at + 1] != 1)) /* LZMA2, one byte of properties */
        at++;
    assert_true(at < n);
    block[at + 2] = 40;
    uint32_t crc = lzma_crc32(block, n, 0);
    for (int i = 0; i < 4; i++)
        block[n + (size_t)i] = (uint8_t)(crc >> 8 * i);
    assert_int_equal(got_read(&g, log_file("log.xz", all)), -1);
    assert_ends(&g.err, "log.xz: needs more than 128 MiB of memory to unpack; try: xz -dc FILE | "
                        "mailreeve audit -");
}

static void test_other_formats(void **state)
{
    (void)state;
    struct got g = {0};
    assert_int_equal(read_both(&g, "log.bz2", STR("BZh91AY&SY")), -1);
    assert_ends(&g.err, "log.bz2: is compressed with bzip2, which is not read here; try: bzip2 "
                        "-dc FILE | mailreeve audit -");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(test_plain),
        LOG_TEST(test_any_bytes),
        LOG_TEST(test_long_lines),
        LOG_TEST(test_many_lines),
        LOG_TEST(test_stop),
        LOG_TEST(test_standard_input),
        LOG_TEST(test_not_readable),
        LOG_TEST(test_reference),
        LOG_TEST(test_first_time),
        LOG_TEST(test_compressed),
        LOG_TEST(test_large_compressed),
        LOG_TEST(test_cut_data),
        LOG_TEST(test_damaged_data),
        LOG_TEST(test_xz_memory),
        LOG_TEST(test_other_formats),
    };
    return cmocka_run_group_tests_name("log_input", tests, NULL, NULL);
}
