/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/privacy.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET = 32, MAC = 32, HASH_BYTES = 8 };

struct privacy {
    struct privacy_settings settings;
    EVP_MAC_CTX *mac; /* holds the key; begun anew for each hash */
};

/* ---- the secret --------------------------------------------------------- */

/* 1: read; 0: there is none; -1: *err. */
static int read_secret(const char *path, unsigned char *secret, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_set(err, "cannot open %s: %s", path, strerror(errno));
    unsigned char more[SECRET + 1];
    ssize_t n = read(fd, more, sizeof more);
    int why = errno;
    close(fd);
    if (n < 0)
        return err_set(err, "cannot read %s: %s", path, strerror(why));
    if (n != SECRET)
        return err_set(err, "%s is not a secret of %d bytes; delete it to have a new one made",
                       path, SECRET);
    memcpy(secret, more, SECRET);
    OPENSSL_cleanse(more, sizeof more);
    return 1;
}

/* Whole or not at all, and never over one that another program made meanwhile. */
static int make_secret(const char *path, uid_t owner, gid_t group, struct err *err)
{
    unsigned char secret[SECRET];
    char temporary[sizeof((struct journal_settings *)0)->path + 40];
    snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    if (RAND_bytes(secret, SECRET) != 1)
        return err_set(err, "OpenSSL has no random bytes for %s", path);
    unlink(temporary); /* of a process that died here */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return err_set(err, "cannot make %s: %s", path, strerror(errno));
    bool ok = fchown(fd, owner, group) == 0 && fchmod(fd, 0640) == 0 &&
              write(fd, secret, SECRET) == SECRET && fsync(fd) == 0 &&
              (link(temporary, path) == 0 || errno == EEXIST);
    int why = errno;
    OPENSSL_cleanse(secret, sizeof secret);
    close(fd);
    unlink(temporary);
    return ok ? 0 : err_set(err, "cannot make %s: %s", path, strerror(why));
}

static int get_secret(const char *journal_path, uid_t owner, gid_t group, unsigned char *secret,
                      struct err *err)
{
    if (!journal_path[0])
        return RAND_bytes(secret, SECRET) == 1 ? 0 : err_set(err, "OpenSSL has no random bytes");
    char path[sizeof((struct journal_settings *)0)->path + 10];
    snprintf(path, sizeof path, "%s/secret", journal_path);
    int r = read_secret(path, secret, err);
    if (r == 0)
        r = make_secret(path, owner, group, err) < 0 ? -1 : read_secret(path, secret, err);
    if (r == 0)
        return err_set(err, "%s was deleted just now", path);
    return r < 0 ? -1 : 0;
}

/* ---- life --------------------------------------------------------------- */

static EVP_MAC_CTX *new_mac(const unsigned char *secret)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    if (mac && EVP_MAC_init(mac, secret, SECRET, params) == 1)
        return mac;
    EVP_MAC_CTX_free(mac);
    return NULL;
}

struct privacy *privacy_open(const struct privacy_settings *s, const char *journal_path,
                             uid_t owner, gid_t group, struct err *err)
{
    unsigned char secret[SECRET];
    if (get_secret(journal_path, owner, group, secret, err) < 0)
        return NULL;
    struct privacy *p = calloc(1, sizeof *p);
    if (p) {
        p->settings = *s;
        p->mac = new_mac(secret);
    }
    OPENSSL_cleanse(secret, sizeof secret);
    if (p && p->mac)
        return p;
    err_set(err, p ? "OpenSSL has no HMAC-SHA256" : "no memory");
    free(p);
    return NULL;
}

void privacy_free(struct privacy *p)
{
    if (p)
        EVP_MAC_CTX_free(p->mac);
    free(p);
}

void privacy_reconfigure(struct privacy *p, const struct privacy_settings *s)
{
    p->settings = *s;
}

/* ---- hashes ------------------------------------------------------------- */

/* `kind` keeps a user apart from an address of the same spelling. */
static bool mac(struct privacy *p, struct str kind, struct str s, unsigned char out[MAC])
{
    size_t n = 0;
    return EVP_MAC_init(p->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(p->mac, (const unsigned char *)kind.p, kind.n + 1) == 1 &&
           EVP_MAC_update(p->mac, (const unsigned char *)s.p, s.n) == 1 &&
           EVP_MAC_final(p->mac, out, &n, MAC) == 1 && n == MAC;
}

static struct str hashed(struct privacy *p, struct str kind, struct str s, struct buf *scratch)
{
    unsigned char m[MAC];
    scratch->n = 0;
    scratch->full = false;
    buf_str(scratch, STR("h:"));
    if (mac(p, kind, s, m))
        for (int i = 0; i < HASH_BYTES; i++)
            buf_printf(scratch, "%02x", m[i]);
    return scratch->full || scratch->n != 2 + 2 * HASH_BYTES ? STR("h:?") : buf_view(scratch);
}

static struct str hashed_nocase(struct privacy *p, struct str kind, struct str s,
                                struct buf *scratch)
{
    char lower[1024];
    if (s.n > sizeof lower)
        return STR("h:?");
    for (size_t i = 0; i < s.n; i++)
        lower[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) : s.p[i];
    struct str hash = hashed(p, kind, (struct str){lower, s.n}, scratch);
    OPENSSL_cleanse(lower, s.n); /* people type passwords for names */
    return hash;
}

/* ---- what may be written ------------------------------------------------ */

struct str privacy_user(struct privacy *p, struct str user, struct buf *scratch)
{
    if (p->settings.user == USER_PLAIN || user.n == 0)
        return user;
    if (p->settings.user == USER_HASH)
        return hashed_nocase(p, STR("user"), user, scratch);
    const char *at = memrchr(user.p, '@', user.n);
    return at ? (struct str){at, (size_t)(user.p + user.n - at)} : STR("@");
}

struct str privacy_sender(struct privacy *p, struct str sender, struct buf *scratch)
{
    return privacy_user(p, sender, scratch);
}

struct str privacy_address(struct privacy *p, struct str text, const struct addr *a,
                           struct buf *scratch)
{
    if (p->settings.address == ADDRESS_PLAIN || text.n == 0)
        return text;
    if (a->bits == 0)
        return STR("unknown");
    if (p->settings.address == ADDRESS_HASH)
        return hashed(p, STR("address"), (struct str){(const char *)a->b, a->bits / 8u}, scratch);
    struct prefix network = addr_prefix(a, a->bits == 32 ? 24 : 48);
    scratch->n = 0;
    scratch->full = false;
    prefix_format(scratch, &network);
    return scratch->full ? STR("unknown") : buf_view(scratch);
}

struct str privacy_name(struct privacy *p, struct str name, struct buf *scratch)
{
    if (p->settings.address == ADDRESS_PLAIN || name.n == 0)
        return name;
    if (p->settings.address == ADDRESS_NETWORK)
        return (struct str){NULL, 0};
    return hashed_nocase(p, STR("name"), name, scratch);
}

int privacy_derive_key(struct privacy *p, const char *purpose, struct sipkey *ret)
{
    unsigned char m[MAC];
    if (!mac(p, STR("key"), str_of(purpose), m))
        return -1;
    memcpy(&ret->k0, m, 8);
    memcpy(&ret->k1, m + 8, 8);
    return 0;
}
