# SPDX-License-Identifier: Apache-2.0
"""A certificate authority that lives as long as the test session, made with the openssl command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class KeyPair:
    cert: Path
    key: Path


class ThrowawayCa:
    def __init__(self, folder):
        self._folder = Path(folder)
        self._ca = self._paths("ca")
        self._openssl("req", "-x509", *self._new_key(self._ca), "-out", self._ca.cert, "-days", "2",
                      "-subj", "/CN=throw-away test CA")

    @property
    def file(self):
        return self._ca.cert

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1"):
        """A server or client certificate, signed by this CA."""
        pair = self._paths(name)
        request = self._folder / f"{name}.csr"
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        self._openssl("req", *self._new_key(pair), "-out", request, "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self._ca.cert, "-CAkey", self._ca.key,
                      "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", pair.cert)
        return pair

    def _paths(self, name):
        return KeyPair(self._folder / f"{name}.pem", self._folder / f"{name}.key")

    @staticmethod
    def _new_key(pair):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", pair.key)

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
