/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2; in its SSLv2 form RFC 5246 E.2): what a
 * client offers, before anything is encrypted. Nothing here decides whether that is good.
 *
 * Pure and without I/O; any thread. Nothing is allocated.
 */
#ifndef CORE_WIRE_CLIENT_HELLO_H
#define CORE_WIRE_CLIENT_HELLO_H

#include "core/str.h"

enum {
    HELLO_MAX = 16 * 1024, /* bytes of the handshake message; a longer one is BAD */
    HELLO_VERSIONS = 16,
    HELLO_CIPHERS = 256,
    HELLO_EXTENSIONS = 64,
    HELLO_SIGNATURES = 64,
    HELLO_NAME_MAX = 255, /* bytes of a server name (RFC 1035 2.3.4) */
    HELLO_ALPN_MAX = 32,
};

/*
 * GREASE values (RFC 8701) are in no list. Lists are in the order in which they were sent; what
 * does not fit one is counted in `dropped`.
 */
struct client_hello {
    bool sslv2;                        /* in the old form; it has versions and ciphers only */
    uint16_t legacy_version;           /* client_version of the message */
    uint16_t highest;                  /* the highest version offered; 0: none that is known */
    uint16_t versions[HELLO_VERSIONS]; /* supported_versions (RFC 8446 4.2.1); else one:
                                          legacy_version */
    uint16_t ciphers[HELLO_CIPHERS];
    uint16_t extensions[HELLO_EXTENSIONS]; /* types */
    uint16_t signatures[HELLO_SIGNATURES]; /* signature_algorithms (RFC 8446 4.2.3) */
    uint16_t version_count, cipher_count, extension_count, signature_count;
    uint32_t dropped;
    bool sni;                         /* the extension is there */
    bool supported;                   /* so is supported_versions */
    uint8_t server_name_n, alpn_n;    /* 0: none, or one that is not kept: too long */
    char server_name[HELLO_NAME_MAX]; /* host_name of server_name (RFC 6066 3), as sent */
    char alpn[HELLO_ALPN_MAX];        /* the first protocol of ALPN (RFC 7301 3.1) */
};

/* MORE: it may become one; BAD: it will not. *ret is set with ITEM only. */
enum hello_result { HELLO_MORE, HELLO_ITEM, HELLO_BAD };

/*
 * `bytes`: the client's from its first one on, records and all; the message may lie in several
 * records. *ret_used: how many of them belong to it.
 */
enum hello_result client_hello_parse(struct str bytes, struct client_hello *ret, size_t *ret_used);

/* Do these bytes begin like one? MORE while they are too few to tell (RFC 8446 5.1: 22, 3, 0 to 4;
 * SSLv2: high bit of the length, type 1, version). ITEM: they do. */
enum hello_result client_hello_begins(struct str bytes);

#endif
