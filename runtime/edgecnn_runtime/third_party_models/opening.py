"""How a model file is opened: what the caller says about a third-party one, and where it runs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edgecnn_runtime.backends import Provider
from edgecnn_runtime.backends.delegate import Delegate
from edgecnn_runtime.backends.engines import check_engine
from edgecnn_runtime.choices import choose
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
    # The public key whose holder must have signed the file; None: anybody's will do.
    key: str | None = None
    # Whether `given` beside a file with a manifest is passed over instead of refused: for several files at a time.
    third_party_only: bool = False
    # Whether a third-party file is trusted not to crash its interpreter, so that `first_run.py` need not check it.
    trusted: bool = False

    @classmethod
    def of(
        cls,
        *,
        engine: str | None = None,
        provider: Provider | str = Provider.CPU,
        allow_fallback: bool = False,
        delegates: Sequence[Delegate | str] = (),
        key: str | os.PathLike[str] | None = None,
        third_party_only: bool = False,
        trusted: bool = False,
        **given: Any,
    ) -> "Opening":
        """Read what a program or the command line gives; `given` is for `Given.of`.

        Raises:
            InputError: something is not what it must be.
        """
        if engine is not None:
            check_engine(engine)
        return cls(
            given=Given.of(**given),
            engine=engine,
            provider=choose(Provider, "--provider", provider),
            allow_fallback=allow_fallback,
            delegates=tuple(Delegate.read(entry) if isinstance(entry, str) else entry for entry in delegates),
            key=None if key is None else os.fspath(key),
            third_party_only=third_party_only,
            trusted=trusted,
        )

    @property
    def where(self) -> dict[str, Any]:
        """Where the model runs, as arguments of `open_backend`."""
        return {
            "engine": self.engine,
            "provider": self.provider,
            "allow_fallback": self.allow_fallback,
            "delegates": self.delegates,
        }
