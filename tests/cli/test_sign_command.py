"""`export --sign` and `--key`: a file that another made, or that was changed, is refused by whatever opens models."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import needs
import pytest
from conftest import edgecnn_here
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from PIL import Image
from tiny_runs import tiny_run

from edgecnn_export.containers import CONTAINERS
from edgecnn_export.signing import SigningKey
from edgecnn_runtime import Classifier, InputError, ModelError
from edgecnn_runtime.manifest import Manifest
from edgecnn_runtime.model_formats import read_manifest
from edgecnn_runtime.workstation.image_set import ImageSet

SUFFIXES = (".tflite", ".onnx")


def write_keys(folder: Path) -> None:
    """Write two pairs of keys, `ours` and `theirs`, and what is none."""
    for name in ("ours", "theirs"):
        key = Ed25519PrivateKey.generate()
        (folder / f"{name}.pem").write_bytes(private(key))
        (folder / f"{name}.pub").write_bytes(public(key))
    other = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    (folder / "rsa.pem").write_bytes(private(other))
    (folder / "rsa.pub").write_bytes(public(other))
    locked = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    (folder / "locked.pem").write_bytes(locked)
    (folder / "garbage.pem").write_bytes(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    (folder / "empty.pem").touch()
    (folder / "large.pem").write_bytes(b"x" * 100_000)


def private(key: Ed25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public(key: Ed25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    write_keys(folder)
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, keys: Path, small_set: ImageSet) -> Path:
    """The folder of a run's files, signed by `ours`: int8.tflite and float32.onnx."""
    folder = tmp_path_factory.mktemp("signed")
    run = tiny_run(folder / "run", small_set)
    words = ("-f", "tflite-int8", "-f", "onnx-float32", "--max-drop", "100", "--sign", keys / "ours.pem")
    edgecnn_here("export", run.path, *words)
    return run.export


def model_of(exported: Path, suffix: str) -> Path:
    (path,) = exported.glob(f"*{suffix}")
    return path


def with_swapped_labels(path: Path) -> bytes:
    """Return the file with its labels in the other order and a checksum that is right, as anybody can make it."""
    content, text = path.read_bytes(), read_manifest(path)
    assert text is not None
    manifest = Manifest.from_json(text)
    swapped = dataclasses.replace(manifest, labels=manifest.labels[::-1], content_crc32=None)
    bare = content[: content.index(b"PK\3\4")] if path.suffix == ".tflite" else content
    return CONTAINERS[path.suffix].embed(bare, swapped)


