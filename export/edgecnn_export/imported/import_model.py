"""Make a run of a third-party model: contract 1 around it, and the folder that export, bench and evaluate read."""

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.imported.answers import OutputKind, answers_of, probabilities
from edgecnn_export.imported.original_model import OriginalModel
from edgecnn_export.imported.pixel_scaling import exchange_of_channels, scaled, turned_to_rgb
from edgecnn_runtime.choices import not_among
from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.system.atomic_files import atomic_write
from edgecnn_runtime.workstation.division import Division
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder, RunRecord

if TYPE_CHECKING:
    import keras

# What such a run has in place of the name of a recipe; the second name is that of earlier versions.
RECIPE = "imported"
_RECIPES = (RECIPE, "adopted")
_BATCH = 64


@dataclass(frozen=True, eq=False)
class ImportedModel:
    """A third-party model inside the contract: pixels 0…255 in, probabilities out."""

    original: OriginalModel
    network: "keras.Model"
    answers: OutputKind
    assumed: tuple[str, ...]  # what nobody said, in sentences

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities `(N, classes)` of uint8 pixels `(N, height, width, channels)`."""
        outcome = [
            np.asarray(self.network(pixels[start : start + _BATCH].astype(np.float32), training=False))
            for start in range(0, len(pixels), _BATCH)
        ]
        return np.concatenate(outcome)


def import_model(original: OriginalModel, images: NDArray[np.uint8], *, output_is: str | None = None) -> ImportedModel:
    """Put the scaling in front of a third-party network, and probabilities behind it.

    Args:
        original: the network; its weights may be changed, so that it takes RGB.
        images: some real ones, uint8 `(N, height, width, channels)`, to look at what comes out.
        output_is: logits or probabilities; None finds it out.

    Raises:
        InputError: it cannot be found out, or what comes out is no number.
        ModelError: it mixes the images of a batch.
    """
    import keras

    if output_is is not None and output_is not in list(OutputKind):
        raise InputError(not_among("--output-is", output_is, OutputKind))
    # Its old name may be one of those used here.
    network = keras.Model(original.network.inputs[0], original.network.outputs[0], name="network")
    network = _for_inference(network)
    channels = original.input.channels
    pixels = keras.Input(original.input.shape, name="pixels")
    x = scaled(pixels, original.scaling, channels=channels)
    if original.scaling.bgr and not turned_to_rgb(network):
        x = exchange_of_channels()(x)
    outcome = network(x)
    seen = np.asarray(keras.Model(pixels, outcome)(images.astype(np.float32), training=False))
    if len(seen) != len(images):
        raise ModelError(
            f"{original.origin}: expected one answer per image, got {len(seen)} for {len(images)} images; save the "
            "model as a .keras file"
        )
    if not np.isfinite(seen).all():
        raise InputError(
            f"{original.origin}: expected numbers, got NaN or infinity from real images; check its scaling"
        )
    assumed = list(original.assumed)
    if output_is is None:
        answers, reason = answers_of(network, seen)
        assumed.append(f"its outputs are {answers} ({reason})")
    else:
        answers = OutputKind(output_is)
    if seen.shape[1] == 1:
        assumed.append(f"its one output is the probability of {original.labels[1]!r}, the second label")
    imported = keras.Model(pixels, probabilities(outcome, answers), name="imported")
    return ImportedModel(original, imported, answers, tuple(assumed))


def check_folder(folder: RunFolder, *, overwrite: bool) -> None:
    """Make sure that an import into a folder destroys nothing unasked: only an earlier import is replaced.

    Raises:
        InputError: another run, or a folder that is none.
    """
    if not folder.path.exists():
        return
    if not folder.path.is_dir():
        raise InputError(f"{folder.path}: expected a new folder, got a file; give another --output")
    if overwrite or (folder.record.exists() and _is_import(folder)):
        return
    left = {path for path in folder.path.iterdir() if not path.name.startswith(".")}
    # What an interrupted import has left, and what was made of the one before it.
    imported = {folder.model, folder.images, folder.test_probabilities}
    if left - imported - {folder.export, folder.bench, folder.evaluation, folder.explain}:
        raise InputError(
            f"{folder.path}: expected a new folder, or one of an imported model, got another run or other files; "
            "give another --output, or --overwrite to delete it"
        )


def write_run(
    folder: RunFolder, imported: ImportedModel, image_set: ImageSet, *, seed: int, command: str | None, versions: Any
) -> RunRecord:
    """Write `model.keras`, `test.probabilities.npy` and, last, `run.json`.

    Args:
        folder: where the run goes.
        imported: the model.
        image_set: its images, prepared in `folder.images`.
        seed: of the choice of calibration images.
        command: the command line, for the record.
        versions: of the packages.
    """
    test = image_set.split("test")
    with atomic_write(folder.test_probabilities) as partial:
        np.save(partial, imported.predict(np.asarray(test.images)), allow_pickle=False)
    with atomic_write(folder.model) as partial:
        imported.network.save(partial)
    original = imported.original
    record = RunRecord(
        name=folder.name,
        recipe={
            "name": RECIPE,
            "origin": original.origin,
            "sha256": original.sha256,
            "scale": list(original.scaling.scale),
            "offset": list(original.scaling.offset),
            "bgr": original.scaling.bgr,
            "per_image": original.scaling.per_image,
            "output": str(imported.answers),
            "assumed": list(imported.assumed),
        },
        labels=original.labels,
        input=original.input,
        data_name=image_set.name,
        data_folder=str(image_set.folder),
        data_fingerprint=image_set.fingerprint,
        seed=seed,
        licence=original.licence,
        command=command,
        versions=versions,
        division=Division.of(image_set, seed=seed),
    )
    folder.write_record(record)
    return record


def clear(folder: RunFolder) -> None:
    """Delete what is in the way of a new import; the exported files stay until the next export looks at them."""
    if folder.record.exists() and not _is_import(folder):
        shutil.rmtree(folder.path)
    folder.record.unlink(missing_ok=True)


def _is_import(folder: RunFolder) -> bool:
    return folder.read_record().recipe.get("name") in _RECIPES


def _for_inference(network: "keras.Model") -> "keras.Model":
    """Return a network that computes in float32 and answers to each image as if it was the first.

    Whatever precision it was trained in, its weights are float32 already; what stateful layers remember of the images
    before is left behind.
    """
    import keras

    layers = network._flatten_layers()
    remembering = [layer for layer in layers if isinstance(layer, keras.layers.RNN) and layer.stateful]
    if _computes_in_float32(network) and not remembering:
        return network

    def plain(layer: Any) -> Any:
        clone = layer.__class__.from_config({**layer.get_config(), "dtype": "float32"})
        for inner in clone._flatten_layers():
            if isinstance(inner, keras.layers.RNN):
                inner.stateful = False
        if isinstance(clone, keras.layers.Bidirectional):
            clone.stateful = False
        return clone

    rebuilt = keras.models.clone_model(network, clone_function=plain, recursive=True)
    states = {id(state) for layer in remembering for state in keras.tree.flatten(layer.states)}
    rebuilt.set_weights([weight.numpy() for weight in network.weights if id(weight) not in states])
    return rebuilt


def _computes_in_float32(network: "keras.Model") -> bool:
    return all(
        _computes_in_float32(layer)
        if getattr(layer, "layers", ())
        else getattr(layer, "compute_dtype", "float32") == "float32"
        for layer in network.layers
    )
