"""A detached Ed25519 signature of SHA256SUMS: 64 bytes, keys as PEM files, as openssl has them.

openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out pub.pem
"""

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from deploy.errors import PocketganError

_MAKE_KEY = "Make one with: openssl genpkey -algorithm ed25519 -out key.pem"
_MAKE_PUBLIC = "Make it with: openssl pkey -in key.pem -pubout -out public.pem"

_MOST_BYTES = 1 << 16
"""Of a key, which has a few hundred; what has no end is none."""


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """The key in a PEM file without a passphrase; PocketganError where there is none such."""
    try:
        key = load_pem_private_key(_read(path, _MAKE_KEY), password=None)
    except TypeError as error:
        raise PocketganError(
            f"{path} is locked with a passphrase.",
            f"Unlock a copy: openssl pkey -in {path} -out unlocked.pem",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PocketganError(f"{path} is no private key as a PEM file.", _MAKE_KEY) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise PocketganError(f"{path} is a private key, but not of Ed25519.", _MAKE_KEY)
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The key in a PEM file; PocketganError where there is none such."""
    try:
        key = load_pem_public_key(_read(path, _MAKE_PUBLIC))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PocketganError(f"{path} is no public key as a PEM file.", _MAKE_PUBLIC) from error
    if not isinstance(key, Ed25519PublicKey):
        raise PocketganError(f"{path} is a public key, but not of Ed25519.", _MAKE_PUBLIC)
    return key


def is_good(signature: bytes, signed: bytes, key: Ed25519PublicKey) -> bool:
    """Whether the owner of the key signed these very bytes."""
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _read(path: Path, remedy: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise PocketganError(f"{path} cannot be read: {error.strerror}.", remedy) from error