def with_changed_byte(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    return bytes(content)


# What an attacker may do to a file, and what is said of it.
CHANGED, UNSIGNED = "another key signed or that was changed since", "one without a signature"
ATTACKS: dict[str, tuple[Callable[[Path, Path], bytes], str]] = {
    "a weight": (lambda path, keys: with_changed_byte(path), CHANGED),
    "the labels, the checksum set right": (lambda path, keys: with_swapped_labels(path), UNSIGNED),
    "the labels, behind them the old signature": (
        lambda path, keys: with_swapped_labels(path)[:-2] + path.read_bytes()[-200:],
        CHANGED,
    ),
    "the labels, signed by another": (
        lambda path, keys: CONTAINERS[path.suffix].sign(
            with_swapped_labels(path), SigningKey.read(keys / "theirs.pem")
        ),
        CHANGED,
    ),
    "the last byte": (lambda path, keys: path.read_bytes()[:-1], UNSIGNED),
    "something behind it": (lambda path, keys: path.read_bytes() + b"PK", UNSIGNED),
    "nothing left": (lambda path, keys: b"", UNSIGNED),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_signed_file_opens_with_and_without_the_key(exported: Path, keys: Path, suffix: str) -> None:
    path = model_of(exported, suffix)
    verify = ("verify", path, "--json")
    answers = [json.loads(edgecnn_here(*verify, *words)) for words in ([], ["--key", keys / "ours.pub"])]
    assert answers[0] == answers[1]
    assert answers[0][0]["passed"]
    assert Classifier.open(path, key=keys / "ours.pub").labels == Classifier.open(path).labels
    assert json.loads(edgecnn_here("inspect", path, "--json"))["signed"]
    assert "signature    of a key" in edgecnn_here("inspect", path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_file_that_was_changed_is_refused(
    exported: Path, keys: Path, tmp_path: Path, suffix: str, attack: str
) -> None:
    change, message = ATTACKS[attack]
    path = tmp_path / f"model{suffix}"
    path.write_bytes(change(model_of(exported, suffix), keys))
    with pytest.raises(ModelError, match=message):
        Classifier.open(path, key=keys / "ours.pub")


def test_without_a_key_swapped_labels_pass(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "swapped.tflite"
    path.write_bytes(with_swapped_labels(model_of(exported, ".tflite")))
    assert "passed" in edgecnn_here("verify", path)  # as SECURITY.md says: a checksum finds damage alone


def test_every_command_that_opens_models_takes_the_key(exported: Path, keys: Path, tmp_path: Path) -> None:
    path, key = tmp_path / "swapped.tflite", keys / "ours.pub"
    path.write_bytes(with_swapped_labels(model_of(exported, ".tflite")))
    image = tmp_path / "image.png"
    Image.new("RGB", (8, 8)).save(image)
    for words in (["predict", path, image], ["stream", path, image], ["serve", path], ["evaluate", path]):
        assert f"{path}: expected a file signed by the holder of {key}" in edgecnn_here(*words, "--key", key, code=2)
    assert "--key: expected no --host" in edgecnn_here("bench", path, "--host", "nowhere", "--key", key, code=2)
    shown = edgecnn_here("bench", path, "--key", key, "--max-secs", "1", "--output", tmp_path / "bench", code=1)
    assert "expected a file signed by the holder" in shown


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ours.pem", "got a private key, which must stay where files are signed"),
        ("locked.pem", "got a private key, which must stay where files are signed"),
        ("rsa.pub", "got one of another kind"),
        ("garbage.pem", "got no public key"),
        ("empty.pem", "got no public key"),
        ("large.pem", "got a file of more than 64 KiB"),
        ("nothing.pem", "not found"),
        (".", "got none that can be read"),
    ],
)
def test_a_key_that_is_none_is_refused(exported: Path, keys: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^--key .*{message}"):
        Classifier.open(model_of(exported, ".onnx"), key=keys / name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ours.pub", "got a public key"),
        ("locked.pem", "got one with a password"),
        ("rsa.pem", "got one of another kind"),
        ("garbage.pem", "got a public key"),
        ("empty.pem", "got no private key"),
        ("nothing.pem", "not found"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_before_anything_is_made(keys: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^--sign .*{message}"):
        SigningKey.read(keys / name)
    assert message in edgecnn_here("export", "no/run", "--sign", keys / name, code=2)


def test_only_a_key_needs_cryptography(exported: Path, keys: Path) -> None:
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from edgecnn_runtime import Classifier\n"
        "print(Classifier.open(sys.argv[1]).verify().passed)\n"
        "try: Classifier.open(sys.argv[1], key=sys.argv[2])\n"
        "except ImportError as error: print(error)"
    )
    command = [sys.executable, "-c", program, model_of(exported, ".onnx"), keys / "ours.pub"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == [
        "True",
        '--key needs the package cryptography, which is not installed; run: pip install "edgecnn[sign]"',
    ]


def test_keys_of_openssl_work(exported: Path, tmp_path: Path) -> None:
    openssl = needs.program("openssl")
    subprocess.run([openssl, "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "key.pem"], check=True)
    subprocess.run([openssl, "pkey", "-in", tmp_path / "key.pem", "-pubout", "-out", tmp_path / "pub"], check=True)
    unsigned = with_swapped_labels(model_of(exported, ".onnx"))
    path = tmp_path / "model.onnx"
    path.write_bytes(CONTAINERS[".onnx"].sign(unsigned, SigningKey.read(tmp_path / "key.pem")))
    assert Classifier.open(path, key=tmp_path / "pub").verify().passed
