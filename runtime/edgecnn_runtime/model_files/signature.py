"""The signature at the end of a model file: it was made by the holder of a key, and not a byte was changed since.

An Ed25519 signature (RFC 8032) of the SHA-512 of all bytes before it. It is written where a reader that knows nothing
of it passes it over: as the comment of the zip behind a TFLite file, as the last of an ONNX file's `metadata_props`.
Both end the file, so there is nothing that it does not cover.
"""

import base64
import binascii
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn_runtime.errors import InputError, MissingExtraError, ModelError
from edgecnn_runtime.manifest import SIGNATURE_CHARACTERS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# What is signed says what it is, so that a signature of something else by the same key is none of a model.
_MESSAGE = b"edgecnn model file, version 1: "
# Bytes of a file with one key; one of RSA may have several thousand.
_LARGEST_KEY = 1 << 16


def message_of(content: bytes | memoryview) -> bytes:
    """Return what is signed of the bytes of a file before the signature."""
    return _MESSAGE + hashlib.sha512(content).digest()


def signature_in(content: bytes, frame: bytes) -> bytes | None:
    """Return the signature that a file ends with, None where it ends with another thing.

    Args:
        content: of the file.
        frame: what comes before a signature in this format.
    """
    tail = content[-(len(frame) + SIGNATURE_CHARACTERS) :]
    if not tail.startswith(frame):
        return None
    try:
        return base64.b64decode(tail[len(frame) :], validate=True)
    except binascii.Error:
        return None


def check_signature(path: Path, content: bytes, frame: bytes, key: Path) -> None:
    """Check that a model file was signed by the holder of a key, and is as it was then.

    Args:
        path: of the file.
        content: what was read from it.
        frame: what comes before a signature in its format.
        key: a PEM file with the Ed25519 public key.

    Raises:
        ModelError: the file is not signed, was signed by another key, or was changed since.
        InputError: the key is not there, or is none of this kind.
        MissingExtraError: the package cryptography is not installed.
    """
    public = read_public_key(key)
    from cryptography.exceptions import InvalidSignature

    signature = signature_in(content, frame)
    if signature is None:
        raise ModelError(
            f"{path}: expected a file signed by the holder of {key}, got one without a signature; "
            "export it with --sign, or get the one that was signed"
        )
    signed = memoryview(content)[: -(len(frame) + SIGNATURE_CHARACTERS)]
    try:
        public.verify(signature, message_of(signed))
    except InvalidSignature:
        raise ModelError(
            f"{path}: expected a file signed by the holder of {key}, got one that another key signed or that was "
            "changed since; do not use it"
        ) from None


def read_public_key(path: Path) -> "Ed25519PublicKey":
    """Read an Ed25519 public key, PEM.

    Raises:
        InputError: not there, or another kind of file or key.
        MissingExtraError: the package cryptography is not installed.
    """
    content = read_key_file(path, option="--key")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    expected = f"--key {path}: expected an Ed25519 public key in PEM"
    if b"PRIVATE KEY-----" in content:
        raise InputError(
            f"{expected}, got a private key, which must stay where files are signed; write its public half with "
            f"'openssl pkey -in {path} -pubout -out PUB'"
        )
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{expected}, got no public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{expected}, got one of another kind; make one with 'openssl genpkey -algorithm ed25519'")
    return key


def read_key_file(path: Path, *, option: str) -> bytes:
    """Read a file that holds a key.

    Raises:
        InputError: not there, or too large for one.
        MissingExtraError: the package cryptography is not installed.
    """
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(option, package="cryptography", extra="sign") from error
    if not path.exists():
        raise InputError(f"{option} {path}: not found; expected a file with an Ed25519 key in PEM")
    if not path.is_file():
        raise InputError(f"{option} {path}: expected a file with an Ed25519 key in PEM, got none that can be read")
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_KEY + 1)
    except OSError as error:
        raise InputError(f"{option} {path}: expected a file that can be read, got {error.strerror}") from error
    if len(content) > _LARGEST_KEY:
        raise InputError(f"{option} {path}: expected an Ed25519 key in PEM, got a file of more than 64 KiB")
    return content
