/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/journal_internal.h"
#include "journal/json.h"

enum {
    /* Room that values cannot take: for nulls, "oversized" and the end. */
    LINE_TAIL = 1024,
    /* Of that, the end alone: ,"oversized":[],"oversized_more":true}\n */
    LINE_END = 64,
};

/* ---- pieces ------------------------------------------------------------- */

static char *put(char *out, const void *p, size_t n)
{
    memcpy(out, p, n);
    return out + n;
}

#define PUT(out, literal) put((out), (literal), sizeof(literal) - 1)

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "6869707172737475767778798081828384858687888990919293949596979899";

static char *put_u64(char *out, uint64_t v)
{
    char digits[20], *p = digits + sizeof digits;
    for (; v >= 100; v /= 100)
        memcpy(p -= 2, pairs + 2 * (v % 100), 2);
    if (v >= 10)
        memcpy(p -= 2, pairs + 2 * v, 2);
    else
        *--p = (char)('0' + v);
    return put(out, p, (size_t)(digits + sizeof digits - p));
}

static char *put_six_digits(char *out, uint32_t v)
{
    memcpy(out, pairs + 2 * (v / 10000), 2);
    memcpy(out + 2, pairs + 2 * (v / 100 % 100), 2);
    memcpy(out + 4, pairs + 2 * (v % 100), 2);
    return out + 6;
}

