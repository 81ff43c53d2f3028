/* SPDX-License-Identifier: Apache-2.0 */
/* Reading journals back. */
#include "tests/unit/journal_help.h"

/* ---- reading ------------------------------------------------------------ */

static void write_file(const char *program, const char *name, const char *text, size_t n)
{
    char path[300];
    snprintf(path, sizeof path, "%s/journal", top);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/journal/%s", top, program);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/journal/%s/%s", top, program, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

#define LINE(boot, seq, rest)                                                                      \
    "{\"v\":1,\"src\":\"p\",\"boot\":\"" boot "\",\"event\":\"e\",\"seq\":" #seq rest "}\n"

static void test_reader(void **state)
{
    (void)state;
    static const char first[] = LINE("A", 5, "") /* begins in the middle: nothing is missing */
        LINE("A", 6, ",\"new\":{\"x\":[1.5]},\"newer\":1e9") "\n"         /* bad: empty */
                                                             "not json\n" /* bad */
        LINE("A", 6, "")                                                  /* repeated */
        LINE("A", 9,
             ",\"key\":\"00ff\",\"ts\":\"T\",\"mono\":7,\"host\":\"h\\u00e9\"") "{\"v\":2,\"src\":"
                                                                                "\"p\",\"boot\":"
                                                                                "\"A\",\"event\":"
                                                                                "\"e\",\"seq\":10}"
                                                                                "\n" /* bad: version
                                                                                      */
                                                                                "{\"v\":1,\"src\":"
                                                                                "\"p\",\"boot\":"
                                                                                "\"A\",\"event\":"
                                                                                "\"e\"}\n" /* bad:
                                                                                              no seq
                                                                                            */
        LINE("B", 1, "") LINE("A", 10, "") LINE("B", 2, "");
    static const char cut[] = LINE("B", 3, "") "{\"v\":1,\"src\":\"p\",\"bo";
    static const char after[] = LINE("B", 5, "");
    write_file("p", "20261121T031500Z-2.jsonl", first, sizeof first - 1);
    write_file("p", "20261121T031400Z-10.jsonl", cut, sizeof cut - 1); /* whatever its date */
    write_file("p", "20261121T031600Z-11.jsonl", after, sizeof after - 1);
    write_file("p", "lock", "123\n", 4);
    write_file("p", "notes.txt", first, sizeof first - 1);
    static const char other[] =
        "{\"v\":1,\"src\":\"o\",\"boot\":\"B\",\"event\":\"e\",\"seq\":5}\n";
    write_file("o", "20271121T031600Z-1.jsonl", other, sizeof other - 1);
    write_file("empty", "status", "{}", 2);
    write_file("", "secret", "xxxx", 4);

    static const struct {
        const char *program, *boot;
        int64_t seq;
        uint64_t missing, line;
    } expected[] = {
        {"o", "B", 5, 0, 1}, {"p", "A", 5, 0, 1}, {"p", "A", 6, 0, 2},   {"p", "A", 6, 0, 5},
        {"p", "A", 9, 2, 6}, {"p", "B", 1, 0, 9}, {"p", "A", 10, 0, 10}, {"p", "B", 2, 0, 11},
        {"p", "B", 3, 0, 1}, {"p", "B", 5, 1, 1},
    };
    struct journal_settings s = settings();
    struct err err;
    struct journal_line l;
    struct journal_reader *r = journal_reader_open(s.path, NULL, &err);
    assert_non_null(r);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(journal_reader_next(r, &l));
        assert_string_equal(l.program, expected[i].program);
        assert_true(str_eq(l.boot, str_of(expected[i].boot)));
        assert_int_equal(l.seq, expected[i].seq);
        assert_int_equal(l.missing, expected[i].missing);
        assert_int_equal(l.line, expected[i].line);
        if (l.seq == 9) {
            assert_true(str_eq(l.key, STR("00ff")) && str_eq(l.ts, STR("T")));
            assert_true(str_eq(l.host, STR("h\\u00e9")) && l.mono_us == 7);
        }
    }
    assert_false(journal_reader_next(r, &l));
    assert_false(journal_reader_next(r, &l));
    journal_reader_free(r);

    r = journal_reader_open(s.path, "p", &err);
    assert_non_null(r);
    uint64_t missing = 0;
    while (journal_reader_next(r, &l))
        missing += l.missing;
    const struct journal_reader_stats *st = journal_reader_get(r);
    assert_int_equal(st->segments, 3);
    assert_int_equal(st->lines, 9);
    assert_int_equal(st->bad, 4);
    assert_int_equal(st->unfinished, 1);
    assert_int_equal(st->repeated, 1);
    assert_int_equal(st->missing, 3);
    assert_int_equal(missing, 3);
    journal_reader_free(r);

    assert_null(journal_reader_open(s.path, "q", &err));
    assert_non_null(strstr(err.text, "q has no journal in "));
    assert_null(journal_reader_open("/nowhere", NULL, &err));
    assert_string_equal(err.text, "cannot read /nowhere: No such file or directory");
}

/* Lines longer than the reader's buffer, binary rubbish, and lines around a
 * buffer's end: counted, and what follows is read. */
static void test_reader_rubbish(void **state)
{
    (void)state;
    const size_t size = 3 * 1024 * 1024;
    char *text = malloc(size);
    assert_non_null(text);
    static const char good[] = LINE("A", 1, "");
    size_t n = 0;
    memcpy(text + n, good, sizeof good - 1);
    n += sizeof good - 1;
    memset(text + n, 'x', 700 * 1000);
    n += 700 * 1000;
    text[n++] = '\n';
    int lines = 1;
    for (; n < size - 400 * 1000; lines++)
        n += (size_t)snprintf(text + n, size - n,
                              "{\"v\":1,\"src\":\"p\",\"boot\":\"A\",\"event\":"
                              "\"e\",\"seq\":%d}\n",
                              lines + 1);
    srand(3);
    for (int i = 0; i < 1000; i++)
        text[n++] = (char)(128 + rand() % 128);
    text[n++] = '\n';
    memset(text + n, 0, 300 * 1000); /* and ends in a long half line */
    n += 300 * 1000;
    write_file("p", "20261121T031500Z-1.jsonl", text, n);
    free(text);
    struct tally t = tally("e", "seq");
    assert_int_equal(t.count, lines);
    assert_int_equal(t.stats.bad, 3);
    assert_int_equal(t.stats.unfinished, 1);
    assert_int_equal(t.stats.missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reader),
        TEST(test_reader_rubbish),
    };
    return cmocka_run_group_tests_name("journal_reader", tests, NULL, NULL);
}
