# SPDX-License-Identifier: Apache-2.0
"""Certificates, made by the openssl command: the server's, which the clients trust, and two for clients."""
import dataclasses
import pathlib
import subprocess

HOST = "mail.example.com"


@dataclasses.dataclass
class Certificate:
    file: pathlib.Path
    key: pathlib.Path

    @property
    def fingerprint(self):
        """SHA-256, as Postfix and Mailreeve write it."""
        shown = subprocess.run(["openssl", "x509", "-in", self.file, "-noout", "-fingerprint", "-sha256"],
                               check=True, capture_output=True, text=True).stdout
        return shown.strip().partition("=")[2]


def make(folder, name, *options):
    """A self-signed certificate, of more than the two weeks of which doctor warns. RSA, since clients of the time of TLS 1.0 know nothing else."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                    *options, "-keyout", made.key, "-out", made.file], check=True, capture_output=True)
    return made


def make_all(folder):
    """The server's and the clients', by name."""
    names = f"subjectAltName=DNS:{HOST},DNS:localhost,IP:127.0.0.1,IP:::1"
    return {"server": make(folder, "server", "-addext", names),
            "relay": make(folder, "relay"),             # of a host that Mailreeve's configuration trusts
            "stranger": make(folder, "stranger")}
