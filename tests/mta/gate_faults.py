# SPDX-License-Identifier: Apache-2.0
"""What a client on port 25 sees while the gate is up, gone or hanging: each row of the table in docs/reliability.md is played, and what
is measured must be what the page says.

A row is the state of the gate, and whether the smtpd process has heard the gate's handshake before (`kept`) or begins with this
session (`new`); `kept, AUTH tried` is one that was kept, and whose client has tried AUTH while the gate was away. The cells are what becomes of
a session in clear text, of one with STARTTLS, and of an AUTH in that, with smtpd_tls_auth_only=yes; and the same three with =no.
"""
import concurrent.futures
import re
import signal
import time

from daemons import wait_for
from gate import REFUSED, Gone, Port, encode, pasted
from tree import REPOSITORY

PAGE = REPOSITORY / "docs/reliability.md"
AUTH_TIMEOUT = 10           # of Postfix's smtpd, for the auth server; seconds
SLOW, PATIENCE = 4.0, 18.0  # what takes between the two is that timeout
THROTTLE = 1                # service_throttle_time here; the default is 60 s
SETTINGS = f"service_throttle_time = {THROTTLE}s\n"

# One process for each port with `kept`, or another one might come that knows nothing of the gate.
PORTS = [Port(f"new-{only}", pasted(smtpd_tls_auth_only=only, max_use="1")) for only in ("yes", "no")] \
    + [Port(f"kept-{only}", pasted(smtpd_tls_auth_only=only), limit="1") for only in ("yes", "no")]


def rows():
    """The page's table: (id, the gate's state, smtpd, the six cells)."""
    for line in re.findall(r"^\| `gate-.*$", PAGE.read_text(), re.M):
        name, state, smtpd, *cells = (cell.strip().replace("`", "") for cell in line.strip("| ").split("|"))
        yield name, state, smtpd, tuple(cells)


# ---- the states ----------------------------------------------------------------------------------------------------

def stays(rig):
    pass


def hang(rig):
    rig.process.send_signal(signal.SIGSTOP)


def go_on(rig):
    rig.process.send_signal(signal.SIGCONT)


def restart(rig):
    rig.kill()
    rig.start()


def held_restart(rig):
    """systemctl restart: the socket is there all the time."""
    rig.stop()
    rig.start()


def held_stop(rig):
    rig.kill()


# state in the table: is the socket held by somebody else; what brings it about; what ends it
STATES = {
    "up": (False, stays, stays),
    "ended, no socket": (False, lambda rig: rig.stop(), lambda rig: rig.start()),
    "killed, stale socket": (False, lambda rig: rig.kill(), lambda rig: rig.start()),
    "hangs": (False, hang, go_on),
    "restarted": (False, restart, stays),
    "restarted, socket held": (True, held_restart, stays),
    "down, socket held": (True, held_stop, lambda rig: rig.start()),
}


TRIED_IN = "ended, no socket"       # where the third kind of smtpd is measured


# ---- what is measured ----------------------------------------------------------------------------------------------

def timed(step):
    """What a step came to, and whether it took as long as Postfix waits for the gate."""
    begun = time.monotonic()
    try:
        step()
        word = "goes on"
    except Gone as gone:
        word = str(gone)
    took = time.monotonic() - begun
    if took < SLOW:
        return word
    return f"{word} after {AUTH_TIMEOUT if took < PATIENCE else round(took)} s"


def in_clear(rig, name):
    def step():
        with rig.session(name) as session:
            session.greet()
            session.say("EHLO client.example.com", "MAIL FROM:<alice@example.com>", "RCPT TO:<bob@example.com>")
    return timed(step)


def under_tls(rig, name):
    """(what becomes of a mail, what becomes of AUTH)"""
    told = []

    def mail(session):
        session.greet()
        session.say("EHLO client.example.com")
        session.start_tls()
        session.say("EHLO client.example.com", "MAIL FROM:<alice@example.com>", "RCPT TO:<bob@example.com>", "RSET")

    def auth(session):
        told.append(session.say("AUTH PLAIN " + encode("\0bob@example.com\0hunter2")))

    try:
        with rig.session(name) as session:
            word = timed(lambda: mail(session))
            if word.startswith("goes on"):
                answer = timed(lambda: auth(session))
                return word, (answer.replace("goes on", " ".join(told[0].split()[:2])) if told else answer)
    except OSError as problem:
        return str(problem), "-"
    return word, "-"


def recovered(rig, name):
    """The service answers AUTH again; a service that was throttled takes its time."""
    try:
        with rig.session(name) as session:
            session.greet()
            session.say("EHLO client.example.com")
            session.start_tls()
            return session.say("EHLO client.example.com", "AUTH PLAIN") == REFUSED
    except (Gone, OSError):
        return False


def measure(rig, name):
    """The cells of a row, in the state that the gate is in."""
    return in_clear(rig, name), *under_tls(rig, name)


def all_ports(rig, names):
    """The cells for each port; the ports side by side, since they wait most of the time."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(lambda name: measure(rig, name), names)))


def play(rig, state):
    """All rows of a state: {smtpd: its six cells}, and what is wrong with the log."""
    _, begin, end = STATES[state]
    for name in rig.ports:
        wait_for(f"{name} to know the gate", lambda: recovered(rig, name), 60)
    mark = rig.mta.mark()
    begin(rig)
    cells = all_ports(rig, list(rig.ports))
    measured = {smtpd: cells[f"{smtpd}-yes"] + cells[f"{smtpd}-no"] for smtpd in ("new", "kept")}
    if state == TRIED_IN:
        cells = all_ports(rig, ["kept-yes", "kept-no"])
        measured["kept, AUTH tried"] = cells["kept-yes"] + cells["kept-no"]
    end(rig)
    log = rig.mta.logged(mark)
    for name in rig.ports:
        wait_for(f"{name} to recover", lambda: recovered(rig, name), 60)
    died = any("closed" in cell for row in measured.values() for cell in row)
    return measured, [f"{word!r} is {'not ' * died}in the log" for word in ("fatal: no SASL authentication mechanisms", "throttling")
                      if (word in log) != died]


def states(held):
    """The states that are played with a socket of the gate's own, or with one that is held for it."""
    return [state for state, (is_held, *_) in STATES.items() if is_held == held]
