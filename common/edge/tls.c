/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls.h"

#include <openssl/objects.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "core/table.h"

struct ciphers {
    struct arena arena;
    struct table by_name;
};

static struct cipher describe(const SSL_CIPHER *c)
{
    static const int ephemeral[] = {NID_kx_any, NID_kx_ecdhe, NID_kx_dhe, NID_kx_ecdhe_psk,
                                    NID_kx_dhe_psk};
    struct cipher d = {
        .bits = (uint16_t)SSL_CIPHER_get_bits(c, NULL),
        .authenticated = SSL_CIPHER_get_auth_nid(c) != NID_auth_null,
        .aead = SSL_CIPHER_is_aead(c),
        .rc4 = SSL_CIPHER_get_cipher_nid(c) == NID_rc4,
    };
    for (size_t i = 0; i < sizeof ephemeral / sizeof *ephemeral; i++)
        d.forward_secrecy |= SSL_CIPHER_get_kx_nid(c) == ephemeral[i];
    return d;
}

static bool add(struct ciphers *all, const SSL_CIPHER *c)
{
    struct cipher *d = arena_alloc(&all->arena, sizeof *d);
    if (!d)
        return false;
    *d = describe(c);
    const char *names[] = {SSL_CIPHER_get_name(c), SSL_CIPHER_standard_name(c)};
    for (int i = 0; i < 2; i++)
        if (names[i] && !table_put(&all->by_name, names[i], strlen(names[i]), d))
            return false;
    return true;
}

static bool add_all(struct ciphers *all, SSL_CTX *ctx)
{
    /* A server's list, with anonymous and NULL ciphers and without a security level. */
    if (SSL_CTX_set_cipher_list(ctx, "ALL:COMPLEMENTOFALL:@SECLEVEL=0") != 1)
        return false;
    /* Not by default: the CCM ciphers of TLS 1.3. */
    if (SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
                                      "TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:"
                                      "TLS_AES_128_CCM_8_SHA256") != 1)
        return false;
    STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(ctx);
    for (int i = 0; i < sk_SSL_CIPHER_num(list); i++)
        if (!add(all, sk_SSL_CIPHER_value(list, i)))
            return false;
    return true;
}

struct ciphers *ciphers_new(struct err *e)
{
    struct ciphers *all = calloc(1, sizeof *all);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    struct sipkey key;
    if (all && ctx && RAND_bytes((unsigned char *)&key, sizeof key) == 1) {
        table_init(&all->by_name, &all->arena, &key);
        if (add_all(all, ctx)) {
            SSL_CTX_free(ctx);
            return all;
        }
    }
    err_set(e, "OpenSSL cannot list its ciphers, or memory is short");
    SSL_CTX_free(ctx);
    ciphers_free(all);
    return NULL;
}

const struct cipher *ciphers_find(const struct ciphers *c, struct str name)
{
    return name.n ? table_get(&c->by_name, name.p, name.n) : NULL;
}

void ciphers_free(struct ciphers *c)
{
    if (!c)
        return;
    table_free(&c->by_name);
    arena_free(&c->arena);
    free(c);
}
