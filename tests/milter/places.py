# SPDX-License-Identifier: Apache-2.0
"""Where a session is and whose: addresses in every spelling, the key that joins it with other programs' records, sockets that
stand for a listener, and what must not be written down."""
import glob
import os
import signal
import stat

import wire
from daemon import AUTHENTICATE, NOT_ON_25, STARTTLS, Client, Daemon, expect, free_port, same, test, wait_for
from milterd import LISTENERS, NAME, Milter, shared
from sessions import Postfix, Sendmail, play
from verdicts import ENCRYPTED, PASS, fence

# {daemon_addr} and {if_addr} as they are told (None: not), and server_address in the journal
SERVERS = [
    ({"daemon_addr": "198.51.100.1"}, "198.51.100.1"), ({"daemon_addr": "::1"}, "::1"), ({"daemon_addr": "IPv6:::1"}, "::1"),
    ({"daemon_addr": "IPv6:0:0:0:0:0:0:0:1"}, "::1"), ({"daemon_addr": "IPv6:2001:DB8:0:0:0:0:0:1"}, "2001:db8::1"),
    ({"daemon_addr": "ipv6:2001:db8::1"}, "2001:db8::1"), ({"daemon_addr": "0.0.0.0"}, None), ({"daemon_addr": "::"}, None),
    ({"daemon_addr": "IPv6:::"}, None), ({"daemon_addr": ""}, None), ({"daemon_addr": None}, None),
    ({"daemon_addr": "here"}, None), ({"daemon_addr": "x" * 3000}, None),
    ({"daemon_addr": "0.0.0.0", "if_addr": "203.0.113.9"}, "203.0.113.9"),
    ({"daemon_addr": "IPv6:::", "if_addr": "IPv6:2001:db8:0:0:0:0:0:9"}, "2001:db8::9"),
    ({"daemon_addr": "198.51.100.1", "if_addr": "198.51.100.2"}, "198.51.100.2"),
    ({"daemon_addr": "198.51.100.1", "if_addr": ""}, "198.51.100.1"),
]


@test
def server_addresses():
    """the server's address as Postfix and Sendmail spell it, also IPv6 and "all addresses", is one spelling in the journal"""
    done = []
    for persona in (Postfix, Sendmail):
        for changes, expected in SERVERS:
            with persona(shared().address, changes={"CONNECT": changes}) as session:
                same(play(session, "ehlo mail"), STARTTLS, f"{changes}")
                done.append((session.client_port, changes, expected))
    fence()
    for port, changes, expected in done:
        (line,) = shared().of_client(port, "decision")
        same(line.get("server_address"), expected, f"server_address for {str(changes)[:80]}")
        expect(bool(line["key"]) == bool(expected), f"key {line['key']} for {str(changes)[:80]}")


@test
def client_addresses():
    """the client's address comes from CONNECT, whatever {client_addr} says; IPv4 inside IPv6 too"""
    for client, expected in (("192.0.2.200", "192.0.2.200"), ("::1", "::1"), ("2001:db8::17", "2001:db8::17"),
                             ("2001:db8:0:0:0:0:0:17", "2001:db8::17")):
        with Postfix(shared().address, client=client, changes={"CONNECT": {"client_addr": "203.0.113.77"}}) as session:
            same(play(session, "ehlo mail"), STARTTLS, client)
        fence()
        (line,) = shared().of_client(session.client_port, "decision")
        same((line["client_address"], line["client_port"]), (expected, session.client_port), "the journal")


