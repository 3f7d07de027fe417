"""Is an exported file still the one that was exported? Its manifest carries a checksum of all of it.

A CRC-32, because it is damage that is looked for (a bad card, a broken transfer): it finds every changed bit of such a
file and costs next to nothing at a start. Who changes a file on purpose can change the checksum as well: against that
there are signatures (`signature.py`).
"""

import re
import zlib
from pathlib import Path

from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.manifest import ONNX_KEY, Manifest

# The checksum in the manifest, last of its fields; a number, since quotes of a JSON string would be escaped.
_EMPTY, _SET = b'"content_crc32": null', re.compile(rb'"content_crc32": (\d+)')
# What is in every manifest and in no third-party file: where one of these is left, there was a manifest.
_MARKS = (ONNX_KEY.encode(), b'"content_crc32"', b'"data_fingerprint"')


def sealed(manifest: Manifest, content_crc: int) -> str:
    """Write a manifest with the checksum of itself and of the rest of its file.

    Args:
        manifest: without a checksum.
        content_crc: the CRC-32 of the rest.
    """
    text = manifest.to_json().encode()
    crc = zlib.crc32(text, content_crc)
    return text.replace(_EMPTY, f'"content_crc32": {crc}'.encode()).decode()


def check_content(path: Path, content: bytes, manifest: bytes | None, content_crc: int) -> None:
    """Check a file against the checksum in its manifest.

    Args:
        path: of the file, for the error.
        content: of the file.
        manifest: as the file has it, if it was found.
        content_crc: the CRC-32 of the rest.

    Raises:
        ModelError: the file carries a manifest and is damaged: the manifest, or what its checksum covers.
    """
    if manifest is None:
        if any(content.find(mark) >= 0 for mark in _MARKS):
            raise ModelError(f"{path}: expected a whole file, got one with a damaged manifest; copy or export it again")
        return
    found = _SET.search(manifest)
    # Files of earlier versions have none.
    if found is not None and int(found[1]) != zlib.crc32(_SET.sub(_EMPTY, manifest), content_crc):
        raise ModelError(
            f"{path}: expected the file as it was exported, got one that was damaged or changed since: its checksum is "
            "not that in its manifest; copy or export it again"
        )
