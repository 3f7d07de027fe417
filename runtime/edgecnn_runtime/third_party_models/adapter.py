"""Decide how a third-party model is used, and keep what was decided."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends.adaptation import Adaptation, Interface, Probe
from edgecnn_runtime.backends.interface import TensorFacts
from edgecnn_runtime.contract import Contract, Fact, Origin
from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.image_fit import ImageFit, shown_colour, shown_resize
from edgecnn_runtime.manifest import MOST_CHARACTERS, Colour, InputSpec, Manifest, Scheme
from edgecnn_runtime.model_files.graph_facts import CLASSIFY, GraphFacts
from edgecnn_runtime.model_formats import ModelFile, format_of
from edgecnn_runtime.third_party_models.given import Given
from edgecnn_runtime.third_party_models.image_layout import ImageLayout, find_layout
from edgecnn_runtime.third_party_models.no_classifier import check_image, check_inputs, custom_operators
from edgecnn_runtime.third_party_models.output_form import OutputDecoding, find_decoding
from edgecnn_runtime.third_party_models.pixel_encoding import PixelEncoding, find_encoding
from edgecnn_runtime.third_party_models.pixel_ranges import PIXEL_RANGES, PixelRangeError


class Adapter:
    """Called by a backend with the interface of a model without manifest; then `manifest` and `contract` are there.

    What it raises names the file.
    """

    def __init__(self, model: ModelFile, given: Given) -> None:
        self._path, self._given, self._facts = model.path, given, model.facts()
        self.manifest: Manifest | None = None
        self.contract: Contract | None = None

    def __call__(self, interface: Interface, probe: Probe) -> Adaptation:
        """Decide, with the help of a few runs of test images.

        Raises:
            ModelError: no classifier of images.
            InputError: what the caller said does not fit it, or does not suffice.
        """
        try:
            return self._adapt(interface, probe)
        except PixelRangeError as error:
            raise PixelRangeError(f"{self._path}: {error.reason}", error.ranges) from error
        except (InputError, ModelError) as error:
            raise type(error)(f"{self._path}: {error}") from error

    def explained(self, error: ModelError) -> ModelError:
        """Say what kind of file it is that an engine does not open, where its operators tell."""
        why = custom_operators(self._facts.custom_operators)
        return error if why is None else ModelError(f"{self._path}: {why}")

    def _adapt(self, interface: Interface, probe: Probe) -> Adaptation:
        given, facts = self._given, self._facts
        task = facts.metadata.task
        if task is not None and task != CLASSIFY:
            raise ModelError(
                f"expected a classifier, got a model for the task {task!r}, as its {facts.metadata.source} says; run "
                "it with the software that made it"
            )
        check_inputs(interface.inputs, given)
        tensor = interface.inputs[0]
        layout = find_layout(
            tensor,
            given,
            channels_first_by_default=format_of(self._path).channels_first,
            stated=facts.metadata.imgsz,
        )
        check_image(tensor, layout, given)
        encoding, unknown = _encoding(tensor, layout, given, facts)
        shape = layout.height, layout.width, (1 if encoding.colour is Colour.GREY else 3)
        probed, images = _probe(probe, encoding, shape, layout)
        decoding = find_decoding(interface.outputs, probed, given, facts, images=images)
        _check_repeats(probe, encoding, shape, decoding, probed)
        labels, labels_fact = _labels(given, facts, decoding.classes)
        stated = facts.metadata.fit(layout.height, layout.width)
        spec = given.fit.or_else(stated).applied_to(InputSpec(layout.height, layout.width, encoding.colour))
        if unknown is not None:
            raise unknown
        self.manifest = Manifest(
            name=self._path.stem,
            labels=labels,
            input=spec,
            scheme=Scheme.INT8 if tensor.dtype in ("uint8", "int8") and tensor.scale is not None else Scheme.FLOAT32,
        )
        self.contract = Contract(
            labels=labels_fact,
            size=layout.size_fact,
            layout=layout.layout_fact,
            colour=encoding.colour_fact,
            pixels=encoding.pixels_fact,
            **_fit_facts(spec, given.fit, stated, facts.metadata.source),
            output=decoding.fact,
        )
        return Adaptation(
            input_shape=shape,
            classes=decoding.classes,
            tensor_shape=layout.shape,
            batch=_batch(probe, encoding, layout, probed[decoding.number]) if interface.batches else layout.batch,
            output=decoding.number,
            encode=encoding.encode,
            decode=decoding.decode,
        )


def _fit_facts(spec: InputSpec, said: ImageFit, stated: ImageFit, source: str) -> dict[str, Fact]:
    """Say how images are fitted to the input, and who says so: the caller, the file's metadata, or nobody."""
    shown = {
        "resize": (shown_resize(spec), "--resize crop or pad says otherwise"),
        "interpolation": (
            spec.interpolation.value,
            "antialiased; --interpolation says otherwise, as bilinear-no-antialias for what Keras' loaders resized",
        ),
        "background": (shown_colour(spec.background), "under transparent pixels; --background says otherwise"),
    }
    facts = {}
    for name, (value, why) in shown.items():
        if getattr(said, name) is not None:
            facts[name] = Fact(value, Origin.CALLER)
        elif getattr(stated, name) is not None:
            facts[name] = Fact(value, Origin.METADATA, source)
        else:
            facts[name] = Fact(value, Origin.ASSUMED, why)
    return facts


