# SPDX-License-Identifier: Apache-2.0
"""mailreeve-policyd under test: its sockets, and asking it directly."""
import socket

from plugin import OURSELVES, Plugin, port_of
from postfix import GROUP

REQUEST = {
    "request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP", "client_address": OURSELVES,
    "client_name": "unknown", "client_port": "1", "reverse_client_name": "unknown", "server_address": "127.0.0.1",
    "helo_name": "client.example.com", "sender": "alice@example.com", "recipient": "bob@example.com",
    "recipient_count": "0", "queue_id": "", "size": "0", "etrn_domain": "", "stress": "", "sasl_method": "PLAIN",
    "sasl_username": "alice@example.com", "sasl_sender": "", "ccert_subject": "", "ccert_issuer": "",
    "ccert_fingerprint": "", "ccert_pubkey_fingerprint": "", "encryption_protocol": "TLSv1.3",
    "encryption_cipher": "TLS_AES_256_GCM_SHA384", "encryption_keysize": "256",
}


class Policyd(Plugin):
    name, user = "mailreeve-policyd", "proxy"

    def __init__(self, workshop, configuration, port):
        """port: for the TCP socket."""
        super().__init__(workshop, configuration)
        self.socket = configuration.folder / "policyd.sock"
        self.sockets = {"unix": f"unix:{self.socket}", "inet": f"inet:127.0.0.1:{port}"}    # as Postfix calls them, too
        listen = ", ".join(f'"{address}"' for address in self.sockets.values())
        configuration.sections.append(f"policyd: {{listen: [{listen}], group: {GROUP}}}")

    # ---- asking it without Postfix ----

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10)
        client.connect(str(self.socket))
        return client

    def ask(self, client, **attributes):
        """One request over a connection; returns the reply up to its blank line, b"" when there is none."""
        lines = {**REQUEST, **attributes}
        client.sendall("".join(f"{name}={value}\n" for name, value in lines.items()).encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n\n"):
            more = client.recv(4096)
            if not more:
                return b""
            reply += more
        return reply

    def fence(self, mark):
        with self.connect() as client:
            self.ask(client, instance=mark, policy_context="alternate",
                     server_port=port_of(self.configuration.listeners, "alternate"))
        return 1
