/* SPDX-License-Identifier: Apache-2.0 */
/* What was understood of a line of a log, in words. Nothing of a line is repeated but what the
 * table of messages names: a log can hold passwords. */
#include "cli/audit.h"
#include "edge/log.h"
#include "journal/json.h"

static const char *const first_words[] = {
    [BYTES_NOT_TOLD] = NULL, [BYTES_TLS] = "tls",       [BYTES_SMTP] = "smtp",
    [BYTES_HTTP] = "http",   [BYTES_HEADER] = "header", [BYTES_OTHER] = "other",
};

void audit_put_detail(struct buf *b, const char *name, struct str value, bool json)
{
    if (value.n == 0)
        return;
    buf_printf(b, json ? ",\"%s\":" : " %s=", name);
    if (json)
        json_put_string(b, value);
    else
        log_sanitise(b, value);
}

void audit_put_message(struct buf *b, const struct message *m, bool json)
{
    char address[64];
    struct buf a = BUF(address);
    addr_format(&a, &m->client);
    const struct {
        const char *name;
        struct str value;
    } all[] = {
        {"listener", m->listener},
        {"client", buf_view(&a)},
        {"name", m->client_name},
        {"user", m->kind == MESSAGE_AUTH ? m->user : STR("")},
        {"mechanism", m->mechanism},
        {"tls", m->tls_version},
        {"cipher", m->cipher},
        {"after", m->after},
        {"bytes", str_of(first_words[m->first])},
        {"handshake", str_of(handshake_ids[m->reason.handshake])},
        {"reason", str_of(m->reason.text)},
    };
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        audit_put_detail(b, all[i].name, all[i].value, json);
}
