/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/milter_help.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "edge/log.h"

struct config *config;
struct filter f;
static struct str unread; /* what of the journal's ring no test has looked at */

struct config *parse(const char *text)
{
    struct problems ps = {0};
    struct config *ret = config_parse(str_of(text), "test", &ps);
    problems_free(&ps);
    assert_non_null(ret);
    return ret;
}

int filter_set_up(void **state, const char *policy_text)
{
    struct err e;
    unread = (struct str){NULL, 0};
    if (set_up(state) != 0)
        return -1;
    log_open_socket("test", "/nowhere/log");
    config = parse(policy_text);
    config->journal = settings();
    f = (struct filter){.life = {.policy = config->policy, .ciphers = ciphers_new(&e)},
                        .wants_headers = true};
    pthread_mutex_init(&f.life.lock, NULL);
    return recorder_open(&f.life.recorder, config, "test", (uid_t)-1, (gid_t)-1, &e);
}

int filter_tear_down(void **state)
{
    recorder_free(&f.life.recorder);
    ciphers_free(f.life.ciphers);
    pthread_mutex_destroy(&f.life.lock);
    config_free(config);
    return tear_down(state);
}

static const char *const names[MACRO_COUNT] = {
#define MACRO(stage, name, ...) [MACRO_##name] = #name,
#include "milter/macros.def"
#undef MACRO
};

struct told tell(const struct connection *c, enum macro_stage stage, const char *text)
{
    struct told t = {.stage = stage, .mta = c->mta, .our_lists = c->our_lists};
    struct str rest = str_of(text);
    while (rest.n) {
        struct str value = str_cut(&rest, "|"), name = str_cut(&value, "=");
        int m = name_index(names, MACRO_COUNT, name);
        assert_true(m >= 0 && value.p);
        t.value[m] = value;
    }
    if (stage == AT_CONNECT)
        t.mta = macros_mta(t.value[MACRO_MTA_VERSION]);
    return t;
}

struct connection *come(const char *address, bool our_lists, const char *macros)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(40000)};
    inet_pton(AF_INET, address, &in.sin_addr);
    struct connection *c = filter_open(&f, our_lists);
    assert_non_null(c);
    struct told told = tell(c, AT_CONNECT, macros);
    filter_connect(&f, c, (struct sockaddr *)&in, &told);
    return c;
}

void helo(struct connection *c, const char *argument, const char *macros)
{
    struct told told = tell(c, AT_HELO, macros);
    filter_helo(&f, c, argument, &told);
}

void leave(struct connection *c)
{
    struct told told = tell(c, AT_HELO, "");
    filter_close(&f, c, &told);
}

struct str next_line(void)
{
    if (!unread.n)
        unread = ring_text(f.life.recorder.journal);
    return unread.n ? str_cut(&unread, "\n") : unread;
}
