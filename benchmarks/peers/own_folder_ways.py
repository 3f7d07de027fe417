"""The ways of training that `benchmarks/OWN_FOLDER.md` compares."""

from dataclasses import dataclass

BASELINE, DEFAULT = "baseline", "default"


@dataclass(frozen=True)
class Way:
    """One way of training on a folder."""

    name: str
    shown: str
    words: tuple[str, ...] | None  # of `edgecnn train`; None is not edgecnn


WAYS = (
    Way(BASELINE, "plain Keras baseline", None),
    Way(DEFAULT, "`edgecnn train`", ()),
    Way("small-cnn", "`train small-cnn`", ("small-cnn",)),
    Way("augment", "`train small-cnn --augment`", ("small-cnn", "--augment")),
    Way("transfer", "`train transfer`", ("transfer",)),
)
