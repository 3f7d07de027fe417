"""The checkpoint of a run: all that an uninterrupted run would know at the end of an epoch, in one file.

`checkpoints/last.npz` is the truth about an unfinished run. It is replaced atomically after each epoch. `history.csv`,
after each epoch, and `best.weights.h5`, after each stage, are written behind it and can be made again from it.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.json_dataclasses import parse_object, read_dataclass
from edgecnn_runtime.system.atomic_files import atomic_write
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.history import Epoch, best_epoch
from edgecnn_training.resuming.origin import RunOrigin


@dataclass(frozen=True)
class _Header:
    origin: RunOrigin
    history: tuple[Epoch, ...]


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after its last finished epoch."""

    origin: RunOrigin
    history: tuple[Epoch, ...]
    # Weights and the states of the layers' random generators, in the order of `model.variables`.
    model: tuple[NDArray[Any], ...]
    # The optimizer's slots, its step count and its learning rate, in the order of `optimizer.variables`.
    optimizer: tuple[NDArray[Any], ...]
    # What `model` was after the best epoch of the stage; `model` itself where that is the last.
    best: tuple[NDArray[Any], ...]

    @classmethod
    def of(cls, model: Any, *, origin: RunOrigin, history: Sequence[Epoch], before: Self | None = None) -> Self:
        """Take the state of a compiled Keras model after the last epoch of `history`.

        Args:
            model: what is trained.
            origin: what the run was started with.
            history: the scores of all epochs.
            before: the checkpoint of the epoch before; None after the first.
        """
        # Copies, because the training goes on.
        state = tuple(np.array(variable.numpy()) for variable in model.variables)
        stage = [epoch for epoch in history if epoch.stage == history[-1].stage]
        improved = before is None or best_epoch(stage, origin.settings.monitor) is history[-1]
        return cls(
            origin=origin,
            history=tuple(history),
            model=state,
            optimizer=tuple(variable.numpy() for variable in model.optimizer.variables),
            best=state if before is None or improved else before.best,
        )

    def restore(self, model: Any) -> None:
        """Put the state into a compiled Keras model of the same architecture.

        Raises:
            InputError: the model has other variables.
        """
        # The optimizer's slots come into being with the first step, or here.
        model.optimizer.build(model.trainable_variables)
        self._assign(model.variables, self.model)
        self._assign(model.optimizer.variables, self.optimizer)

    def restore_best(self, model: Any) -> None:
        """Put the state after the best epoch of the stage into a model of the same architecture.

        Raises:
            InputError: the model has other variables.
        """
        self._assign(model.variables, self.best)

    def _assign(self, variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
        if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
            # Another version, or tf_keras instead of Keras, or float16, whose loss is scaled.
            raise InputError(
                f"checkpoint: expected the variables of this {self.origin.recipe} network, got others; "
                "go on in one process or several, on a CPU or a GPU, as it was written, or give --overwrite"
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def write(self, folder: RunFolder) -> None:
        """Replace the checkpoint of a run atomically.

        Raises:
            OSError: it cannot be written; the one before is still there.
        """
        header = dataclasses.asdict(_Header(self.origin, self.history))
        arrays = {f"model.{index}": value for index, value in enumerate(self.model)}
        arrays |= {f"optimizer.{index}": value for index, value in enumerate(self.optimizer)}
        if self.best is not self.model:
            arrays |= {f"best.{index}": value for index, value in enumerate(self.best)}
        with atomic_write(folder.last_checkpoint) as partial:
            # mypy sees that a name could be `allow_pickle`; none is.
            np.savez(partial, header=np.array(json.dumps(header)), **arrays)  # type: ignore[arg-type]

    @classmethod
    def read(cls, folder: RunFolder) -> Self | None:
        """Read the checkpoint of a run; None where there is none.

        Raises:
            InputError: it is damaged.
        """
        path = folder.last_checkpoint
        if not path.exists():
            return None
        try:
            # Numpy leaves a file open that it cannot make sense of, if it opened it itself.
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                header = read_dataclass(_Header, parse_object(str(file["header"]), name="header"), name="header")
                state = _numbered(file, "model")
                return cls(
                    origin=header.origin,
                    history=header.history,
                    model=state,
                    optimizer=_numbered(file, "optimizer"),
                    best=_numbered(file, "best") or state,
                )
        # A damaged zip raises BadZipFile, zlib.error, EOFError, NotImplementedError and more.
        except Exception as error:
            raise InputError(
                f"{path}: expected a checkpoint, got one that cannot be read "
                f"({type(error).__name__}: {error}); train again with --overwrite"
            ) from error


def _numbered(file: Any, kind: str) -> tuple[NDArray[Any], ...]:
    count = sum(name.startswith(f"{kind}.") for name in file.files)
    return tuple(file[f"{kind}.{index}"] for index in range(count))
