"""A certificate of one session: it encrypts, and proves nothing to who has not seen its mark."""

import datetime
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """One that signs itself, with its private key; both in PEM."""

    pem: bytes
    fingerprint: str
    """SHA-256, as browsers write it: AB:CD:…"""

    @classmethod
    def of(cls, address: str) -> Self:
        """For a server at that IPv4 address, from yesterday, as clocks differ, to tomorrow."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pocketgan benchmark")])
        now = datetime.datetime.now(datetime.UTC)
        place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.IPv4Address(address))])
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - _VALID)
            .not_valid_after(now + _VALID)
            .add_extension(place, critical=False)
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM) + private
        return cls(pem, certificate.fingerprint(hashes.SHA256()).hex(":").upper())

    def context(self) -> ssl.SSLContext:
        """What a server's socket is wrapped in."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:  # ssl reads keys from files only
            path = Path(folder) / "certificate.pem"
            path.touch(mode=0o600)
            path.write_bytes(self.pem)
            context.load_cert_chain(path)
        return context
