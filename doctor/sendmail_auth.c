/* SPDX-License-Identifier: Apache-2.0 */
/* Who can log in where, with or without TLS, and who need not. */
#include "doctor/sendmail.h"

enum { PASSWORDS_LOGGED_FROM = 14 };

void sm_auth_on_25(struct sm_doctor *s, const struct sm_port *p)
{
    if (p->role != ROLE_SMTP || p->auth != POSSIBLE)
        return;
    struct fault *f = sm_fault(s, FAULT_AUTH_ON_25, p);
    if (sm_enforces(p, FINDING_AUTH_ON_SMTP_PORT))
        fault_detail(f, "Mailreeve refuses the mail there; the password has been sent by then.");
    sm_fix_modifiers(f, p, "A", "a");
    sm_fix_make(f);
}

/* "set AuthOptions to what it is now, and p" */
static void fix_options(struct sm_doctor *s, struct fault *f)
{
    const char *now = cf_value(&s->cf, "AuthOptions");
    fault_fix(
        f, "in sendmail.mc, behind sasl.m4 if it is there: define(`confAUTH_OPTIONS', `%s%sp')dnl",
        *now ? now : "A", " ");
}

static void fix_mechanisms(struct fault *f)
{
    fault_fix(f, "in sendmail.mc, behind sasl.m4 if it is there: define(`confAUTH_MECHANISMS', "
                 "`PLAIN LOGIN')dnl");
}

void sm_auth_without_tls(struct sm_doctor *s, const struct sm_port *p)
{
    if (!p->clear_passwords && !p->clear_challenges)
        return;
    struct fault *f = sm_fault(s, FAULT_AUTH_WITHOUT_TLS, p);
    if (p->clear_passwords) {
        fault_detail(f, "AuthOptions is \"%s\": without p, PLAIN and LOGIN work in clear text%s.",
                     cf_value(&s->cf, "AuthOptions"),
                     sm_enforces(p, FINDING_CLEARTEXT_AUTH)
                         ? "; Mailreeve refuses the mail there, the password has been sent by then"
                         : "");
        fix_options(s, f);
    } else {
        f->severity = FAULT_WARNING;
        fault_detail(f,
                     "p in AuthOptions hides PLAIN and LOGIN until there is TLS, but not CRAM-MD5, "
                     "DIGEST-MD5 and their like: who listens can guess the password from those.");
    }
    if (p->clear_challenges)
        fix_mechanisms(f);
    sm_fix_make(f);
}

/* One note for each reason, however many ports it is about. */
void sm_auth_unsure(struct sm_doctor *s, const struct sm_port *p)
{
    if (p->auth != UNSURE)
        return;
    if (p->features.unknown)
        faults_unknown(
            s->fs,
            "whether AUTH is possible: %s:%u decides it by a rule that is not understood; "
            "`mailreeve probe` asks the server itself",
            p->features.file, p->features.line);
    else
        faults_unknown(
            s->fs, "whether AUTH is possible: sendmail.cf sets nothing of it, and then the SASL "
                   "library on that machine decides; `mailreeve probe` asks the server itself");
}

void sm_submission_without_auth(struct sm_doctor *s, const struct sm_port *p)
{
    if (!sm_submits(p) || p->auth != IMPOSSIBLE)
        return;
    struct fault *f = sm_fault(s, FAULT_SUBMISSION_WITHOUT_AUTH, p);
    if (cf_has(p->cf->modifiers, 'A')) {
        fault_detail(f, "A in M= switches AUTH off; in small, a, it demands it.");
        sm_fix_modifiers(f, p, "a", "A");
    } else if (cf_has(p->features.letters, 'A')) {
        fault_detail(f, "%s:%u switches AUTH off there (A).", p->features.file, p->features.line);
        fault_fix(f, "take the A out of the rule in sendmail.mc, or of the line in access");
    } else {
        fault_detail(f, "AuthMechanisms is empty.");
        fix_mechanisms(f);
    }
    sm_fix_make(f);
}

void sm_submission_open(struct sm_doctor *s, const struct sm_port *p)
{
    if (!sm_submits(p) || p->features.unknown || cf_has(p->cf->modifiers, 'a') ||
        cf_has(p->features.letters, 'l') || sm_enforces(p, FINDING_AUTH_REQUIRED))
        return;
    struct fault *f = sm_fault(s, FAULT_SUBMISSION_OPEN, p);
    fault_detail(f, "Without a in M= it takes mail to your own users from everybody%s.",
                 p->ours && p->listener && p->listener->mode == MODE_AUDIT
                     ? "; Mailreeve is in mode audit there"
                     : "");
    sm_fix_modifiers(f, p, "a", "A");
    sm_fix_make(f);
}

void sm_passwords_in_log(struct sm_doctor *s)
{
    if (cf_log_level(&s->cf) < PASSWORDS_LOGGED_FROM)
        return;
    struct fault *f = sm_option_fault(s, FAULT_PASSWORDS_IN_LOG, "LogLevel");
    fault_detail(f,
                 "From 14 on Sendmail logs what clients send, AUTH included; passwords that were "
                 "logged should be changed.");
    fault_fix(f, "in sendmail.mc: define(`confLOG_LEVEL', `9')dnl");
    sm_fix_make(f);
    fault_fix(f, "remove the old logs, and have the passwords changed that are in them");
}
