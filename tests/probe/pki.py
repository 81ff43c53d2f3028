# SPDX-License-Identifier: Apache-2.0
"""An authority, one below it, and what a server may show: by the openssl command."""
import dataclasses
import datetime
import pathlib
import subprocess

HOST = "mail.example.com"

# `openssl x509` of Debian 12 cannot make one that has ended; `openssl ca` can
CA = """\
[ca]
default_ca = middle
[middle]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


def openssl(*argv):
    subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True)


@dataclasses.dataclass
class Certificate:
    file: pathlib.Path          # with all that is sent along
    key: pathlib.Path


class Pki:
    """All certificates of a run, in one folder. RSA, since clients of the time of TLS 1.0 know nothing else."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = self.authority("root", None)
        self.middle = self.authority("middle", self.ca)
        (folder / "ca.cnf").write_text(CA.format(folder=folder))
        (folder / "index").write_text("")

    def request(self, name):
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        key.chmod(0o600)
        return key, request

    def authority(self, name, issuer):
        key, request = self.request(name)
        file, extensions = self.folder / f"{name}.pem", self.folder / f"{name}.ext"
        extensions.write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
        signer = ["-CA", issuer.file, "-CAkey", issuer.key, "-CAcreateserial"] if issuer else ["-signkey", key]
        openssl("x509", "-req", "-in", request, *signer, "-days", "300", "-extfile", extensions, "-out", file)
        return Certificate(file, key)

    def server(self, name, names=(HOST,), days=90, chain=True):
        """A server's, of the middle authority; chain: the middle one's is sent along."""
        key, request = self.request(name)
        leaf, file, extensions = (self.folder / f"{name}{end}" for end in (".leaf", ".pem", ".ext"))
        extensions.write_text("subjectAltName=" + ",".join(f"DNS:{each}" for each in names) + "\n")
        begin, end = (f"{datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=n):%Y%m%d%H%M%SZ}"
                      for n in (-30, days))
        openssl("ca", "-batch", "-notext", "-config", self.folder / "ca.cnf", "-in", request, "-cert", self.middle.file,
                "-keyfile", self.middle.key, "-startdate", begin, "-enddate", end, "-extfile", extensions, "-out", leaf)
        file.write_text(leaf.read_text() + (self.middle.file.read_text() if chain else ""))
        return Certificate(file, key)

    def self_signed(self, name):
        made = Certificate(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-subj", f"/CN={name}",
                "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", made.key, "-out", made.file)
        return made
