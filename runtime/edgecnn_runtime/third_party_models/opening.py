"""How a model file is opened: what the caller says about a third-party one, and where it runs."""

from dataclasses import dataclass, field

from edgecnn_runtime.backends import Provider
from edgecnn_runtime.backends.delegate import Delegate
from edgecnn_runtime.third_party_models.given import Given


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Everything that `Classifier.open` takes beside the file and the threads."""

    given: Given = field(default_factory=Given)
    # A name in `ENGINES`; None: the first for the format that is installed.
    engine: str | None = None
    provider: Provider = Provider.CPU
    allow_fallback: bool = False
    delegates: tuple[Delegate, ...] = ()
    # Whether `given` beside a file with a manifest is passed over instead of refused: for several files at a time.
    third_party_only: bool = False
    # Whether a third-party file is trusted not to crash its interpreter, so that `first_run.py` need not check it.
    trusted: bool = False
