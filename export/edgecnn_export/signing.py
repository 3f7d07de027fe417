"""Sign the files of an export, so that a device can tell them from those of others (`model_files/signature.py`)."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.model_files.signature import message_of, read_key_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 private key."""

    path: Path
    private: "Ed25519PrivateKey"

    @classmethod
    def read(cls, path: Path) -> "SigningKey":
        """Read a key, PEM without a password.

        Raises:
            InputError: not there, or another kind of file or key.
            MissingExtraError: the package cryptography is not installed.
        """
        content = read_key_file(path, option="--sign")
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        expected = f"--sign {path}: expected an Ed25519 private key in PEM"
        make = "make one with 'openssl genpkey -algorithm ed25519 -out KEY'"
        if b"PUBLIC KEY-----" in content:
            raise InputError(f"{expected}, got a public key; give the private key that it belongs to")
        try:
            key = load_pem_private_key(content, password=None)
        except TypeError:
            raise InputError(
                f"{expected} without a password, got one with a password; take it off into a file that nobody else can "
                f"read: 'openssl pkey -in {path} -out KEY'"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise InputError(f"{expected}, got no private key; {make}") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise InputError(f"{expected}, got one of another kind; {make}")
        return cls(path, key)

    def sign(self, content: bytes, frame: bytes) -> bytes:
        """Return a file with the signature of all of it at its end, behind `frame`."""
        return content + frame + base64.b64encode(self.private.sign(message_of(content)))
