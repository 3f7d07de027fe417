"""The layout of a run folder, and the record and the model in it that export and benchmark read."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn_runtime.errors import DataError, InputError
from edgecnn_runtime.json_dataclasses import read_dataclass, read_object
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation import VALIDATION_FRACTION
from edgecnn_runtime.workstation.division import Division
from edgecnn_runtime.workstation.image_set import ImageSet, open_prepared


@dataclass(frozen=True)
class RunRecord:
    """What `run.json` holds: enough to repeat the run and to export it."""

    name: str
    recipe: Mapping[str, Any]  # the resolved recipe: `name` and every value that was used
    labels: tuple[str, ...]
    input: InputSpec
    data_name: str
    data_folder: str
    data_fingerprint: str
    seed: int
    licence: str | None = None  # of the training data
    command: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)  # seconds
    division: Division | None = None  # of its images; None in records that say it in `recipe`, as earlier ones do

    def division_of(self, image_set: ImageSet) -> Division:
        """Return how the images of the run, `image_set`, were divided into training and validation images."""
        if self.division is not None:
            return self.division
        fraction = float(self.recipe.get("validation_fraction", VALIDATION_FRACTION))
        return Division.of(image_set, fraction=fraction, seed=int(self.recipe.get("seed", self.seed)))


@dataclass(frozen=True)
class RunFolder:
    """Where the files of one run are.

    >>> RunFolder(Path("runs/mnist")).exported("int8", ".tflite").as_posix()
    'runs/mnist/export/mnist_int8.tflite'
    """

    path: Path

    @property
    def name(self) -> str:
        """The name of the run: its folder's."""
        return self.path.resolve().name

    @property
    def record(self) -> Path:
        """`run.json`, written last: a folder that has it holds a finished run."""
        return self.path / "run.json"

    @property
    def model(self) -> Path:
        """The trained network, pixels 0…255 in, probabilities out, as Keras saves it."""
        return self.path / "model.keras"

    @property
    def best_weights(self) -> Path:
        """The weights of the best epoch on the validation images."""
        return self.path / "best.weights.h5"

    @property
    def history(self) -> Path:
        """Loss and accuracy, one row an epoch."""
        return self.path / "history.csv"

    @property
    def metrics(self) -> Path:
        """The scores on the test split."""
        return self.path / "metrics.json"

    @property
    def candidates(self) -> Path:
        """What the folds say of each network among which one was chosen; only where no recipe was named."""
        return self.path / "candidates.json"

    @property
    def plan(self) -> Path:
        """Of an unfinished run without a named recipe, what was planned."""
        return self.checkpoints / "plan.json"

    @property
    def classification_report(self) -> Path:
        """Precision, recall, F1 and support of each class on the test split, as text."""
        return self.path / "classification_report.txt"

    @property
    def test_probabilities(self) -> Path:
        """What the Keras model gives for the test split, float32 `(N, classes)`: the parity reference."""
        return self.path / "test.probabilities.npy"

    @property
    def predictions(self) -> Path:
        """What images were taken for: `validation.csv`, `test.csv`, and of a run with folds `out_of_fold.csv`."""
        return self.path / "predictions"

    @property
    def network_summary(self) -> Path:
        """The layers of the network, their output shapes and parameters, as text."""
        return self.path / "network.txt"

    @property
    def images(self) -> Path:
        """Of an imported model, the prepared set of the images it was given; other runs have theirs elsewhere."""
        return self.path / "images"

    @property
    def figures(self) -> Path:
        """The PNG figures."""
        return self.path / "figures"

    @property
    def tensorboard(self) -> Path:
        """The event files of TensorBoard, where they were asked for."""
        return self.path / "tensorboard"

    @property
    def evaluation(self) -> Path:
        """What `edgecnn evaluate` wrote: a folder a model file, and in it one a data set and split."""
        return self.path / "evaluation"

    @property
    def explain(self) -> Path:
        """What `edgecnn explain` drew: a folder an image."""
        return self.path / "explain"

    @property
    def checkpoints(self) -> Path:
        """What a killed run resumes from; removed when the run is finished."""
        return self.path / "checkpoints"

    def fold(self, number: int) -> "RunFolder":
        """What a fold of an unfinished run, counted from 1, leaves behind."""
        return RunFolder(self.checkpoints / f"fold-{number}")

    @property
    def last_checkpoint(self) -> Path:
        """The state of an unfinished run after its last finished epoch."""
        return self.checkpoints / "last.npz"

    @property
    def export(self) -> Path:
        """The exported files."""
        return self.path / "export"

    @property
    def bench(self) -> Path:
        """The measurements."""
        return self.path / "bench"

    def exported(self, form: str, suffix: str, *, variant: str = "") -> Path:
        """The file of one exported format, `<name>_<form><suffix>`; of an optimized model `<name>_<variant>_…`.

        The form is the scheme, and what else distinguishes the file: `int8`, `int8-signed`.
        """
        return self.export / f"{'_'.join(filter(None, (self.name, variant, form)))}{suffix}"

    def write_record(self, record: RunRecord) -> None:
        """Write `run.json`, whole or not at all."""
        atomic_files.write_json(self.record, dataclasses.asdict(record))

    def read_record(self) -> RunRecord:
        """Read `run.json`.

        Raises:
            InputError: the folder is missing, is no run, or the run was not finished.
        """
        if not self.path.is_dir():
            raise InputError(f"{self.path}: not found; expected a run folder; make one with 'edgecnn train'")
        if not self.record.exists():
            resume = "; this run was not finished: add --resume to the command that started it"
            raise InputError(
                f"{self.path}: expected a run folder with run.json, got none"
                + (resume if self.checkpoints.is_dir() else "; make one with 'edgecnn train'")
            )
        try:
            document = read_object(self.record)
            return read_dataclass(RunRecord, document, name=str(self.record))
        except (OSError, ValueError) as error:
            raise InputError(f"{error}; train again") from error

    def load_model(self, keras: Any) -> Any:
        """Load `model` in Keras's safe mode, which refuses code inside the file.

        Args:
            keras: the module; nothing here imports one.

        Returns:
            A model from float32 pixels `(N, height, width, channels)`, 0…255, to probabilities `(N, classes)`.

        Raises:
            InputError: missing or damaged.
        """
        if not self.model.is_file():
            raise InputError(f"{self.model}: not found; expected the trained model of the run; train again")
        try:
            with native_output_kept():
                return keras.saving.load_model(self.model, compile=False, safe_mode=True)
        # Keras passes on whatever its zip, HDF5 and JSON readers raise.
        except Exception as error:
            raise InputError(f"{self.model}: expected a whole Keras model; Keras says: {error}") from error


def open_run_data(record: RunRecord, *, data: Path | None = None) -> ImageSet:
    """Open the prepared set a run was trained on.

    Args:
        record: of the run.
        data: where the set is now, if not where it was at training.

    Raises:
        DataError: the set is missing, or is not the one that the run was trained on.
    """
    folder = data or Path(record.data_folder)
    image_set = open_prepared(folder)
    if image_set.fingerprint != record.data_fingerprint:
        raise DataError(
            f"{folder}: expected the set that {record.name} was trained on (fingerprint "
            f"{record.data_fingerprint[:12]}…), got another ({image_set.fingerprint[:12]}…); train again on it"
        )
    return image_set
