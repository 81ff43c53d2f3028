# SPDX-License-Identifier: Apache-2.0
"""One good configuration of a Postfix, and for every fault one small edit that shows it. Expected by hand.

A case is (name, edits, found, more). An edit is (file, old, new): old "" appends, and old must be there once. Found is
(id, severity, file, line, evidence): line is the text of the line that is to be named, evidence what must be shown.
more: options for the command; "left": what is still found when the advice has been followed (None: it is no command).
"""
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = "mail.example.com"

MAIN = """\
# a good one
compatibility_level = 3.6
myhostname = mail.example.com
mynetworks = 127.0.0.0/8, [::1]/128
smtpd_tls_security_level = may
smtpd_tls_chain_files = DIR/server.key, DIR/server.pem
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtputf8_enable = no
""" + (ROOT / "etc/postfix/main.cf").read_text()

# etc/postfix/master.cf leaves TLS 1.0 to Mailreeve, which refuses it with a sentence; here Postfix does
MASTER = "smtp inet n - y - - smtpd\n" + (ROOT / "etc/postfix/master.cf").read_text().replace(
    "smtpd_tls_security_level=may", "smtpd_tls_security_level=may -o smtpd_tls_protocols=>=TLSv1.2") + """
127.0.0.1:10025 inet n - n - - smtpd
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
  -o smtpd_sasl_auth_enable=no
pickup    unix  n       -       y       60      1       pickup
cleanup   unix  n       -       y       -       0       cleanup
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
  -o syslog_name=postfix/$service_name
"""
YAML = "mode: enforce\nlisteners:\n  - {names: [smtp], port: 25, role: smtp}\n  - {names: [submission], port: 587, role: submission}\n" \
       "  - {names: [submissions], port: 465, role: submissions}\n  - {names: [alternate], port: 2525, role: submission}\n" \
       "journal: {path: DIR/journal}\n"

E, W, N = "error", "warning", "note"
SMTP, SUB, SUBS, ALT = "smtp inet n", "submission inet n", "submissions inet n", "2525      inet"
MAILREEVE = "{ unix:mailreeve/policyd.sock, policy_context=%s, timeout=2s, "
SUB_LIST = "smtpd_recipient_restrictions=$mailreeve_submission,permit_sasl_authenticated,reject"
SUBS_LIST = "smtpd_recipient_restrictions=$mailreeve_submissions,permit_sasl_authenticated,reject"

# the options of a service in master.cf
OF_25 = ("master", SMTP + " - y - - smtpd\n")
OF_SUB = ("master", "syslog_name=postfix/submission\n")
OF_SUBS = ("master", "syslog_name=postfix/submissions\n")


def more(of, *options):
    """An edit that adds options behind a line of master.cf."""
    return (*of, of[1] + "".join(f"  -o {option}\n" for option in options))


def main(line):
    return ("main", "", line + "\n")


NO_MAILREEVE = [("yaml", YAML, None), ("master", "$mailreeve_submission,", ""), ("master", "$mailreeve_submissions,", ""),
                ("master", "$mailreeve_alternate,", "")]
NO_SUBS = [("master", MASTER[MASTER.index("submissions inet"):MASTER.index("2525  ")], "")]
WITH_MILTER = [
    main("mailreeve_milter = { unix:mailreeve-milter/milter.sock, default_action=tempfail, connect_timeout=5s }"),
    more(OF_SUB, "smtpd_milters=$mailreeve_milter"), more(OF_SUBS, "smtpd_milters=$mailreeve_milter"),
    more(("master", "syslog_name=postfix/alternate\n"), "smtpd_milters=$mailreeve_milter")]
HALF = [("master", NO_SUBS[0][1], "submissions inet n - y - - smtpd -o syslog_name=postfix/submissions\n")]

