/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of one SMTP session at one moment. Every front end fills one
 * from what its MTA tells it; the engine reads it.
 *
 * A fact is known-yes, known-no or unknown, and zero is unknown: a session
 * starts as {0}. A field below counts only if its bit is in `known`; a source
 * that cannot know something leaves the bit alone. Use the session_* functions
 * for facts: they keep what belongs together together.
 *
 * Views point into the front end's own buffers and live as long as those.
 */
#ifndef CORE_SESSION_H
#define CORE_SESSION_H

#include "core/finding.h"
#include "core/net.h"

struct listener;
struct policy;

enum fact {
#define FACT(name, word, meaning) FACT_##name,
#include "core/facts.def"
#undef FACT
    FACT_COUNT
};

typedef uint32_t fact_set;
#define FACT_BIT(f) ((fact_set)1 << (f))

struct fact_info {
    const char *word, *meaning;
};
extern const struct fact_info facts[FACT_COUNT];

/*
 * How far the session is. Until MAIL a client may still do STARTTLS and AUTH,
 * so their absence means nothing yet. VRFY and ETRN count as after MAIL.
 */
enum stage {
    STAGE_CONNECT,
    STAGE_HELO,
    STAGE_MAIL,
    STAGE_RCPT,
    STAGE_DATA,
    STAGE_END_OF_MESSAGE,
    STAGE_VRFY,
    STAGE_ETRN,
    STAGE_COUNT
};
extern const char *const stage_names[STAGE_COUNT]; /* Postfix's protocol_state words */

/* TLS versions by their number on the wire (RFC 8446 4.1.2), so they compare. */
enum tls_version { SSL_3_0 = 0x300, TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 };

/* "TLSv1", "TLSv1.0", "TLSv1.1", ... as OpenSSL, Postfix and Sendmail write them; 0: not one. */
unsigned tls_version_of(struct str s);
/* The other way round; "" for 0. */
const char *tls_version_name(unsigned version);

/* What a TLS library knows of a cipher; edge/tls.h fills it. */
struct cipher {
    uint16_t bits;        /* strength, not key length */
    bool authenticated;   /* the server proved who it is; false: anonymous */
    bool forward_secrecy; /* ephemeral key exchange */
    bool aead;
    bool rc4;
};

struct session {
    enum stage stage;
    fact_set known;

    /* Facts, for rules. */
    const struct listener *listener;
    struct addr client;
    uint16_t client_port, server_port; /* 0: unknown */
    bool trusted, tls, auth, cleartext_auth, agrees;
    unsigned tls_version;
    struct cipher cipher;
    struct str mechanism;

    /* For exceptions, records and people; no rule reads them. Empty: not told. */
    struct str user;                     /* the SASL login name */
    struct str client_text, server_text; /* the addresses as they were told */
    struct str tls_version_text, cipher_text;
    struct str helo, sender, queue_id, instance, ccert_fingerprint;
    struct str listener_told; /* the listener's name as the MTA or the socket gave it */
    struct str software, software_version; /* id and version by core/catalogue.h */

    bool ccert_told;      /* ccert_fingerprint says all there is: empty means no certificate */
    finding_set recorded; /* what records of this session have told already; counted once */
};

static inline bool session_knows(const struct session *s, fact_set f)
{
    return (s->known & f) == f;
}

/*
 * TLS is up. The version and the cipher are known only if their text is; a
 * cipher whose name the TLS library does not have is passed as NULL and stays
 * unknown, though its strength may be known (`bits` > 0) from the MTA.
 */
void session_tls(struct session *s, struct str version, const struct cipher *cipher, unsigned bits);

/* TLS is not up, as the MTA says. Before MAIL that is no fact yet, and on a
 * listener whose TLS a proxy does it never is: the call is then without effect. */
void session_no_tls(struct session *s);

/* The client authenticated; `mechanism` may be empty: not told. */
void session_auth(struct session *s, struct str user, struct str mechanism);

/* The client has not authenticated, as the MTA says; no fact before MAIL. */
void session_no_auth(struct session *s);

/*
 * Finds the session's listener in the policy: by `socket_name` (what the
 * socket that was asked is bound to), then by `told` (policy_context,
 * {daemon_name}), then by server_port; either name may be empty. Sets
 * FACT_LISTENER, and FACT_AGREEMENT where two of them can be compared.
 * Call it after server_port and before the TLS and AUTH functions above.
 * No match: s->listener stays NULL, and the session is left alone.
 */
void session_find_listener(struct session *s, const struct policy *p, struct str socket_name,
                           struct str told);

/* TLS was (or was not) up at CONNECT, which tells implicit TLS from STARTTLS:
 * compares it with the listener's role and sets FACT_AGREEMENT. */
void session_tls_at_connect(struct session *s, bool tls);

/* Looks the client up in `trusted`; needs the client's address and its certificate, or to know
 * that there is none, as far as `trusted` has such. After the TLS functions above. */
void session_find_trust(struct session *s, const struct policy *p);

#endif
