# SPDX-License-Identifier: Apache-2.0
"""The rig: an MTA and Mailreeve plugged together, and playing a case on them."""
import dataclasses
import os
import socket

import certs
import dovecot
import tools
import tree
from daemons import Trouble, Workshop, free_ports
from milter import Milter
from outcome import Outcome
from plugin import Configuration, program
from policyd import Policyd
from postfix import Postfix, master_cf
from sendmail import Sendmail
from smtp import Target
from ways import MILTER, POLICYD, POSTFIX_MILTER


class Rig:
    """Everything up, as a context manager; keep=True leaves it up after a run without an exception."""

    def __init__(self, way, listeners, keep=False):
        if os.geteuid() != 0:
            raise Trouble(f"this starts a private {way.mta.capitalize()}, which has to begin as root; run it as root")
        for package in tree.NEEDED[way.mta]:
            tree.check(package)
        self.way = way
        self.listeners = {each.name: dataclasses.replace(each) for each in listeners if way.has(each.only)}
        self.workshop = Workshop(keep)
        try:
            self.start()
        except BaseException:
            self.workshop.keep = False
            self.workshop.__exit__(None, None, None)
            raise

    def start(self):
        listeners = list(self.listeners.values())
        *ports, policy_port, filter_port = free_ports(len(listeners) + 2)
        for listener, port in zip(listeners, ports):
            listener.port = port
        self.trap = socket.create_server(("127.0.0.1", 0))      # a policy service that must never be asked
        self.trap.setblocking(False)
        self.certificates = certs.make_all(self.workshop.folder("certificates"))
        # where a filter is not told of certificates, trust in one would keep it from asking for AUTH: see upsets.py
        trusted = [] if self.way == POSTFIX_MILTER else [self.certificates["relay"].fingerprint]
        self.configuration = Configuration(self.workshop, listeners, trusted)
        self.policyd = self.milter = None
        if self.way.has(POLICYD):
            self.policyd = Policyd(self.workshop, self.configuration, policy_port)
        if self.way.has(MILTER):                                # Sendmail waits 40 ms at each step over TCP
            self.milter = Milter(self.workshop, self.configuration, filter_port if self.way.has("postfix") else None)
        self.plug_in()
        {"postfix": self.start_postfix, "sendmail": self.start_sendmail}[self.way.mta](listeners)

    def plug_in(self):
        self.plugins = {name: plugin for name, plugin in ((POLICYD, self.policyd), (MILTER, self.milter)) if plugin}
        for plugin in self.plugins.values():
            if not program(plugin.name).exists():
                raise Trouble(f"{program(plugin.name)} is not there; run: make")
        self.configuration.write()
        for plugin in self.plugins.values():
            plugin.start()

    def start_postfix(self, listeners):
        sockets = {name: plugin.sockets for name, plugin in self.plugins.items()}
        if self.policyd:
            sockets[POLICYD] = {**sockets[POLICYD], "nobody": f"inet:127.0.0.1:{self.trap.getsockname()[1]}"}
        sasl = dovecot.start(self.workshop)
        self.mta = Postfix(self.workshop)
        self.mta.start([each.port for each in listeners], master_cf(listeners, sockets), self.certificates["server"], sasl)

    def start_sendmail(self, listeners):
        self.mta = Sendmail(self.workshop)
        self.mta.start(listeners, self.certificates, self.milter.socket)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.trap.close()
        self.workshop.__exit__(*problem)

    def target(self, listener):
        return Target(self.listeners[listener].port, self.certificates,
                      {each.name: each.port for each in self.listeners.values()})

    def trapped(self):
        """Has anybody connected to the policy service that must not be asked?"""
        try:
            self.trap.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def reload(self):
        """Have all plug-ins read the configuration again; True: they have all taken it."""
        return all([event["ok"] for plugin in self.plugins.values() for event in plugin.reload()])

    def lines(self):
        """What the journals have about real clients since the last call, by plug-in."""
        return {name: plugin.lines() for name, plugin in self.plugins.items()}

    def converse(self, case):
        """Let a client do what a case says and return its transcript."""
        return tools.CLIENTS[case.client](self.target(case.listener), case)

    def play(self, case):
        """The same, with what the journals have about it and whether all of it is as the case expects on this way."""
        case = case.on(self.way)
        mark = self.mta.mark()
        transcript = self.converse(case)
        lines = self.lines()
        found = ["policyd was asked about a client that has not authenticated"] * self.trapped()
        return Outcome(case, transcript, lines, self.mta.logged(mark), self.listeners[case.listener].port, found)
