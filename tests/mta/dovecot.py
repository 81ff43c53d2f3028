# SPDX-License-Identifier: Apache-2.0
"""A private Dovecot that does nothing but SASL for Postfix."""
import base64
import contextlib
import socket

import tree
from daemons import Trouble, wait_for

USER, PASSWORD = "alice@example.com", "password"

# The auth process stays root: it is started from the checkout, which another account may not be allowed to enter.
CONFIG = """\
base_dir = {folder}/base
state_dir = {folder}/base
log_path = {folder}/dovecot.log
libexec_dir = {libexec}
import_environment = TZ LD_LIBRARY_PATH
stats_writer_socket_path =
protocols =
ssl = no
default_internal_user = news
default_internal_group = news
default_login_user = nobody
auth_mechanisms = plain login cram-md5
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  user = root
  unix_listener {folder}/auth {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"""


def authenticates(path):
    """Log in as Postfix would. The very first login also starts the auth process, which may take seconds."""
    login = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(b"VERSION\t1\t0\nCPID\t1\nAUTH\t1\tPLAIN\tservice=smtp\tresp=" + login + b"\n")
        heard = b""
        while more := client.recv(4096):
            heard += more
            if b"OK\t1\t" in heard:
                return True
    return False


def start(workshop):
    """Start Dovecot and return the path of its auth socket once a login succeeds."""
    folder = workshop.folder("dovecot")
    (folder / "base").mkdir()
    config = folder / "dovecot.conf"
    config.write_text(CONFIG.format(folder=folder, libexec=tree.path("dovecot-core", "usr/lib/dovecot")))
    (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}::::::\n")

    # dovecot would ask /usr/bin/doveconf for its settings; calling doveconf ourselves lets it come from the tree
    workshop.start([tree.path("dovecot-core", "usr/bin/doveconf"), "-f", "service=master", "-c", config, "-m", "master",
                    "-e", tree.path("dovecot-core", "usr/sbin/dovecot"), "-F", "-c", config],
                   folder / "output", {"LD_LIBRARY_PATH": tree.library_path("dovecot-core")})
    try:
        wait_for("a login at Dovecot", lambda: authenticates(folder / "auth"), 30)
    except Trouble as trouble:
        logs = [log.read_text() for log in (folder / "output", folder / "dovecot.log") if log.exists()]
        raise Trouble("\n".join([str(trouble), *logs])) from None
    return folder / "auth"
