"""Certificates for origins and clients on 127.0.0.1."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

__all__ = ["Certificates"]


class Certificates:
    """A certificate authority of the test's own, for 127.0.0.1.

    :ivar bundle: the path of its certificate.
    """

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.bundle = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.bundle)
        self._folder = folder

    def server(self, *, wants_client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        if wants_client:
            context.verify_mode = ssl.CERT_OPTIONAL
            self.authority.configure_trust(context)
        return context

    def client(self, name: str) -> str:
        """The path of a client's certificate and key in one file."""
        path = self._folder / f"{name}.pem"
        self.authority.issue_cert(f"{name}@example.org").private_key_and_cert_chain_pem.write_to_path(str(path))
        return str(path)
