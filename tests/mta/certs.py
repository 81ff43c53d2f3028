# SPDX-License-Identifier: Apache-2.0
"""One self-signed server certificate, made by the openssl command; the clients trust exactly it."""
import subprocess

HOST = "mail.example.com"


def make(folder):
    """Write server.pem and server.key to folder and return their paths. RSA, since TLS 1.0 clients know nothing else."""
    certificate, key = folder / "server.pem", folder / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7", "-subj", f"/CN={HOST}",
                    "-addext", f"subjectAltName=DNS:{HOST},DNS:localhost,IP:127.0.0.1,IP:::1",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key
