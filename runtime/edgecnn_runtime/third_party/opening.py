"""How a model file is opened: what the caller says about a third-party one, and where it runs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgecnn_runtime.backends import Provider
from edgecnn_runtime.backends.delegate import Delegate
from edgecnn_runtime.third_party.given import Given


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Everything that `Classifier.open` takes beside the file and the threads."""

    given: Given = field(default_factory=Given)
    provider: Provider = Provider.CPU
    allow_fallback: bool = False
    delegates: tuple[Delegate, ...] = ()
    # Whether `given` beside a file with a manifest is passed over instead of refused: for several files at a time.
    third_party_only: bool = False
    # Whether a third-party file is trusted not to crash its interpreter, so that it needs no trial (`trial.py`).
    tried: bool = False

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON takes it, for another process."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Opening":
        """Read what `to_document` gave."""
        return cls(
            given=Given.from_document(document["given"]),
            provider=Provider(document["provider"]),
            allow_fallback=bool(document["allow_fallback"]),
            delegates=tuple(Delegate(**entry) for entry in document["delegates"]),
            third_party_only=bool(document["third_party_only"]),
            tried=bool(document["tried"]),
        )
