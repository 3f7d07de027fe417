"""The class that other people's programs embed: an image in, a label out."""

import enum
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends import Backend, Provider, open_backend
from edgecnn_runtime.choices import not_among
from edgecnn_runtime.errors import ImageError, InputError, ModelError
from edgecnn_runtime.manifest import Manifest
from edgecnn_runtime.model_formats import ModelFile
from edgecnn_runtime.prediction import Prediction
from edgecnn_runtime.preprocess import ImageSource, read_image
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_runtime.system.forks import in_forked_child

# What an exported file does not need to be opened and to name a label is imported where it is used: a device pays for
# each module at every start. `tests/runtime/test_imports.py` lists what is left.
if TYPE_CHECKING:
    from edgecnn_runtime.backends.delegate import Delegate
    from edgecnn_runtime.contract import Contract
    from edgecnn_runtime.golden import GoldenResult
    from edgecnn_runtime.image_fit import RgbColour
    from edgecnn_runtime.pipeline import Item
    from edgecnn_runtime.pixel_scaling import Numbers
    from edgecnn_runtime.third_party_models.adapter import Adapter
    from edgecnn_runtime.third_party_models.opening import Opening


class Mode(enum.StrEnum):
    """What the processors are used for."""

    THROUGHPUT = "throughput"  # each takes its own images, with an interpreter of one thread
    LATENCY = "latency"  # all work on one image


