import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.bundle import signature
from deploy.bundle.files import SIGNATURE, SUMS
from deploy.bundle.make import BundleContents, make
from deploy.errors import PocketganError

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
OPEN = serialization.NoEncryption()
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_keys_come_back_from_pem_files(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(KEY.private_bytes(PEM, PKCS8, OPEN))
    (tmp_path / "public.pem").write_bytes(PUBLIC)
    signed = signature.read_private_key(tmp_path / "key.pem").sign(b"sums")
    public = signature.read_public_key(tmp_path / "public.pem")
    assert signature.is_good(signed, b"sums", public)
    assert not signature.is_good(signed, b"Sums", public)
    assert not signature.is_good(signed[::-1], b"sums", public)
    assert not signature.is_good(b"", b"sums", public)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_openssl_checks_the_signature_of_a_bundle(
    order_of: Callable[..., BundleContents], tmp_path: Path
) -> None:
    contents = make(order_of(), KEY)
    (tmp_path / "sums").write_bytes(contents[SUMS])
    (tmp_path / "sig").write_bytes(contents[SIGNATURE])
    (tmp_path / "public.pem").write_bytes(PUBLIC)
    command = "openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in sums -sigfile sig"
    assert subprocess.run(command.split(), cwd=tmp_path, capture_output=True).returncode == 0
    (tmp_path / "sums").write_bytes(contents[SUMS] + b"\n")
    assert subprocess.run(command.split(), cwd=tmp_path, capture_output=True).returncode != 0


def _of_another_kind() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, OPEN)


BAD_PRIVATE = {
    "text": (lambda: b"no key", "is no private key"),
    "public": (lambda: PUBLIC, "is no private key"),
    "another kind": (_of_another_kind, "but not of Ed25519"),
    "locked": (
        lambda: KEY.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"secret")),
        "locked with a passphrase",
    ),
}


@pytest.mark.parametrize("kind", BAD_PRIVATE)
def test_bad_private_key_is_told_without_showing_it(kind: str, tmp_path: Path) -> None:
    make_bytes, answer = BAD_PRIVATE[kind]
    path = tmp_path / "key.pem"
    path.write_bytes(make_bytes())
    with pytest.raises(PocketganError, match=answer) as raised:
        signature.read_private_key(path)
    assert "openssl" in str(raised.value)
    assert path.read_text() not in str(raised.value)


def test_bad_public_key_is_told(tmp_path: Path) -> None:
    path = tmp_path / "public.pem"
    for content in (b"no key", KEY.private_bytes(PEM, PKCS8, OPEN)):
        path.write_bytes(content)
        with pytest.raises(PocketganError, match="is no public key"):
            signature.read_public_key(path)
    with pytest.raises(PocketganError, match="cannot be read: No such file"):
        signature.read_public_key(tmp_path / "nowhere")


@pytest.mark.parametrize("read", [signature.read_private_key, signature.read_public_key])
def test_a_key_that_never_ends_is_read_in_part(read: Callable[[Path], object]) -> None:
    with pytest.raises(PocketganError, match="/dev/zero is no p"):
        read(Path("/dev/zero"))