static char *put_hex16(char *out, uint64_t v)
{
    for (int i = 0; i < 16; i++)
        out[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
    return out + 16;
}

/* ---- a line ------------------------------------------------------------- */

/* The date changes once a second, lines many times. */
static void set_second(struct journal *j, int64_t second)
{
    struct buf b = BUF(j->head);
    buf_str(&b, STR("{\"v\":1,\"ts\":\""));
    clock_format(&b, second * US_PER_S, 0);
    b.p[b.n - 1] = '.'; /* instead of the Z, which comes behind the microseconds */
    j->head_n = b.n;
    j->head_second = second;
}

/* False: no room, and counted. */
static bool begin(struct journal *j, struct jline *l, const struct now *now, const char *event,
                  uint64_t key)
{
    j->seq++;
    char *line = ring_reserve(&j->ring, JOURNAL_LINE_MAX);
    if (!line) {
        if (j->lost++ == j->lost_told)
            j->lost_since_us = now->wall_us;
        l->b.p = NULL;
        return false;
    }
    int64_t us = now->wall_us - j->head_second * US_PER_S;
    if (us < 0 || us >= US_PER_S) {
        int64_t second = now->wall_us / US_PER_S;
        set_second(j, now->wall_us % US_PER_S < 0 ? second - 1 : second);
        us = now->wall_us - j->head_second * US_PER_S;
    }
    char *out = put(line, j->head, j->head_n);
    out = put_six_digits(out, (uint32_t)us);
    out = PUT(out, "Z\",\"mono\":");
    out = put_u64(out, (uint64_t)(now->mono_us > 0 ? now->mono_us : 0));
    out = put(out, j->mid, j->mid_n);
    out = put_u64(out, j->seq);
    out = PUT(out, ",\"event\":\"");
    out = put(out, event, strlen(event));
    if (key) {
        out = PUT(out, "\",\"key\":\"");
        out = put_hex16(out, key);
        *out++ = '"';
    } else {
        out = PUT(out, "\",\"key\":null");
    }
    l->b = (struct buf){line, (size_t)(out - line), JOURNAL_LINE_MAX - LINE_TAIL, false};
    l->reserved = 0;
    l->oversized = 0;
    l->crowded = false;
    return true;
}

void journal_tell_losses(struct journal *j, const struct now *now)
{
    struct jline l;
    uint64_t lost = j->lost;
    /* Room for two: telling must not cost the line that comes next, and in a
     * full ring it must not count itself as lost. */
    if (lost == j->lost_told || !ring_reserve(&j->ring, 2 * JOURNAL_LINE_MAX) ||
        !begin(j, &l, now, "lost", 0))
        return;
    char text[32];
    struct buf since = BUF(text);
    clock_format(&since, j->lost_since_us, 6);
    jline_u64(&l, "count", lost - j->lost_told);
    jline_u64(&l, "total", lost);
    jline_str(&l, "since", buf_view(&since));
    journal_commit(j, &l);
    j->lost_told = lost;
}

void journal_begin(struct journal *j, struct jline *l, const struct now *now, const char *event,
                   uint64_t key)
{
    if (!j || !j->on) {
        l->b.p = NULL;
        return;
    }
    if (j->lost != j->lost_told)
        journal_tell_losses(j, now);
    begin(j, l, now, event, key);
}

void journal_commit(struct journal *j, struct jline *l)
{
    if (!l->b.p)
        return;
    char *out = l->b.p + l->b.n;
    for (unsigned i = 0; i < l->oversized; i++) {
        out = i ? PUT(out, ",") : PUT(out, ",\"oversized\":[");
        *out++ = '"';
        out = put(out, l->names[i], strlen(l->names[i]));
        *out++ = '"';
    }
    if (l->oversized)
        *out++ = ']';
    if (l->crowded)
        out = PUT(out, ",\"oversized_more\":true");
    out = PUT(out, "}\n");

    uint64_t lines = atomic_load_explicit(&j->lines, memory_order_relaxed);
    atomic_store_explicit(&j->lines, lines + 1, memory_order_relaxed);
    ring_commit(&j->ring, (uint64_t)(out - l->b.p));
    l->b.p = NULL;

    if (j->out) {
        journal_write_out(j);
        return;
    }
    /* Either we see that the writer went to sleep or it sees the new head. */
    atomic_thread_fence(memory_order_seq_cst);
    int writer = atomic_load_explicit(&j->writer, memory_order_relaxed);
    if (writer == WRITER_SLEEPING ||
        (writer == WRITER_DOZING && ring_used(&j->ring) > j->ring.size / 2)) {
        if (atomic_exchange(&j->writer, WRITER_BUSY) != WRITER_BUSY)
            sem_post(&j->wake);
    }
}

/* ---- fields ------------------------------------------------------------- */

/* The value does not fit: null, and its name in "oversized". */
static void oversized(struct jline *l, const char *name, size_t name_n)
{
    static const size_t null_n = sizeof ",\"\":null" - 1, list_n = sizeof "\"\"," - 1;
    size_t end = JOURNAL_LINE_MAX - LINE_END, needs = 2 * name_n + null_n + list_n;
    if (l->oversized == JOURNAL_OVERSIZED_MAX || l->b.n + l->reserved + needs > end) {
        l->crowded = true;
        return;
    }
    char *out = PUT(l->b.p + l->b.n, ",\"");
    out = put(out, name, name_n);
    out = PUT(out, "\":null");
    l->b.n = (size_t)(out - l->b.p);
    l->names[l->oversized++] = name;
    l->reserved += name_n + list_n;
}

/* A name: short, so that calling memcpy() would cost more than it does. */
static inline char *put_name(char *out, const char *p, size_t n)
{
    uint64_t eight;
    if (n < 8) {
        for (size_t i = 0; i < n; i++)
            out[i] = p[i];
        return out + n;
    }
    for (size_t i = 0; i + 8 < n; i += 8) {
        memcpy(&eight, p + i, 8);
        memcpy(out + i, &eight, 8);
    }
    memcpy(&eight, p + n - 8, 8);
    memcpy(out + n - 8, &eight, 8);
    return out + n;
}

/* The name; false: there is no room for that and `value_n` bytes. */
static inline bool field(struct jline *l, const char *name, size_t name_n, size_t value_n)
{
    if (l->b.n + name_n + 4 + value_n > l->b.cap)
        return false;
    char *out = l->b.p + l->b.n;
    *out++ = ',';
    *out++ = '"';
    out = put_name(out, name, name_n);
    *out++ = '"';
    *out++ = ':';
    l->b.n = (size_t)(out - l->b.p);
    return true;
}

void jline_put_str(struct jline *l, const char *name, size_t name_n, struct str v)
{
    size_t before = l->b.n;
    if (field(l, name, name_n, v.n)) {
        json_put_string(&l->b, v);
        if (!l->b.full)
            return;
        l->b.full = false;
        l->b.n = before;
    }
    oversized(l, name, name_n);
}

void jline_put_strs(struct jline *l, const char *name, size_t name_n, const struct str *v,
                    size_t count)
{
    size_t before = l->b.n;
    if (field(l, name, name_n, 2)) {
        buf_char(&l->b, '[');
        for (size_t i = 0; i < count; i++) {
            if (i)
                buf_char(&l->b, ',');
            json_put_string(&l->b, v[i]);
        }
        buf_char(&l->b, ']');
        if (!l->b.full)
            return;
        l->b.full = false;
        l->b.n = before;
    }
    oversized(l, name, name_n);
}

void jline_put_u64(struct jline *l, const char *name, size_t name_n, uint64_t v)
{
    if (!field(l, name, name_n, 20)) {
        oversized(l, name, name_n);
        return;
    }
    char *out = put_u64(l->b.p + l->b.n, v < INT64_MAX ? v : INT64_MAX);
    l->b.n = (size_t)(out - l->b.p);
}

void jline_put_bool(struct jline *l, const char *name, size_t name_n, bool v)
{
    if (!field(l, name, name_n, 5)) {
        oversized(l, name, name_n);
        return;
    }
    char *out = l->b.p + l->b.n;
    out = v ? PUT(out, "true") : PUT(out, "false");
    l->b.n = (size_t)(out - l->b.p);
}
