/* SPDX-License-Identifier: Apache-2.0 */
/* How to mend what the probe finds, for each MTA: a table. */
#include "probe/judge.h"

#include <stdio.h>

static const struct {
    enum fault_id id;
    const char *postfix; /* a setting of the service in master.cf, for postconf -P */
    const char
        *main[2]; /* or in main.cf, for ports that demand TLS; and one more for those that do not */
    const char *sendmail; /* in sendmail.mc */
    const char *any;      /* whatever the MTA is, or one that is neither */
} remedies[] = {
    {FAULT_AUTH_ON_25,
     "smtpd_sasl_auth_enable=no",
     {NULL},
     "M=A in the DAEMON_OPTIONS of this port",
     "Do not offer AUTH on this port"},
    {FAULT_AUTH_WITHOUT_TLS,
     "smtpd_tls_auth_only=yes",
     {NULL},
     "define(`confAUTH_OPTIONS', `A p')",
     "Offer AUTH under TLS only"},
    {FAULT_TLS_REQUIRED_ON_25,
     "smtpd_tls_security_level=may",
     {NULL},
     "no TLS_Clt line in the access map that is meant for all clients",
     "Offer TLS on this port, and do not demand it"},
    {FAULT_CLEARTEXT_ON_SUBMISSIONS,
     "smtpd_tls_wrappermode=yes",
     {NULL},
     "M=s in the DAEMON_OPTIONS of this port",
     "Begin with TLS on this port"},
    {FAULT_TLS_AT_ONCE_ON_STARTTLS,
     "smtpd_tls_wrappermode=no",
     {NULL},
     "no s in M= of the DAEMON_OPTIONS of this port",
     "Begin in clear text on this port, and offer STARTTLS"},
    {FAULT_SUBMISSION_WITHOUT_TLS,
     "smtpd_tls_security_level=encrypt",
     {NULL},
     "define confSERVER_CERT and confSERVER_KEY; the log says why they are not taken",
     "Offer STARTTLS on this port"},
    {FAULT_SUBMISSION_WITHOUT_AUTH,
     "smtpd_sasl_auth_enable=yes",
     {NULL},
     "no A in M= of the DAEMON_OPTIONS of this port; confAUTH_MECHANISMS with `PLAIN LOGIN'",
     "Offer AUTH under TLS on this port"},
    {FAULT_SUBMISSION_OPEN,
     "smtpd_recipient_restrictions=permit_sasl_authenticated,reject",
     {NULL},
     "M=a in the DAEMON_OPTIONS of this port",
     "Refuse MAIL or RCPT with 530 on this port until the client has logged in"},
    {FAULT_TLS_NOT_REQUIRED,
     "smtpd_tls_security_level=encrypt",
     {NULL},
     "M=a in the DAEMON_OPTIONS of this port, and define(`confAUTH_OPTIONS', `A p')",
     "Refuse MAIL with 530 on this port until there is TLS"},
    {FAULT_TLS_OLD_VERSIONS,
     NULL,
     {"smtpd_tls_mandatory_protocols=>=TLSv1.2", "smtpd_tls_protocols=>=TLSv1.2"},
     "LOCAL_CONFIG, then: O ServerSSLOptions=+SSL_OP_NO_TLSv1 +SSL_OP_NO_TLSv1_1",
     "Accept TLS 1.2 and 1.3 only"},
    {FAULT_TLS_12_MISSING,
     NULL,
     {"smtpd_tls_mandatory_protocols=>=TLSv1.2", "smtpd_tls_protocols=>=TLSv1.2"},
     "take SSL_OP_NO_TLSv1_2 out of ServerSSLOptions",
     "Accept TLS 1.2 and 1.3"},
    {FAULT_TLS_WEAK_CIPHERS,
     NULL,
     {"smtpd_tls_mandatory_exclude_ciphers=aNULL,eNULL,RC4,EXPORT,DES",
      "smtpd_tls_exclude_ciphers=aNULL,eNULL,RC4,EXPORT,DES"},
     "LOCAL_CONFIG, then: O CipherList=HIGH:!aNULL:!eNULL",
     "Leave out the ciphers without encryption or authentication"},
    {FAULT_AUTH_UNKNOWN_MECHANISMS,
     NULL,
     {NULL},
     "PLAIN in confAUTH_MECHANISMS",
     "Dovecot: auth_mechanisms = plain login"},
    {FAULT_STARTTLS_FAILS,
     NULL,
     {NULL},
     NULL,
     "On the server: mailreeve doctor; the mail log says what is wrong with the certificate or its "
     "key"},
    {FAULT_HANDSHAKE_FAILS,
     NULL,
     {NULL},
     NULL,
     "On the server: mailreeve doctor; the mail log says what is wrong with the certificate or its "
     "key"},
    {FAULT_STARTTLS_INJECTION,
     NULL,
     {NULL},
     NULL,
     "Update the MTA, or what stands in front of it (an SMTP proxy, a virus scanner); "
     "CVE-2011-0411"},
    {FAULT_STARTTLS_UNDER_TLS,
     NULL,
     {NULL},
     NULL,
     "Update the MTA, or what stands in front of it and changes its reply to EHLO"},
    {FAULT_NO_GREETING,
     NULL,
     {NULL},
     NULL,
     "Is it the MTA that listens there, and has it a process left? On the server: ss -lntp; the "
     "mail log"},
    {FAULT_NOT_SMTP_SERVER,
     NULL,
     {NULL},
     NULL,
     "Which program listens there? On the server: ss -lntp"},
    {FAULT_DIALOGUE_BROKEN,
     NULL,
     {NULL},
     NULL,
     "The mail log of the server says why it ended the session"},
    {FAULT_PORT_CLOSED,
     NULL,
     {NULL},
     NULL,
     "Does it listen (on the server: ss -lnt), and does a firewall let this network in? If it is "
     "not meant to be "
     "there, take it out of the policy"},
    {FAULT_NO_SUBMISSIONS_PORT,
     NULL,
     {NULL},
     NULL,
     "On the server: mailreeve setup; and open it in the firewall"},
    {FAULT_NO_SUBMISSION_PORT,
     NULL,
     {NULL},
     NULL,
     "On the server: mailreeve setup; and open it in the firewall"},
};