@test
def one_key():
    """the key of a session is the same from Postfix, from Sendmail and from mailreeve-policyd, and another for another session"""
    for client, server, at_policyd in (("192.0.2.17", "198.51.100.1", {}),
                                       ("2001:db8::17", "2001:db8::1", {"client_address": "2001:db8::17",
                                                                        "server_address": "2001:db8::1"})):
        sessions = []
        for persona in (Postfix, Postfix):
            with persona(shared().address, client=client, server=server) as session:
                sessions.append(session)
                play(session, "ehlo mail")
        # the same session, told by the other MTA
        with Sendmail(shared().address, client=client, server=server, client_port=sessions[0].client_port) as session:
            play(session, "ehlo mail")
        fence()
        lines = shared().of_client(sessions[0].client_port, "decision")
        same(len(lines), 2, "decisions about the same session")
        same(lines[0]["key"], lines[1]["key"], f"the keys of {client}")
        expect(lines[0]["key"] != shared().of_client(sessions[1].client_port)[0]["key"], "two sessions have one key")
        with Daemon(start=False) as policyd:        # shares the secret, so the journal's folder
            policyd.journal_path = shared().journal_path
            policyd.configure()
            policyd.start()
            with Client(policyd.path) as asking:
                asking.ask(client_port=str(sessions[0].client_port), instance=f"key.{client}", **at_policyd)
            (line,) = policyd.settled(instance=f"key.{client}")
            same(line["key"], lines[0]["key"], "policyd's key")


@test
def sockets_of_listeners():
    """several sockets, each with a process and a journal of its own; one that stands for a listener says where a session is"""
    port = free_port()
    with Milter(sockets=("{path: @/smtp.sock, listener: smtp}", "{path: @/smtps.sock, listener: smtps}",
                         f'"inet:127.0.0.1:{port}"')) as milter:
        addresses = [milter.address, f"unix:{milter.folder}/smtp.sock", f"unix:{milter.folder}/smtps.sock",
                     f"inet:127.0.0.1:{port}"]
        # Nothing else says where the session is.
        unknown = {"port": None, "changes": {"CONNECT": {"daemon_flags": None}}}
        for address, no_auth, auth in zip(addresses, ("accept", "accept", AUTHENTICATE, "accept"),
                                          ("accept", NOT_ON_25, PASS, "accept")):
            for persona in (Postfix, Sendmail):
                with persona(address, **unknown) as session:
                    same(play(session, f"{ENCRYPTED} mail"), no_auth, f"{address}, no AUTH")
                    same(play(session, "rset auth mail"), auth, f"{address}, AUTH")
        with Postfix(addresses[3]) as session:
            same(play(session, "ehlo mail"), STARTTLS, "over TCP")
        # The socket comes before what the MTA says, and that they do not agree is a finding.
        with Sendmail(addresses[1], 587, name="submission") as session:
            same(play(session, "ehlo auth mail"), NOT_ON_25, "a conflict")
        names = [NAME, *(f"{NAME}-{n}" for n in (2, 3, 4))]
        same([os.path.basename(path) for path in milter.directories()], names, "the journal's directories")
        for path in addresses[:3]:
            st = os.stat(path.removeprefix("unix:"))
            same(stat.S_IMODE(st.st_mode), 0o660, f"mode of {path}")
        milter.stop()
        counts = [milter.status(name)["counters"]["mails"] for name in names]
        same(counts, [4, 5, 4, 5], "the MAILs that each process counted")


def gone(pid):
    """Has that process ended? (A child of the milter whose parent has ended, too.)"""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@test
def a_process_falls():
    """when one of several processes falls, the others end too and the exit code tells: a half-dead milter is no milter"""
    for victim in (0, 1):
        with Milter(sockets=('"unix:@/2.sock"',)) as milter:
            children = milter.children()
            same(len(children), 2, "processes")
            os.kill(children[victim], signal.SIGKILL)
            expect(milter.ended() != 0, "exit code 0")
            expect("has ended" in milter.logged(), milter.logged())
            expect(all(map(gone, children)), "a process is left")


@test
def their_parent_falls():
    """when the process that looks after several is killed, these end too, and leave the sockets to the next start"""
    with Milter(sockets=('"unix:@/2.sock"',)) as milter:
        children = milter.children()
        try:
            os.kill(milter.pid, signal.SIGKILL)
            milter.ended()
            wait_for("its processes to end", lambda: all(map(gone, children)), 10)
        finally:
            for pid in children:
                if not gone(pid):
                    os.kill(pid, signal.SIGKILL)
        milter.start()
        with Postfix(f"unix:{milter.folder}/2.sock") as session:
            same(play(session, "ehlo mail"), STARTTLS, "the reply of the next one")


