# SPDX-License-Identifier: Apache-2.0
"""Upsets that need a filter; see upsets.py."""
import cases
from case import Case
from cases import SENT, STARTTLS
from smtp import HELO
from upsets import AWAY, IN_CLEAR, configured, dialogue, faults_of, listener_says, session, sign_on

MAIL = "MAIL FROM:<alice@example.com>"


def session_keeps_its_policy(rig):
    """a session keeps the policy it began with across a reload, the next one has the new"""
    with session(rig, "submission") as say:
        found = dialogue(say, f"EHLO {HELO} => 250", f"{MAIL} => 530 5.7.0")
        with listener_says(rig, "submission", "mode: audit"):
            found += dialogue(say, f"{MAIL} => 530 5.7.0", "QUIT => 221")
            with session(rig, "submission") as say_again:
                found += dialogue(say_again, f"EHLO {HELO} => 250", f"{MAIL} => 250", "QUIT => 221")
    rig.lines()
    return found + faults_of(rig, IN_CLEAR)


def death_of_the_filter_in_mid_session(rig):
    """the milter is SIGKILLed in mid-session: that session is deferred to its end, the next one works"""
    away = AWAY[rig.way][2]
    with session(rig, "submission") as say:
        sign_on(say)
        rig.milter.kill()
        found = dialogue(say, f"{MAIL} => {away}")
        rig.milter.start()
        found += dialogue(say, "RSET => 250", f"{MAIL} => {away}", "QUIT => 221")
    rig.lines()
    with session(rig, "submission") as say:
        sign_on(say)
        found += dialogue(say, f"{MAIL} => 250", "RCPT TO:<bob@example.com> => 250", "DATA => 250", "QUIT => 221")
    rig.lines()
    return found


def inbound_goes_on_in_mid_session(rig):
    """the milter is SIGKILLed in mid-session on 25: that session goes on"""
    with session(rig, "smtp") as say:
        found = dialogue(say, f"EHLO {HELO} => 250", f"{MAIL} => 250", "RCPT TO:<bob@example.com> => 250")
        rig.milter.kill()
        found += dialogue(say, "DATA => 250", f"{MAIL} => 250", "RCPT TO:<bob@example.com> => 250", "DATA => 250",
                          "QUIT => 221")
    rig.milter.start()
    rig.lines()
    return found


def certificates_unknown_to_the_filter(rig):
    """where a certificate is trusted, a filter of Postfix, which is not told of any, asks nobody under TLS for AUTH"""
    with configured(rig, certificates=[rig.certificates["relay"].fingerprint]):
        found = faults_of(rig, *(Case("certified", "raw", f"no AUTH, {shown}", SENT, "pass", certificate=shown, **STARTTLS)
                                 for shown in ("relay", "stranger")), IN_CLEAR)
    return found + faults_of(rig, Case("certified", "raw", "no AUTH", cases.NEEDS_AUTH, "reject", "auth-required",
                                       certificate="relay", **STARTTLS))
