/* SPDX-License-Identifier: Apache-2.0 */
#include "policyd/transactions.h"

#include <stdalign.h>
#include <stdlib.h>

enum { SETS = 4096, WAYS = 4 }; /* 16,384 transactions: 256 KiB */

struct slot {
    uint64_t hash; /* 0: free */
    uint32_t used; /* tick of the last use */
    uint8_t action, finding;
};

struct transactions {
    alignas(64) struct slot slots[SETS][WAYS]; /* a set is one cache line */
    struct sipkey key;
    uint32_t tick;
    bool mails; /* a MAIL was put: it may be handed on (smtpd_delay_reject = no) */
};
_Static_assert(sizeof(struct slot[WAYS]) == 64, "a set is one cache line");

struct transactions *transactions_new(const struct sipkey *key)
{
    struct transactions *t = aligned_alloc(alignof(struct transactions), sizeof *t);
    if (t) {
        memset(t, 0, sizeof *t);
        t->key = *key;
    }
    return t;
}

void transactions_free(struct transactions *t)
{
    free(t);
}

/* An EHLO in the middle of a transaction has the transaction's instance, and ends it. */
static bool in_transaction(const struct session *s)
{
    return s->instance.n && s->stage >= STAGE_MAIL;
}

/* What a session's MAIL is remembered under; 0: the client is not known well enough. */
static uint64_t mail_hash(const struct transactions *t, const struct session *s)
{
    struct {
        uint8_t client[16];
        uint16_t ports[2];
    } id = {.ports = {s->client_port, s->server_port}};
    if (!s->client.bits || !s->client_port)
        return 0;
    memcpy(id.client, s->client.b, sizeof id.client);
    return siphash(&t->key, &id, sizeof id) | 1;
}

static uint64_t instance_hash(const struct transactions *t, const struct session *s)
{
    return siphash(&t->key, s->instance.p, s->instance.n) | 1;
}

static struct slot *find(struct transactions *t, uint64_t hash)
{
    struct slot *set = t->slots[hash >> 1 & (SETS - 1)];
    for (int i = 0; hash && i < WAYS; i++)
        if (set[i].hash == hash)
            return &set[i];
    return NULL;
}

static void put(struct transactions *t, uint64_t hash, const struct decision *d)
{
    struct slot *slot = find(t, hash), *set = t->slots[hash >> 1 & (SETS - 1)];
    if (!slot) {
        slot = &set[0];
        for (int i = 0; i < WAYS && slot->hash; i++)
            if (!set[i].hash || (int32_t)(set[i].used - slot->used) < 0)
                slot = &set[i];
    }
    *slot = (struct slot){hash, ++t->tick, (uint8_t)d->action, (uint8_t)d->finding};
}

bool transactions_find(struct transactions *t, const struct session *s, struct decision *ret)
{
    if (!in_transaction(s))
        return false;
    uint64_t hash = instance_hash(t, s);
    struct slot *slot = find(t, hash), *mail = NULL;
    if (!slot && t->mails && s->stage == STAGE_RCPT)
        slot = mail = find(t, mail_hash(t, s));
    if (!slot)
        return false;
    *ret = (struct decision){(enum action)slot->action, (enum finding)slot->finding};
    slot->used = ++t->tick;
    if (mail) {
        mail->hash = 0;
        put(t, hash, ret);
    }
    return true;
}

void transactions_put(struct transactions *t, const struct session *s, const struct decision *d)
{
    uint64_t hash = 0;
    if (in_transaction(s))
        hash = instance_hash(t, s);
    else if (s->stage == STAGE_MAIL)
        hash = mail_hash(t, s), t->mails = true;
    if (hash)
        put(t, hash, d);
}