SECRETS = ["hunter2", "AGFsaWNlAGh1bnRlcjI=", "AHNlY3JldA==", "Zm9vYmFy"]


@test
def nothing_secret():
    """what came as an unknown command, in headers, as HELO's or MAIL's rest is in no journal and no log"""
    texts = [f"AUTH PLAIN {SECRETS[1]}", f"PASS {SECRETS[0]}", f"\x16\x03\x01{SECRETS[2]}", SECRETS[3], f"XAUTH\t{SECRETS[0]}",
             f"\x16\x03 {SECRETS[0]} \xff", f"STARTTLS {SECRETS[3]}"]
    more = "  - {names: [cut], port: 6587, role: submission, disconnect_implicit_tls: yes}\n"
    with Milter(listeners=LISTENERS + more) as milter:
        for persona in (Postfix, Sendmail):
            for port, steps in ((587, ""), (587, "ehlo"), (25, "ehlo"), (6587, ""), (465, ""), (587, f"{ENCRYPTED} auth mail")):
                for text in texts:
                    with persona(milter.address, port) as session:
                        play(session, steps)
                        session.unknown(text)
                        session.quit()
                        expect(session.ended(), "something came after QUIT")
            with persona(milter.address) as session:
                play(session, f"{ENCRYPTED} auth")
                session.tell("MAIL", session.at_mail())
                session.mail("<alice@example.com>", f"AUTH=<{SECRETS[0]}>", f"XPASS={SECRETS[1]}")
                session.message((("Subject", SECRETS[0]), ("X-Password", SECRETS[1]), ("User-Agent", SECRETS[2]),
                                 (SECRETS[3], "x")))
        milter.stop()
        written = milter.logged().encode("utf-8", "surrogateescape")
        for path in glob.glob(f"{milter.journal_path}/**/*", recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    written += f.read()
        for secret in SECRETS:
            expect(secret.encode() not in written, f"{secret} was written down")
        expect(b"implicit-tls-on-starttls-port" in written, "no finding: what was sent was not seen at all")


@test
def percent_signs():
    """a % in help_url is doubled on the wire, as the milter protocol wants it, and nothing else is"""
    for url, seen in (("https://h.example/%25?id=%id", "https://h.example/%25?id=auth-required"),
                      ("https://h.example/%25%41/100%25", "https://h.example/%25%41/100%25")):
        with Milter(more=f'help_url: "{url}"\n') as milter:
            with Sendmail(milter.address) as session:
                text = f"{AUTHENTICATE}; see {seen}"
                same(play(session, f"{ENCRYPTED} mail"), text, "the text as the client sees it")
                play(session, "rset ehlo")
                session.tell("MAIL", session.at_mail())
                same(session.mail(), wire.Reply("y", text.replace("%", "%%")), "the text on the wire")


@test
def counters():
    """the status counts connections, MAILs and findings; a peer that never negotiates does not upset it"""
    with Milter() as milter:
        open_ones = [Postfix(milter.address) for _ in range(5)]
        for _ in range(20):
            with wire.MTA(milter.address) as mta:
                mta.finish()
                expect(mta.ended(), "something came")
        for session in open_ones:
            same(play(session, "ehlo mail"), STARTTLS, "the reply")

        def counted(**expected):
            counters = milter.status()["counters"]
            return all(counters[name.replace("_", "-")] == value for name, value in expected.items())
        wait_for("the MAILs to be counted", lambda: counted(mails=5))
        same(milter.status()["counters"]["connections-open"], 5, "connections that are open")
        expect(counted(tls_required=5, auth_required=5), f"findings: {milter.status()['counters']}")
        for session in open_ones:
            session.close()
        wait_for("no connection to be open", lambda: counted(connections_open=0))
