# SPDX-License-Identifier: Apache-2.0
"""mailreeve-milter under test: its sockets, each served by a process of its own, and asking it directly."""
import importlib.util
import signal

import tree
from daemons import wait_for
from plugin import OURSELVES, Plugin, connected, port_of
from postfix import GROUP

# What an MTA says of a client that has done everything right
SESSION = {
    "CONNECT": {"{daemon_name}": "alternate", "{daemon_addr}": "127.0.0.1"},
    "HELO": {"{tls_version}": "TLSv1.3"},
    "MAIL": {"{tls_version}": "TLSv1.3", "{cipher}": "TLS_AES_256_GCM_SHA384", "{cipher_bits}": "256",
             "{auth_type}": "PLAIN", "{auth_authen}": "alice@example.com"},
}


def load_wire():
    """tests/milter/wire.py; its folder has names that are ours, too."""
    spec = importlib.util.spec_from_file_location("wire", tree.REPOSITORY / "tests/milter/wire.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


wire = load_wire()


class Milter(Plugin):
    name, user = "mailreeve-milter", "backup"
    reload_signal = signal.SIGUSR1      # libmilter ends on SIGHUP

    def __init__(self, workshop, configuration, port=None):
        """port: for a TCP socket, if there is to be one."""
        super().__init__(workshop, configuration)
        self.socket = configuration.folder / "milter.sock"
        self.sockets = {"unix": f"unix:{self.socket}"}          # as Postfix calls them, too
        if port:
            self.sockets["inet"] = f"inet:127.0.0.1:{port}"
        listen = ", ".join(f'"{address}"' for address in self.sockets.values())
        configuration.sections.append(f"milter: {{listen: [{listen}], group: {GROUP}}}")

    def is_ready(self, log):
        return log.count(": ready\n") >= len(self.sockets)

    def directories(self):
        return [self.configuration.journal / (self.name + (f"-{number}" if number > 1 else ""))
                for number in range(1, len(self.sockets) + 1)]

    def talk(self, address, sender):
        """One session up to MAIL, of a client that has done everything right; returns the reply to MAIL."""
        told = {**SESSION["CONNECT"], "{daemon_port}": str(port_of(self.configuration.listeners, "alternate"))}
        with wire.MTA(address) as mta:
            mta.negotiate()
            for stage, macros, say in (("CONNECT", told, lambda: mta.connect("fence.example.com", OURSELVES)),
                                       ("HELO", SESSION["HELO"], mta.helo),
                                       ("MAIL", SESSION["MAIL"], lambda: mta.mail(f"<{sender}>"))):
                mta.tell(stage, macros)
                reply = say()
            mta.quit()
            mta.ended()
        return reply

    def fence(self, mark):
        """The MTA ends its session with the filter after that with the client, and some findings are made only then."""
        wait_for("the MTA to end its sessions with the filter", lambda: not any(map(connected, self.sockets.values())))
        for address in self.sockets.values():
            self.talk(address, mark)
        return len(self.sockets)