/* The name that a port has in master.cf as Postfix delivers it. */
static void service_of(uint16_t port, char service[16])
{
    static const struct {
        uint16_t port;
        const char *name;
    } names[] = {{25, "smtp"}, {465, "submissions"}, {587, "submission"}};
    snprintf(service, 16, "%u", port);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].port == port)
            snprintf(service, 16, "%s", names[i].name);
}

static void add_postfix(struct fault *f, const struct port_seen *p, const char *of_service,
                        const char *const of_main[2])
{
    char service[16];
    service_of(p->port, service);
    if (of_service)
        fault_fix(f, "Postfix: postconf -P '%s/inet/%s' && postfix reload", service, of_service);
    if (of_main[0] && seen_demands_tls(p) == YES)
        fault_fix(f, "Postfix: postconf -e '%s' && postfix reload", of_main[0]);
    else if (of_main[0])
        fault_fix(f, "Postfix: postconf -e '%s' '%s' && postfix reload", of_main[0], of_main[1]);
}

struct fault *judge_add_at(struct faults *fs, enum fault_id id, const char *where)
{
    struct fault *f = fault_add(fs, id);
    fault_where(f, "%s", where);
    return f;
}

struct fault *judge_add(struct faults *fs, enum fault_id id, const struct port_seen *p)
{
    struct fault *f = fault_add(fs, id);
    fault_where(f, "%s port %u", p->address, p->port);
    bool unnamed = !p->software;
    bool postfix = !unnamed && strcmp(p->software, "Postfix") == 0;
    bool sendmail = !unnamed && strcmp(p->software, "Sendmail") == 0;
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++) {
        if (remedies[i].id != id)
            continue;
        unsigned before = f->fix_count;
        if (postfix || unnamed)
            add_postfix(f, p, remedies[i].postfix, remedies[i].main);
        if ((sendmail || unnamed) && remedies[i].sendmail)
            fault_fix(f, "Sendmail: %s", remedies[i].sendmail);
        if (f->fix_count == before || !(remedies[i].postfix || remedies[i].sendmail))
            fault_fix(f, "%s", remedies[i].any);
    }
    return f;
}
