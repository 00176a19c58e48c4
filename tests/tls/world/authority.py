# SPDX-License-Identifier: Apache-2.0
"""A private authority, and certificates of it: good ones, expired ones, for another host, of a stranger."""
import os
import subprocess
from pathlib import Path


def openssl(*arguments, days_ago=0):
    prefix = ["faketime", f"{days_ago} days ago"] if days_ago else []
    done = subprocess.run([*prefix, "openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


class Authority:
    def __init__(self, folder, name="users-export tests"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self.ca = self.folder / "ca.crt"
        self._key = self.folder / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-days", 30, "-keyout", self._key, "-out", self.ca, days_ago=2)

    def issue(self, name, hosts=("DNS:localhost", "IP:127.0.0.1"), expired=False, file=None):
        """(certificate, key): paths of PEM files; the common name is `name`."""
        file = file or name
        certificate, key, request, extensions = (self.folder / f"{file}.{suffix}" for suffix in ("crt", "key", "csr", "ext"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extensions.write_text("subjectAltName=" + ",".join(hosts) + "\n" if hosts else "", encoding="ascii")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", 1 if expired else 20,
                "-extfile", extensions, "-out", certificate, days_ago=2 if expired else 0)
        os.chmod(key, 0o600)
        return certificate, key

    def bundle(self, name, **options):
        """One PEM file with key and certificate, as Kafka wants it."""
        certificate, key = self.issue(name, **options)
        both = self.folder / f"{options.get('file') or name}.pem"
        # Kafka reads PKCS #8 only; that is what openssl req writes.
        both.write_text(key.read_text(encoding="ascii") + certificate.read_text(encoding="ascii"), encoding="ascii")
        return both