def _encoding(
    tensor: TensorFacts, layout: ImageLayout, given: Given, facts: GraphFacts
) -> tuple[PixelEncoding, PixelRangeError | None]:
    """Find out what becomes of a pixel.

    Where nobody says it, the model still runs once, on pixels 0…1: what is no classifier is not asked for its pixels.
    """
    try:
        return find_encoding(tensor, layout, given, facts), None
    except PixelRangeError as error:
        return find_encoding(tensor, layout, replace(given, scaling=PIXEL_RANGES[0].scaling), facts), error


# How far the probabilities of one image may differ from run to run: threads and GPUs add in any order.
_REPEATED = 1e-2


def _check_repeats(
    probe: Probe,
    encoding: PixelEncoding,
    shape: tuple[int, int, int],
    decoding: OutputDecoding,
    probed: list[NDArray[Any]],
) -> None:
    """Make sure that the answer depends on the image alone: the first test image is given once more, as the last.

    Raises:
        ModelError: it differs.
    """
    output = probe(encoding.encode(_test_images(shape)[0][np.newaxis]))[decoding.number]
    first, again = (decoding.decode(one)[0] for one in (probed[decoding.number], output))
    if not np.allclose(first, again, atol=_REPEATED):
        raise ModelError(
            "expected the same answer to the same image, got another the second time: it keeps a state that cannot be "
            "reset, or draws random numbers, as layers do that were exported for training; export it for inference"
        )


def _batch(probe: Probe, encoding: PixelEncoding, layout: ImageLayout, alone: NDArray[Any]) -> int | None:
    """Say how many images a run takes: where any number is promised, two are tried first.

    Graphs whose inside is made for one image are common behind an open batch.
    """
    if layout.batch is not None:
        return layout.batch
    shape = layout.height, layout.width, 1 if encoding.colour is Colour.GREY else 3
    pair = np.stack(_test_images(shape)[:2])
    try:
        together = probe(encoding.encode(pair))
    except ModelError:
        return 1
    found = [output for output in together if output.size == alone[:2].size]
    same = any(np.allclose(output.reshape(-1), alone[:2].reshape(-1), rtol=1e-2, atol=1e-3) for output in found)
    return None if same else 1


def _probe(
    probe: Probe, encoding: PixelEncoding, shape: tuple[int, int, int], layout: ImageLayout
) -> tuple[list[NDArray[Any]], int]:
    """Run test images.

    Returns:
        What came out of each output for one run after the other, and how many rows an output has by that.
    """
    runs = [probe(encoding.encode(image[np.newaxis])) for image in _test_images(shape)]
    if any(len({run[number].shape for run in runs}) > 1 for number in range(len(runs[0]))):
        raise ModelError("expected outputs of the same shape for every image, got others")
    rows = layout.batch or 1
    return [np.concatenate([_with_batch(run[number], rows) for run in runs]) for number in range(len(runs[0]))], (
        rows * len(runs)
    )


def _test_images(shape: tuple[int, int, int]) -> list[NDArray[np.uint8]]:
    """Return noise and a ramp: each run of a large network costs as much as all else that opens it."""
    height, width, _ = shape
    ramp = np.linspace(0, 255, height * width).reshape(height, width, 1)
    noise = _mixed(np.arange(np.prod(shape), dtype=np.uint32)).reshape(shape)
    return [np.broadcast_to(image, shape).astype(np.uint8) for image in (noise, ramp)]


def _mixed(numbers: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Make a byte of noise of each number: the last steps of MurmurHash3 (Austin Appleby, `fmix32`).

    `numpy.random` would take longer to load than a small model to open.
    """
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        numbers = (numbers ^ (numbers >> np.uint32(shift))) * np.uint32(factor)
    return ((numbers ^ (numbers >> np.uint32(16))) & np.uint32(255)).astype(np.uint8)


def _with_batch(output: NDArray[Any], rows: int) -> NDArray[Any]:
    """Give an output of one image an axis for the batch, where it has none."""
    if output.ndim and output.shape[0] == rows:
        return output
    return output[np.newaxis] if rows == 1 else output


def _labels(given: Given, facts: GraphFacts, classes: int) -> tuple[tuple[str, ...], Fact]:
    found, source = facts.metadata.labels, facts.metadata.source
    if given.labels is not None:
        labels, fact = given.labels, Fact(f"{len(given.labels)} labels", Origin.CALLER)
    elif found is not None and len(found) == classes:
        labels, fact = found, Fact(f"{len(found)} labels", Origin.METADATA, source)
    else:
        names = tuple(f"class {number}" for number in range(classes))
        why = "--labels names them"
        if found is not None:
            why = f"{source} has {len(found)} labels for {classes} classes; --labels names them"
        return names, Fact(f"{names[0]} … {names[-1]}", Origin.ASSUMED, why)
    if len(labels) != classes:
        raise InputError(f"labels: expected {classes}, one for each output, got {len(labels)}")
    odd = [label for label in labels if not 0 < len(label) <= MOST_CHARACTERS or not label.isprintable()]
    if odd:
        raise InputError(
            f"labels: expected names of at most {MOST_CHARACTERS:,} characters that can be printed, got {odd[0]!r:.60}"
        )
    return _distinct(labels, fact)


def _distinct(labels: tuple[str, ...], fact: Fact) -> tuple[tuple[str, ...], Fact]:
    """Add its number to a label that occurs twice, as "crane" and "maillot" do among those of ImageNet."""
    twice = {label for label, count in Counter(labels).items() if count > 1}
    if not twice:
        return labels, fact
    told = tuple(f"{label} ({number})" if label in twice else label for number, label in enumerate(labels))
    if len(set(told)) < len(told):
        raise InputError(f"labels: expected all different, got twice: {', '.join(sorted(twice)[:3])}")
    return told, Fact(fact.value, fact.origin, f"{', '.join(sorted(twice)[:3])} occur twice and carry their number")