CASES = [
    ("nothing", [], [], {}),
    ("without Mailreeve", NO_MAILREEVE, [], {"unknown": 0}),
    # ---- AUTH
    ("AUTH on 25 in main.cf", [("main", "smtpd_sasl_auth_enable = no", "smtpd_sasl_auth_enable = yes")],
     [("auth-on-25", E, "main", "smtpd_sasl_auth_enable = yes", "smtpd_sasl_auth_enable = yes")], {}),
    ("AUTH on 25 in master.cf", [more(OF_25, "smtpd_sasl_auth_enable=yes")],
     [("auth-on-25", E, "master", "  -o smtpd_sasl_auth_enable=yes", "-o smtpd_sasl_auth_enable=yes")], {}),
    ("AUTH on 25 of postscreen", [("master", OF_25[1], "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n")],
     [("auth-on-25", E, "master", "  -o smtpd_sasl_auth_enable=yes", "-o smtpd_sasl_auth_enable=yes")], {}),
    ("AUTH on 25 with Mailreeve there", [
        main("mailreeve_smtp = check_policy_service { unix:mailreeve/policyd.sock, policy_context=smtp, timeout=2s, default_action=DUNNO }\n"
             "smtpd_restriction_classes = mailreeve_smtp\nsmtpd_recipient_restrictions = check_sasl_access static:mailreeve_smtp"),
        more(OF_25, "smtpd_sasl_auth_enable=yes")],
     [("auth-on-25", W, "master", "  -o smtpd_sasl_auth_enable=yes", "-o smtpd_sasl_auth_enable=yes")], {}),
    ("the gate on 25", [more(OF_25, "smtpd_sasl_auth_enable=yes", "smtpd_sasl_type=dovecot", "smtpd_sasl_path=mailreeve-gate/gate.sock",
                             "smtpd_sasl_service=mailreeve-25", "smtpd_sasl_exceptions_networks=static:all", "smtpd_tls_auth_only=yes")], [], {}),
    ("a port 25 for this machine only", [("master", OF_25[1], "127.0.0.1:smtp inet n - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n")], [], {}),
    ("passwords without TLS", [("master", "  -o smtpd_tls_security_level=may -o smtpd_tls_protocols=>=TLSv1.2\n  -o smtpd_tls_auth_only=yes\n  -o smtpd_sasl_auth_enable=yes\n"
                                "  -o smtpd_client_restrictions=\n  -o smtpd_helo_restrictions=\n  -o smtpd_sender_restrictions=\n  -o smtpd_relay_restrictions=\n  -o " + SUB_LIST,
                                "  -o smtpd_tls_security_level=may -o smtpd_tls_protocols=>=TLSv1.2\n  -o smtpd_tls_auth_only=no\n  -o smtpd_sasl_auth_enable=yes\n"
                                "  -o smtpd_client_restrictions=\n  -o smtpd_helo_restrictions=\n  -o smtpd_sender_restrictions=\n  -o smtpd_relay_restrictions=\n  -o " + SUB_LIST)],
     [("auth-without-tls", E, "master", "  -o smtpd_tls_auth_only=no", "-o smtpd_tls_auth_only=no")], {}),
    ("passwords without TLS, and none in clear", [more(OF_SUB, "smtpd_sasl_security_options=noanonymous,noplaintext"),
                                                  ("master", "  -o smtpd_tls_auth_only=yes\n  -o smtpd_sasl_auth_enable=yes\n  -o smtpd_client_restrictions=\n  -o smtpd_helo_restrictions=\n"
                                                   "  -o smtpd_sender_restrictions=\n  -o smtpd_relay_restrictions=\n  -o " + SUB_LIST,
                                                   "  -o smtpd_tls_auth_only=no\n  -o smtpd_sasl_auth_enable=yes\n  -o smtpd_client_restrictions=\n  -o smtpd_helo_restrictions=\n"
                                                   "  -o smtpd_sender_restrictions=\n  -o smtpd_relay_restrictions=\n  -o " + SUB_LIST), ("yaml", "mode: enforce", "mode: audit")],
     [("tls-not-required", E, "master", "  -o smtpd_tls_security_level=may -o smtpd_tls_protocols=>=TLSv1.2", "-o smtpd_tls_security_level=may")], {}),
    ("passwords without TLS, by the default", [("master", "  -o smtpd_tls_auth_only=yes\n", "", 3), ("main", "smtpd_tls_auth_only = yes\n", "")],
     [("auth-without-tls", E, "master", SUB, "smtpd_tls_auth_only = no (default of Postfix 3.7.11)")], {}),
    # ---- TLS modes
    ("TLS demanded on 25", [more(OF_25, "smtpd_tls_security_level=encrypt")],
     [("tls-required-on-25", E, "master", "  -o smtpd_tls_security_level=encrypt", "-o smtpd_tls_security_level=encrypt")], {}),
    ("TLS demanded on 25 by inheritance", [("main", "smtpd_tls_security_level = may", "smtpd_tls_security_level = encrypt")],
     [("tls-required-on-25", E, "main", "smtpd_tls_security_level = encrypt", "smtpd_tls_security_level = encrypt")], {}),
    ("TLS demanded on 25 in the old way", [("main", "smtpd_tls_security_level = may", "smtpd_enforce_tls = yes")],
     [("tls-required-on-25", E, "main", "smtpd_enforce_tls = yes", "smtpd_enforce_tls = yes")], {}),
    ("TLS demanded on a 25 that is not public", [more(OF_25, "smtpd_tls_security_level=encrypt"), ("yaml", "port: 25, role: smtp", "port: 25, role: smtp, public: false")], [], {}),
    ("465 in clear text", [("master", "smtpd_tls_wrappermode=yes", "smtpd_tls_security_level=encrypt")],
     [("cleartext-on-submissions-port", E, "master", SUBS, "smtpd_tls_wrappermode = no (default of Postfix 3.7.11)")], {}),
    ("TLS at once on 587", [more(OF_SUB, "smtpd_tls_wrappermode=yes")],
     [("tls-at-once-on-starttls-port", E, "master", "  -o smtpd_tls_wrappermode=yes", "-o smtpd_tls_wrappermode=yes"),
      ("listener-role", E, "master", SUB, "port 587 is submission in mailreeve.yaml:4, submissions in Postfix")], {}),
    ("wrappermode in main.cf", [main("smtpd_tls_wrappermode = yes"), main("relayhost = [relay.example.net]:465"),
                                ("master", "  -o smtpd_tls_wrappermode=yes\n", ""), more(("master", "syslog_name=postfix/alternate\n"), "smtpd_tls_wrappermode=no")],
     [("tls-at-once-on-starttls-port", E, "main", "smtpd_tls_wrappermode = yes", "smtpd_tls_wrappermode = yes"),
      ("listener-role", E, "master", SUB, "port 587")], {}),
    ("587 without TLS", [("master", "  -o smtpd_tls_security_level=may -o smtpd_tls_protocols=>=TLSv1.2\n", "  -o smtpd_tls_security_level=none\n", 1)],
     [("submission-without-tls", E, "master", "  -o smtpd_tls_security_level=none", "-o smtpd_tls_security_level=none")], {}),
    ("587 that does not announce STARTTLS", [more(OF_SUB, "smtpd_discard_ehlo_keywords=starttls")],
     [("submission-without-tls", E, "master", "  -o smtpd_discard_ehlo_keywords=starttls", "-o smtpd_discard_ehlo_keywords=starttls")], {}),
    ("587 without TLS, which a proxy does", [("master", "  -o smtpd_tls_security_level=may -o smtpd_tls_protocols=>=TLSv1.2\n", "  -o smtpd_tls_security_level=none\n", 1),
                                             ("yaml", "port: 587, role: submission", "port: 587, role: submission, tls_by: proxy")], [], {}),
    ("old TLS where it is optional", [("master", "  -o smtpd_tls_security_level=may -o smtpd_tls_protocols=>=TLSv1.2\n", "  -o smtpd_tls_security_level=may\n", 1), ("yaml", "mode: enforce", "mode: audit")],
     [("tls-old-versions", W, "master", SUB, "smtpd_tls_protocols = >=TLSv1 (default of Postfix 3.7.11)")], {}),
    ("old TLS, and Mailreeve refuses it", [("master", "  -o smtpd_tls_security_level=may -o smtpd_tls_protocols=>=TLSv1.2\n", "  -o smtpd_tls_security_level=may\n", 1)],
     [("tls-old-versions", N, "master", SUB, "smtpd_tls_protocols = >=TLSv1 (default of Postfix 3.7.11)")], {}),
    ("old TLS where it is mandatory", [("main", "smtpd_tls_mandatory_protocols = >=TLSv1.2", "smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3"), ("yaml", "mode: enforce", "mode: audit")],
     [("tls-old-versions", W, "main", "smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3", "smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3")], {}),
    ("new TLS in the old spelling", [("main", ">=TLSv1.2", "!SSLv2:!SSLv3:!TLSv1 !TLSv1.1")], [], {}),
    ("new TLS by number", [("main", ">=TLSv1.2", ">=0303,<=0x0304")], [], {}),
    ("only old TLS", [("main", ">=TLSv1.2", "TLSv1, TLSv1.1")],
     [("tls-1.2-missing", E, "main", "smtpd_tls_mandatory_protocols = TLSv1, TLSv1.1", "smtpd_tls_mandatory_protocols = TLSv1, TLSv1.1")], {}),
    ("no TLS version", [("main", ">=TLSv1.2", ">=TLS1.2")],
     [("tls-1.2-missing", E, "main", "smtpd_tls_mandatory_protocols = >=TLS1.2", "smtpd_tls_mandatory_protocols = >=TLS1.2")], {}),
    # ---- ports
    ("no 465", NO_SUBS, [("no-submissions-port", W, "master", SUB, "AUTH is on in submission/inet")],
     {"left": ["policyd-not-asked"]}),
    ("no 587", [("master", MASTER[MASTER.index("submission inet"):MASTER.index("submissions inet")], "")],
     [("no-submission-port", N, "master", SUBS, "AUTH is on in submissions/inet")], {"left": ["policyd-not-asked"]}),
    ("587 without AUTH", [("master", "  -o smtpd_sasl_auth_enable=yes\n", "", 1)],
     [("submission-without-auth", E, "main", "smtpd_sasl_auth_enable = no", "smtpd_sasl_auth_enable = no")], {}),
    ("587 that does not announce AUTH", [more(OF_SUB, "smtpd_discard_ehlo_keywords=auth")],
     [("submission-without-auth", E, "master", "  -o smtpd_discard_ehlo_keywords=auth", "-o smtpd_discard_ehlo_keywords=auth")], {}),
    ("587 for certificates", [("master", "  -o smtpd_sasl_auth_enable=yes\n", "", 1), ("master", "submission,permit_sasl_authenticated", "submission,permit_tls_clientcerts")], [], {}),
    ("587 takes mail from anybody", [("master", "$mailreeve_submission,permit_sasl_authenticated,reject", "$mailreeve_submission,permit_sasl_authenticated"),
                                     ("yaml", "mode: enforce", "mode: audit")],
     [("submission-open", E, "master", "  -o smtpd_relay_restrictions=", "-o smtpd_relay_restrictions=")], {}),
    ("587 refuses nobody, but Mailreeve does", [("master", "$mailreeve_submission,permit_sasl_authenticated,reject", "$mailreeve_submission,permit_sasl_authenticated")], [], {}),
    ("587 whose reject only warns", [("master", "submission,permit_sasl_authenticated,reject", "submission,permit_sasl_authenticated,warn_if_reject,reject"), ("yaml", "mode: enforce", "mode: audit")],
     [("submission-open", E, "master", "  -o smtpd_relay_restrictions=", "-o smtpd_relay_restrictions=")], {}),
    ("587 with a table", [("master", "submission,permit_sasl_authenticated,reject", "submission,permit_sasl_authenticated,check_client_access,cidr:/x"), ("yaml", "mode: enforce", "mode: audit")],
     [("submission-open", W, "master", "  -o smtpd_relay_restrictions=", "-o smtpd_relay_restrictions=")], {}),
    ("half of the block for 465", HALF + NO_MAILREEVE[:2] + [("master", "$mailreeve_alternate,", "")],
     [("cleartext-on-submissions-port", E, "master", SUBS, "smtpd_tls_wrappermode = no"),
      ("submission-without-auth", E, "main", "smtpd_sasl_auth_enable = no", "smtpd_sasl_auth_enable = no"),
      ("submission-open", E, "master", SUBS, "smtpd_relay_restrictions = permit_mynetworks")], {"unknown": 0}),
    # ---- names mixed up
    ("smtp_tls_wrappermode on 465", [("master", "smtpd_tls_wrappermode=yes", "smtp_tls_wrappermode=yes")],
     [("client-option-on-server", E, "master", "  -o smtp_tls_wrappermode=yes", "-o smtp_tls_wrappermode=yes")], {}),
    ("smtp_tls_security_level on 587", [("master", "  -o smtpd_tls_security_level=may -o smtpd_tls_protocols=>=TLSv1.2\n", "  -o smtp_tls_security_level=encrypt\n", 1)],
     [("client-option-on-server", E, "master", "  -o smtp_tls_security_level=encrypt", "-o smtp_tls_security_level=encrypt"),
      ("tls-old-versions", N, "master", SUB, "smtpd_tls_protocols")], {}),
    ("smtp_sasl_auth_enable on 465", [("master", "  -o smtpd_sasl_auth_enable=yes\n  -o smtpd_client_restrictions=\n  -o smtpd_helo_restrictions=\n  -o smtpd_sender_restrictions=\n  -o smtpd_relay_restrictions=\n  -o " + SUBS_LIST,
                                       "  -o smtp_sasl_auth_enable=yes\n  -o smtpd_client_restrictions=\n  -o smtpd_helo_restrictions=\n  -o smtpd_sender_restrictions=\n  -o smtpd_relay_restrictions=\n  -o " + SUBS_LIST)],
     [("client-option-on-server", E, "master", "  -o smtp_sasl_auth_enable=yes", "-o smtp_sasl_auth_enable=yes")], {}),
    ("a remnant beside the right one", [more(OF_SUBS, "smtp_tls_wrappermode=yes")],
     [("client-option-on-server", W, "master", "  -o smtp_tls_wrappermode=yes", "-o smtp_tls_wrappermode=yes")], {}),
    ("smtpd_ on the client", [("master", "  -o syslog_name=postfix/$service_name\n", "  -o syslog_name=postfix/$service_name\n  -o smtpd_tls_security_level=may\n")],
     [("client-option-on-server", E, "master", "  -o smtpd_tls_security_level=may", "-o smtpd_tls_security_level=may", 3)], {}),
    ("465 and 587 with one name", [("master", "syslog_name=postfix/submissions", "syslog_name=postfix/submission")],
     [("shared-syslog-name", W, "master", "  -o syslog_name=postfix/submission", "-o syslog_name=postfix/submission", 2)], {}),
    ("25 and 587 with one name", [("master", "  -o syslog_name=postfix/submission\n", "")],
     [("shared-syslog-name", W, "master", SUB, "syslog_name = postfix (default of Postfix 3.7.11)")], {}),
    ("a misspelt name", [main("smtpd_tls_auth_onyl = yes")],
     [("postconf-warns", W, "main", "smtpd_tls_auth_onyl = yes", "unused parameter: smtpd_tls_auth_onyl=yes")], {"postconf": True}),
    ("a line that is there twice", [main("smtpd_tls_loglevel = 1\nsmtpd_tls_loglevel = 0")],
     [("postconf-warns", W, None, None, "overriding earlier entry: smtpd_tls_loglevel=1")], {"postconf": True, "left": None}),
    ("a login port that logs all", [("master", "submission inet n       -       y       -       -       smtpd", "submission inet n       -       y       -       -       smtpd -v")],
     [("passwords-in-log", E, "master", SUB, "smtpd -v")], {"left": None}),
    ("clients whose lines are logged", [main("debug_peer_list = 192.0.2.1")],
     [("passwords-in-log", W, "main", "debug_peer_list = 192.0.2.1", "debug_peer_list = 192.0.2.1")], {}),
    # ---- networks
    ("containers in mynetworks", [main("mynetworks = 127.0.0.0/8 172.17.0.0/16"), ("master", "submission,permit_sasl", "submission,permit_mynetworks,permit_sasl")],
     [("postconf-warns", W, None, None, "overriding earlier entry: mynetworks"), ("trusted-proxy", W, "main", "mynetworks = 127.0.0.0/8 172.17.0.0/16", "mynetworks has 172.17.0.0/16")],
     {"left": ["postconf-warns"]}),
    ("the Internet in mynetworks", [("main", "127.0.0.0/8, [::1]/128", "0.0.0.0/0 [2000::]/3"), ("master", "submission,permit_sasl", "submission,permit_mynetworks,permit_sasl")],
     [("trusted-proxy", E, "main", "mynetworks = 0.0.0.0/0 [2000::]/3", "mynetworks has 0.0.0.0/0, [2000::]/3")], {}),
    ("large networks of one's own", [("main", "127.0.0.0/8, [::1]/128", "10.0.0.0/8 192.168.0.0/16 [fc00::]/7 198.51.0.0/16 !192.0.2.1"), ("master", "submission,permit_sasl", "submission,permit_mynetworks,permit_sasl")], [], {}),
    ("containers in mynetworks that nothing permits", [("main", "127.0.0.0/8, [::1]/128", "172.17.0.0/16")], [], {}),
    ("containers in mailreeve.yaml", [("yaml", "journal:", "trusted: {networks: [127.0.0.1, 10.88.0.0/24, 10.0.0.0/8, 8.0.0.0/7]}\njournal:")],
     [("trusted-proxy", E, "yaml", "", "trusted.networks has 8.0.0.0/7"), ("trusted-proxy", W, "yaml", "", "trusted.networks has 10.88.0.0/24")], {"left": None}),
    ("a proxy in mailreeve.yaml", [("yaml", "journal:", "trusted: {networks: [192.0.2.0/24]}\njournal:"), more(OF_SUB, "smtpd_authorized_xclient_hosts=192.0.2.7")],
     [("trusted-proxy", W, "master", "  -o smtpd_authorized_xclient_hosts=192.0.2.7", "-o smtpd_authorized_xclient_hosts=192.0.2.7")], {"left": None}),
    # ---- Mailreeve
    ("mailreeve.yaml is wrong", [("yaml", "mode: enforce", "mod: enforce")],
     [("configuration-wrong", E, "yaml", "mod: enforce", 'unknown key "mod"')], {"left": None}),
    ("a port that it does not name", [("yaml", "  - {names: [alternate], port: 2525, role: submission}\n", "")],
     [("listener-unknown", W, "master", ALT, "port 2525, submission")], {"left": None}),
    ("another role", [("yaml", "port: 2525, role: submission", "port: 2525, role: submissions")],
     [("listener-role", E, "master", ALT, "port 2525 is submissions in mailreeve.yaml:6, submission in Postfix")], {"left": None}),
    ("not asked on one port", [("master", "$mailreeve_submissions,", "")],
     [("policyd-not-asked", E, "master", "  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject", "-o smtpd_recipient_restrictions=permit_sasl_authenticated,reject")], {}),
    ("not asked at all", NO_MAILREEVE[1:],
     [("policyd-not-asked", E, "master", "  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject", "-o smtpd_recipient_restrictions=permit_sasl_authenticated,reject"),
      ("policyd-not-asked", E, "master", None, "-o smtpd_recipient_restrictions=permit_sasl_authenticated,reject"),
      ("policyd-not-asked", E, "master", None, "-o smtpd_recipient_restrictions=permit_sasl_authenticated,reject")], {}),
    ("asked under another name", [("main", MAILREEVE % "submission", "{ inet:127.0.0.1:10040, policy_context=submission, timeout=2s, ")], [], {}),
    ("asked without a variable", [("master", SUB_LIST, "{ smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:10040, permit_sasl_authenticated, reject }"),
                                  ("yaml", "journal:", 'policyd: {listen: ["inet:127.0.0.1:10040"]}\njournal:')], [], {}),
    ("somebody else is asked", [("master", SUB_LIST, "{ smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:10023, permit_sasl_authenticated, reject }")],
     [("policyd-not-asked", E, "master", "  -o { smtpd_recipient_restrictions = check", "-o smtpd_recipient_restrictions=check_policy_service inet:127.0.0.1:10023")], {}),
    ("behind permit_sasl_authenticated", [("master", SUB_LIST, "smtpd_recipient_restrictions=permit_sasl_authenticated,$mailreeve_submission,reject")],
     [("policyd-after-permit", E, "master", "  -o smtpd_recipient_restrictions=permit_sasl_authenticated,$mailreeve_submission,reject", "-o smtpd_recipient_restrictions=permit_sasl")], {}),
    ("behind reject", [("master", SUB_LIST, "smtpd_recipient_restrictions=permit_sasl_authenticated,reject,$mailreeve_submission")],
     [("policyd-after-permit", E, "master", "  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject,$mailreeve_submission", "-o smtpd_recipient_restrictions=permit_sasl")], {}),
    ("behind permit_mynetworks", [("master", SUB_LIST, "smtpd_recipient_restrictions=permit_mynetworks,$mailreeve_submission,permit_sasl_authenticated,reject")],
     [("policyd-after-permit", W, "master", "  -o smtpd_recipient_restrictions=permit_mynetworks,$mailreeve_submission,permit_sasl_authenticated,reject", "-o smtpd_recipient_restrictions=permit_mynet")], {}),
    ("behind a reject for some", [("master", SUB_LIST, "smtpd_recipient_restrictions=reject_non_fqdn_recipient,$mailreeve_submission,permit_sasl_authenticated,reject")],
     [("policyd-after-reject", N, "master", "  -o smtpd_recipient_restrictions=reject_non_fqdn_recipient", "-o smtpd_recipient_restrictions=reject_non_fqdn_recipient")], {"left": None}),
    ("in an earlier list", [("master", "  -o smtpd_client_restrictions=\n", "  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n", 1)],
     [("policyd-after-reject", N, "master", "  -o " + SUB_LIST, "-o " + SUB_LIST)], {"left": None}),
    # ---- when it does not answer
    ("policyd fails open", [("main", MAILREEVE % "submission" + "{ default_action = 451 4.3.5 Try again later } }", MAILREEVE % "submission" + "default_action=DUNNO }")],
     [("fails-open", W, "main", "mailreeve_submission =", "mailreeve_submission = check_policy_service { unix:mailreeve/policyd.sock")], {}),
    ("policyd fails open for all", [("main", ", { default_action = 451 4.3.5 Try again later }", "", 3), main("smtpd_policy_service_default_action = dunno")],
     [("fails-open", W, "main", "smtpd_policy_service_default_action = dunno", "smtpd_policy_service_default_action = dunno")], {"left": ["fails-open"]}),
    ("policyd closes 25", [more(OF_25, "smtpd_recipient_restrictions=$mailreeve_submission")],
     [("fails-closed", E, "main", "mailreeve_submission =", "default_action = 451 4.3.5")], {}),
    ("a milter as it should be", WITH_MILTER, [], {}),
    ("a milter on some ports", WITH_MILTER[:2],
     [("milter-not-asked", W, "master", SUBS, "smtpd_milters ="), ("milter-not-asked", W, "master", ALT, "smtpd_milters =")], {}),
    ("a milter, and policyd not", WITH_MILTER + [("master", "$mailreeve_submissions,", "")],
     [("policyd-not-asked", W, "master", "  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject", "-o smtpd_recipient_restrictions")], {}),
    ("a milter fails open", [(f, o, n.replace("default_action=tempfail", "default_action=accept")) for f, o, n in WITH_MILTER],
     [("fails-open", W, "main", "mailreeve_milter =", "default_action=accept")], {}),
    ("a milter fails open by milter_default_action", [(f, o, n.replace("default_action=tempfail, ", "")) for f, o, n in WITH_MILTER] + [main("milter_default_action = accept")],
     [("fails-open", W, "main", "milter_default_action = accept", "milter_default_action = accept")], {}),
    ("a milter fails as this version likes", [(f, o, n.replace("default_action=tempfail, ", "")) for f, o, n in WITH_MILTER],
     [("milter-default-action", W, "master", SUB, "milter_default_action = tempfail (default of Postfix 3.7.11)"),
      ("milter-default-action", W, "master", SUBS, "milter_default_action"), ("milter-default-action", W, "master", ALT, "milter_default_action")], {}),
    ("a milter action that 3.7.11 does not know", [(f, o, n.replace("tempfail", "shutdown")) for f, o, n in WITH_MILTER],
     [("milter-default-action", W, "main", "mailreeve_milter =", "default_action=shutdown")], {}),
    ("a milter closes 25", WITH_MILTER + [more(OF_25, "smtpd_milters=$mailreeve_milter")],
     [("fails-closed", E, "main", "mailreeve_milter =", "default_action=tempfail")], {}),
    ("a milter on 25 that opens", WITH_MILTER + [main("mailreeve_milter_smtp = { unix:mailreeve-milter/milter.sock, default_action=accept }"), more(OF_25, "smtpd_milters=$mailreeve_milter_smtp")], [], {}),
    ("SMTPUTF8 hides TLS", [("main", "smtputf8_enable = no\n", "")], [("tls-at-once-unseen", N, "master", SUB, "smtputf8_enable = yes (default of Postfix 3.7.11)")],
     {"left": None, "postconf": True}),
    ("SMTPUTF8 hides TLS, but the tap sees it", [("main", "smtputf8_enable = no\n", "")], [], {"tap": True}),
    ("several instances", [main("multi_instance_directories = /etc/postfix-out")], [], {"unknown": 2}),
    # ---- certificates
    ("no certificate", [("main", "smtpd_tls_chain_files = DIR/server.key, DIR/server.pem\n", "")],
     [("certificate-missing", E, "master", SUB, "smtpd_tls_cert_file =")], {"left": None}),
    ("a certificate that is not in the copy", [("main", "DIR/server.key, DIR/server.pem", "/nowhere/key.pem /nowhere/chain.pem")], [], {"unknown": 3}),
    ("a certificate that is none", [("main", "DIR/server.key, DIR/server.pem", "DIR/server.key DIR/main.cf")],
     [("certificate-unreadable", E, "main", "smtpd_tls_chain_files =", "DIR/main.cf")], {"left": None}),
    ("another key", [("main", "DIR/server.key, DIR/server.pem", "DIR/other.key DIR/server.pem")],
     [("certificate-key", E, "main", "smtpd_tls_chain_files =", "smtpd_tls_chain_files = DIR/other.key DIR/server.pem")], {"left": None}),
    ("key and certificate in the older way", [("main", "smtpd_tls_chain_files = DIR/server.key, DIR/server.pem", "smtpd_tls_cert_file = DIR/server.pem\nsmtpd_tls_key_file = DIR/server.key")], [], {}),
    ("another key in the older way", [("main", "smtpd_tls_chain_files = DIR/server.key, DIR/server.pem", "smtpd_tls_cert_file = DIR/server.pem\nsmtpd_tls_key_file = DIR/other.key")],
     [("certificate-key", E, "main", "smtpd_tls_cert_file =", "smtpd_tls_cert_file = DIR/server.pem")], {"left": None}),
    ("both in one file", [("main", "DIR/server.key, DIR/server.pem", "$config_directory/both.pem")], [], {}),
    ("a certificate of another port", [more(OF_SUBS, "smtpd_tls_chain_files=DIR/other.key,DIR/other.pem")],
     [("certificate-name", E, "master", "  -o smtpd_tls_chain_files=", "-o smtpd_tls_chain_files=DIR/other.key,DIR/other.pem"),
      ("certificate-self-signed", E, "master", "  -o smtpd_tls_chain_files=", "-o smtpd_tls_chain_files=")], {"left": None}),
    ("a certificate of port 25 only need work", [more(OF_25, "smtpd_tls_chain_files=DIR/other.key,DIR/other.pem")], [], {}),
    ("a name that it does not hold", [], [("certificate-name", E, "main", "smtpd_tls_chain_files =", "")], {"left": None, "options": ["--name", "smtp.example.org"]}),
    ("expired", [], [("certificate-expired", E, "main", "smtpd_tls_chain_files =", "")], {"left": None, "days": 401}),
    ("soon to expire", [], [("certificate-expires-soon", W, "main", "smtpd_tls_chain_files =", "")], {"left": None, "days": 390}),
    ("self-signed", [], [("certificate-self-signed", E, "main", "smtpd_tls_chain_files =", "")], {"left": None, "ca": False}),
    ("names that a table has", [main("tls_server_sni_maps = hash:/etc/postfix/sni")], [], {"unknown": 2, "options": ["--name", "smtp.example.org"]}),
]