class Classifier:
    """A model file that is ready to classify images.

    Safe to share between threads: they take turns. For all cores, use `predict_many`. Its answers are those of the file
    as it was when it was opened, whatever becomes of it. A process that is forked later may use it too, unless OpenVINO
    runs it.
    """

    def __init__(self, backend: Backend, manifest: Manifest, contract: "Contract | None" = None) -> None:
        """Join an opened backend and its manifest; `Classifier.open` does both from a file.

        Raises:
            ModelError: the manifest does not fit the model.
        """
        if len(manifest.labels) != backend.classes:
            raise ModelError(f"{manifest.name}: labels: expected {backend.classes}, got {len(manifest.labels)}")
        if manifest.input.shape != backend.input_shape:
            raise ModelError(
                f"{manifest.name}: expected an input of {manifest.input.shape} as the manifest says, "
                f"got a model that takes {backend.input_shape}"
            )
        self.manifest = manifest
        self.labels = manifest.labels
        self.backend = backend
        self._contract = contract
        self._shape = backend.input_shape
        self._lock = threading.Lock()
        self._forks = _forks
        self._threads = 1

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        threads: int | None = None,
        mode: Mode | str = Mode.THROUGHPUT,
        engine: str | None = None,
        provider: Provider | str = Provider.CPU,
        allow_fallback: bool = False,
        delegates: "Sequence[Delegate | str]" = (),
        key: str | os.PathLike[str] | None = None,
        labels: str | os.PathLike[str] | Sequence[str] | None = None,
        scale: "Numbers | None" = None,
        mean: "Numbers | None" = None,
        std: "Numbers | None" = None,
        preprocess: str | None = None,
        layout: str | None = None,
        colour: str | None = None,
        resize: str | None = None,
        resize_size: int | None = None,
        interpolation: str | None = None,
        background: "RgbColour | None" = None,
        imgsz: int | tuple[int, int] | None = None,
        output_is: str | None = None,
        output_name: str | None = None,
        trusted: bool = False,
    ) -> "Classifier":
        """Open a model file: one that edgecnn exported, or a third-party one.

        An exported file says everything about itself. What neither the metadata of a third-party file nor the caller
        says is assumed; `contract` lists each fact and where it comes from.

        Args:
            path: a `.tflite` or `.onnx` file.
            threads: threads within one inference; default: by `mode`. Small models are fastest with 1.
            mode: "throughput", one thread per inference and one inference per processor in `predict_many`, or
                "latency", all processors that this process may use (its affinity and its cgroup's quota) for one
                inference.
            engine: what runs it: "litert" (TFLite), "onnxruntime" (ONNX) or "openvino" (both); default: the first that
                is installed.
            provider: where ONNX Runtime computes: "cpu", "cuda" or "tensorrt".
            allow_fallback: whether the CPU will do where `provider` is not there.
            delegates: TFLite delegates, each `LIBRARY` or `LIBRARY,key=value,…`.
            key: a PEM file with an Ed25519 public key: a file that its holder has not signed (`edgecnn export --sign`),
                or that was changed since, is refused.
            labels: the classes in the order of the outputs: a file (one per line, `0 red`, CSV, JSON or YAML), "a,b,c",
                or a sequence.
            scale: what pixels 0…255 are multiplied by, a number or "1/255".
            mean: what is subtracted then: one number or three, red, green, blue.
            std: what they are divided by then.
            preprocess: in place of these: "caffe", "tf", "torch" or "none", as keras.applications names them.
            layout: "nhwc" or "nchw", where the shape of the input fits both.
            colour: "rgb", "bgr" or "grey".
            resize: how images get the size of the input: "squash", "crop" or "pad".
            resize_size: for "crop", to how many pixels the shorter side is resized first, as 256 for a crop of 224.
            interpolation: the filter of the resizing: "bilinear" (antialiased), "bilinear-no-antialias" (as Keras'
                loaders and TFLite), "nearest", "area" or "bicubic" (antialiased).
            background: what transparent pixels show: "white", "#727272", "114,114,114" or three numbers 0…255.
            imgsz: height and width, where the model takes images of any size.
            output_is: "logits" or "probabilities", where the graph does not tell.
            output_name: the output with the scores of the classes, where several can be that.
            trusted: open a third-party file at once. Otherwise it first runs in a subprocess, since a
                damaged one may crash the interpreter; that takes a second, once: its SHA-256 is remembered.

        Raises:
            ModelError: missing, damaged, not an image classifier, or not signed with `key`.
            InputError: an argument does not fit the model, or is needed for it; an engine, a provider, a delegate or a
                key is not there. `PixelRangeError` where a third-party file does not say what it takes for pixels.
            MissingExtraError: the engine, or any for this format, is not installed; or cryptography for `key`.
        """
        said: dict[str, Any] = {
            "labels": labels,
            "scale": scale,
            "mean": mean,
            "std": std,
            "preprocess": preprocess,
            "layout": layout,
            "colour": colour,
            "resize": resize,
            "resize_size": resize_size,
            "interpolation": interpolation,
            "background": background,
            "imgsz": imgsz,
            "output_is": output_is,
            "output_name": output_name,
            "engine": engine,
            "provider": None if provider == Provider.CPU else provider,
            "allow_fallback": allow_fallback or None,
            "delegates": delegates or None,
            "key": key,
            "trusted": trusted or None,
        }
        said = {name: value for name, value in said.items() if value is not None}
        opening = None
        if said:
            from edgecnn_runtime.third_party_models.opening import Opening

            opening = Opening.of(**said)
        return cls.open_as(Path(path), opening, threads=threads_of(mode) if threads is None else threads)

    @classmethod
    def open_as(cls, path: Path | ModelFile, opening: "Opening | None" = None, *, threads: int = 1) -> "Classifier":
        """Do the work of `open`, which tells what is promised; without `opening` nothing is said of the file."""
        model = ModelFile.of(path)
        if opening is not None and opening.key is not None:
            model.check_signature(Path(opening.key))
        adapter = _adapter_for(model, opening)
        where: dict[str, Any] = {} if opening is None else opening.where
        try:
            backend = open_backend(model, threads=threads, adapt=adapter, **where)
        except ModelError as error:
            if adapter is None:
                raise
            raise adapter.explained(error) from error
        if backend.manifest_json is not None:
            if opening is not None and opening.given.options and not opening.third_party_only:
                raise InputError(
                    f"{model.path}: expected no {', '.join(opening.given.options)}, which the manifest of the file "
                    "gives; leave out what is for third-party models"
                )
            try:
                manifest = Manifest.from_json(backend.manifest_json)
            except ModelError as error:
                raise ModelError(f"{model.path}: {error}") from error
            classifier = cls(backend, manifest)
        else:
            assert adapter is not None  # the file has no manifest
            assert adapter.manifest is not None  # the backend has asked it
            classifier = cls(backend, adapter.manifest, adapter.contract)
        classifier._threads = threads
        return classifier

    @property
    def contract(self) -> "Contract":
        """What is taken for granted about the file, and who said so."""
        from edgecnn_runtime.contract import Contract

        return self._contract or Contract.of_manifest(self.manifest)

    @property
    def is_third_party(self) -> bool:
        """Whether edgecnn did not export the file: its labels, resizing and background are what the caller says."""
        return self.backend.manifest_json is None

    def predict(self, image: ImageSource) -> Prediction:
        """Classify one image of any size: a path, encoded bytes, a Pillow image or uint8 RGB or grey pixels.

        Raises:
            ImageError: the image cannot be read.
        """
        return Prediction.of(self.predict_proba(read_image(image, self.manifest.input)), self.labels)

    def predict_proba(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of images that already have the model's size.

        Args:
            pixels: uint8, 0…255, one image `(height, width, channels)` or a batch `(N, …)` of them.

        Returns:
            float32 `(classes,)` for one image, `(N, classes)` for a batch.

        Raises:
            ImageError: another shape or dtype.
        """
        if not isinstance(pixels, np.ndarray):
            raise ImageError(
                f"pixels: expected an array of uint8, got {type(pixels).__name__}; use predict() for other images"
            )
        if pixels.dtype != np.uint8 or pixels.shape[-3:] != self._shape or not 3 <= pixels.ndim <= 4:
            raise ImageError(_shape_message(self._shape, pixels))
        if self._forks != _forks:
            self._renew()
        with self._lock:
            if pixels.ndim == 3:
                row: NDArray[np.float32] = self.backend.infer(pixels[np.newaxis])[0]
                return row
            return self.backend.infer(pixels)

    def predict_many(self, paths: Iterable[ImageSource], *, workers: int | None = None) -> "Iterator[Item]":
        """Classify many images on all cores, yielding one item per image in the order given.

        An image that cannot be read is an item with an `error`; it never ends the batch. However long the list, and
        however slowly the items are taken, only some hundreds of results wait. An iterator that is closed early
        ends its workers.

        Args:
            paths: files to read, or whatever else `predict` takes, of any number; an iterator is read as the work
                goes on.
            workers: threads; default: as many as there are processors this process may use for the threads of each,
                so that they do not compete.

        Raises:
            ValueError: fewer than 1 worker.
        """
        from edgecnn_runtime.pipeline import classify_files

        if self._forks != _forks:
            self._renew()
        if workers is None:
            workers = max(1, available_cpus() // self._threads)
        return classify_files(self.backend, self.manifest, paths, workers=workers)

    def verify(self) -> "GoldenResult":
        """Run the golden check: compare this machine's answers with those of the workstation.

        Raises:
            ModelError: the file carries no golden check.
        """
        from edgecnn_runtime.golden import compare_golden, golden_images, no_golden

        golden = self.manifest.golden
        if golden is None:
            raise no_golden(self.manifest.name)
        return compare_golden(self.predict_proba(golden_images(self.manifest.input)), golden)

    def _renew(self) -> None:
        """Take a backend for this process, which was forked from the one that opened the model.

        A thread of that one may have been in the midst of an inference, and this process has a copy of what it left.

        Raises:
            ModelError: see `Backend.after_fork`.
        """
        with _renewing:
            if self._forks != _forks:
                backend = self.backend.after_fork()
                # Kept, because taking it down may wait for threads that are not here.
                _LEFT_BY_PARENT.append(self.backend)
                self.backend, self._lock, self._forks = backend, threading.Lock(), _forks


# How often this process and those before it were forked.
_forks = 0
_renewing = threading.Lock()
_LEFT_BY_PARENT: list[Backend] = []


def _count_fork() -> None:
    global _forks, _renewing
    _forks += 1
    _renewing = threading.Lock()


in_forked_child(_count_fork)


def _adapter_for(model: ModelFile, opening: "Opening | None") -> "Adapter | None":
    """Return what adapts a third-party file, after its first run in a subprocess; None for a file of edgecnn.

    Only third-party files load what they need: a device pays for it at every start.
    """
    if model.manifest is not None:
        return None
    from edgecnn_runtime.third_party_models.adapter import Adapter
    from edgecnn_runtime.third_party_models.opening import Opening

    opening = opening or Opening()
    if not opening.trusted:
        from edgecnn_runtime.third_party_models.first_run import check_first_run

        check_first_run(model, opening)
    return Adapter(model, opening.given)


def threads_of(mode: Mode | str) -> int:
    """Return how many threads one inference takes in a mode.

    Raises:
        InputError: no such mode.
    """
    if mode not in list(Mode):
        raise InputError(not_among("mode", mode, Mode))
    return available_cpus() if Mode(mode) is Mode.LATENCY else 1


def _shape_message(shape: tuple[int, int, int], pixels: NDArray[Any]) -> str:
    height, width, channels = shape
    return (
        f"pixels: expected uint8 ({height}, {width}, {channels}) or (N, {height}, {width}, {channels}), "
        f"got {pixels.dtype} {pixels.shape}; use predict() for images of another size"
    )
