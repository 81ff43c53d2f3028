/* SPDX-License-Identifier: Apache-2.0 */
#include "core/session_key.h"

uint64_t session_key(const struct sipkey *key, const struct session *s)
{
    struct addr server;
    if (!s->client.bits || !s->client_port || !s->server_port ||
        !addr_parse(s->server_text, &server))
        return 0;
    const uint8_t ports[4] = {
        (uint8_t)(s->client_port >> 8),
        (uint8_t)s->client_port,
        (uint8_t)(s->server_port >> 8),
        (uint8_t)s->server_port,
    };
    uint8_t text[2 * sizeof s->client.b + sizeof ports];
    memcpy(text, s->client.b, sizeof s->client.b);
    memcpy(text + sizeof s->client.b, server.b, sizeof server.b);
    memcpy(text + 2 * sizeof s->client.b, ports, sizeof ports);
    uint64_t hash = siphash(key, text, sizeof text);
    return hash ? hash : 1;
}

uint32_t instance_pid(struct str instance)
{
    struct str rest = instance, hex = str_cut(&rest, ".");
    uint32_t pid = 0;
    if (!rest.p || hex.n == 0 || hex.n > 7)
        return 0;
    for (size_t i = 0; i < hex.n; i++) {
        char c = hex.p[i];
        if (c >= '0' && c <= '9')
            pid = pid << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            pid = pid << 4 | (uint32_t)(c - 'a' + 10);
        else
            return 0;
    }
    return pid;
}
