"""An inspected model as text that fits 100 columns."""

import textwrap
from typing import TYPE_CHECKING

from edgecnn.console import Console
from edgecnn_runtime.image_fit import shown_colour, shown_resize
from edgecnn_runtime.model_formats import model_parts

if TYPE_CHECKING:
    from edgecnn_export.inspection.model import InspectedModel
    from edgecnn_export.inspection.verdict import NpuEstimate, Verdict
    from edgecnn_export.model_graph import Graph, Operator, Tensor
    from edgecnn_runtime.manifest import InputSpec

_WIDTH = 100
_KIB = 1024
# Layers shown without --all.
_LAYERS = 24
_SUMMARY = 60  # columns of a verdict's sentence


def show_model(console: Console, model: "InspectedModel") -> None:
    """Print what the file is: inputs and outputs, its size in several senses, what it says about itself."""
    graph, peak = model.graph, model.peak
    title = model.container.format.title
    console.say(f"{model.path.name}: {title} ({graph.version}), {model.size:,} bytes = {_kib(model.size)} KiB")
    rows = [("input", _described(graph.tensors[number])) for number in graph.inputs]
    rows += [("output", _described(graph.tensors[number])) for number in graph.outputs]
    macs = "not known: a shape is open" if graph.macs is None else f"{graph.macs:,} multiply-accumulates for one image"
    beside = [part.name for part in model_parts(model.path)[1:]]
    if beside:
        rows.append(("weights", f"in {', '.join(beside)} beside it, counted above; the files belong together"))
    rows += [("parameters", f"{graph.parameters:,} as stored"), ("work", macs)]
    if peak is not None:
        where = f"{peak.operator.kind} (operator {peak.operator.number})"
        rows.append(("activations", f"{_kib(peak.size)} KiB at their peak, in {where}; an estimate"))
    else:
        rows.append(("activations", "not known: a size is open"))
    rows.append(("operators", ", ".join(f"{count} {kind}" for kind, count in graph.counts)))
    if graph.other_graphs:
        rows.append(("not shown", f"{graph.other_graphs} further graphs: the bodies of loops and branches"))
    rows += _about(model)
    if model.signed:
        rows.append(("signature", "of a key; 'edgecnn verify MODEL --key PUB' tells whether it is that of PUB"))
    if model.pixels is not None:
        rows.append(("pixels", model.pixels))
    for name, text in rows:
        for line in textwrap.wrap(text, _WIDTH - 15, break_long_words=False, break_on_hyphens=False) or [""]:
            console.say(f"  {name:<12} {line}".rstrip())
            name = ""


def _about(model: "InspectedModel") -> list[tuple[str, str]]:
    manifest, metadata = model.manifest, model.metadata
    if model.manifest_problem:
        return [("manifest", model.manifest_problem)]
    if manifest is not None:
        rows = [
            (
                "manifest",
                f"{manifest.name}, {manifest.scheme}" + (f", recipe {manifest.recipe}" if manifest.recipe else ""),
            ),
            ("labels", _labels(manifest.labels)),
            ("images", _fitted(manifest.input)),
        ]
        if manifest.accuracy is not None:
            accuracy = f"{100 * manifest.accuracy.value:.2f} % of {manifest.accuracy.total:,} test images"
            if manifest.accuracy_keras is not None:
                accuracy += f" (Keras {100 * manifest.accuracy_keras.value:.2f} %)"
            rows.append(("accuracy", accuracy))
        if manifest.agreement is not None:
            agreement = f"with Keras on {100 * manifest.agreement.value:.2f} % of {manifest.agreement.total:,} images"
            rows.append(("agreement", f"{agreement}, which have no labels or were trained on"))
        if manifest.calibration is not None:
            calibration = manifest.calibration
            rows.append(("calibrated", f"on {calibration.images} training images, seed {calibration.seed}"))
        if manifest.in_float:
            rows.append(("in float32", ", ".join(manifest.in_float)))
        if manifest.licence is not None:
            rows.append(("licence", manifest.licence))
        if manifest.versions:
            rows.append(("made with", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())))
        return rows
    if metadata is not None:
        described = [metadata.name, metadata.version, metadata.author]
        rows = [
            (
                "metadata",
                ", ".join(text for text in described if text) or f"{model.container.format.metadata} without a name",
            )
        ]
        if metadata.mean and metadata.std:
            rows.append(("expects", f"(pixel - {metadata.mean[0]:g}) / {metadata.std[0]:g}"))
        if metadata.files:
            rows.append(("files in it", ", ".join(metadata.files)))
        if metadata.licence:
            rows.append(("licence", metadata.licence))
        return [*rows, _OPEN]
    standard = model.container.format.metadata
    return [
        ("manifest", "none: not exported by edgecnn" + (f", no {standard}" if standard else "")),
        _OPEN,
    ]


# What no third-party file says.
_OPEN = (
    "images",
    "how they are resized, and what transparent pixels show, is assumed wherever the file is run (white, as a rule); "
    "--resize, --resize-size, --interpolation and --background say otherwise",
)


def _fitted(spec: "InputSpec") -> str:
    """Say how an image is brought to the input."""
    return (
        f"{spec.height}x{spec.width} {spec.colour} by {shown_resize(spec)}, filter {spec.interpolation}; transparent "
        f"pixels and padding show {shown_colour(spec.background)}"
    )


def show_layers(console: Console, graph: "Graph", *, every: bool) -> None:
    """Print the operators with weights or products in their order, or the largest where there are many."""
    layers = [o for o in graph.operators if graph.weights_of(o)[0] or o.macs or o.macs is None]
    if not layers:
        return
    title = "Layers with weights or multiply-accumulates"
    if len(layers) > _LAYERS and not every:
        largest = sorted(layers, key=lambda operator: -graph.weights_of(operator)[1])[:_LAYERS]
        title += f": the {_LAYERS} largest of {len(layers)}, the others with --all"
        layers = sorted(largest, key=lambda operator: operator.number)
    console.say("", f"{title}")
    total = sum(graph.weights_of(operator)[1] for operator in graph.operators) or 1
    rows = []
    for operator in layers:
        parameters, stored = graph.weights_of(operator)
        rows.append(
            (
                str(operator.number),
                _cut(operator.kind, 20),
                _shape(graph.tensors[operator.outputs[0]]) if operator.outputs else "",
                _weights(graph, operator),
                f"{parameters:,}",
                _kib(stored),
                f"{100 * stored / total:.1f}",
                "?" if operator.macs is None else f"{operator.macs:,}",
            )
        )
    console.table(("#", "operator", "output", "weights", "parameters", "KiB", "share %", "MACs"), rows)


def _weights(graph: "Graph", operator: "Operator") -> str:
    """Describe the largest stored tensor of an operator: its type, and how many scales it has."""
    stored = graph.constants_of(operator)
    if not stored:
        return ""
    tensor = max(stored, key=lambda tensor: tensor.stored)
    if tensor.quantization is None:
        return tensor.dtype
    scales = len(tensor.quantization.scales)
    return f"{tensor.dtype}, {scales} scales" if scales > 1 else f"{tensor.dtype}, 1 scale"


def show_tensors(console: Console, graph: "Graph") -> None:
    """Print every tensor with its quantization."""
    console.say("", "Tensors (with a scale per channel: the smallest and the largest)")
    rows = []
    for number, tensor in enumerate(graph.tensors):
        quantization = tensor.quantization
        scales = quantization.scales if quantization else ()
        scale = f"{min(scales):.4g}" + (f"…{max(scales):.4g}" if len(scales) > 1 else "") if scales else ""
        zeros = sorted(set(quantization.zero_points)) if quantization else []
        rows.append(
            (
                str(number),
                _cut(tensor.name, 34),
                _shape(tensor),
                tensor.dtype,
                "stored" if tensor.constant else "live",
                scale,
                "…".join(str(zero) for zero in (zeros[:1] + zeros[-1:] if len(zeros) > 1 else zeros)),
            )
        )
    console.table(("#", "name", "shape", "type", "", "scale", "zero"), rows)


def show_verdicts(console: Console, verdicts: "list[Verdict]") -> None:
    """Print one line per target, then the obstacles and what would remove each."""
    rows = []
    for verdict in verdicts:
        lines = textwrap.wrap(verdict.summary, _SUMMARY)
        if verdict.estimate is not None:
            lines += _estimated(verdict.estimate)
        rows.append((verdict.target, str(verdict.answer), lines[0]))
        rows += [("", "", line) for line in lines[1:]]
    console.say()
    console.table(("target", "runs", "because"), rows)
    found: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        for obstacle in verdict.obstacles:
            what = f"{obstacle.what}: {obstacle.why}" if obstacle.operators else obstacle.why
            found.setdefault((what, obstacle.remedy), []).append(verdict.target)
    if found:
        console.say("", "In the way")
    for (what, remedy), targets in found.items():
        named = ", ".join(targets[:2]) + (f" and {len(targets) - 2} more" if len(targets) > 2 else "")
        console.say(*textwrap.wrap(f"{named}: {what}", _WIDTH, initial_indent="  ", subsequent_indent="    "))
        console.say(*textwrap.wrap(f"-> {remedy}", _WIDTH, initial_indent="    ", subsequent_indent="       "))


def _estimated(estimate: "NpuEstimate") -> list[str]:
    memories = [("SRAM", estimate.sram), ("DRAM", estimate.dram), ("flash", estimate.flash)]
    return [
        f"{estimate.cycles:,} cycles = {estimate.milliseconds:.3g} ms, estimated by Vela",
        ", ".join(f"{name} {_kib(size)} KiB" for name, size in memories if size),
        *textwrap.wrap(f"on {estimate.system}", _SUMMARY),
    ]


def _described(tensor: "Tensor") -> str:
    text = f"{tensor.name} {_shape(tensor)} {tensor.dtype}"
    quantization = tensor.quantization
    if quantization is None:
        return text
    return f"{text}, scale {quantization.scales[0]:g}, zero point {quantization.zero_points[0]}"


def _labels(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:6])
    return f"{len(labels)}: {shown}" + (", …" if len(labels) > 6 else "")


def _shape(tensor: "Tensor") -> str:
    if tensor.shape is None:
        return "open"
    return "x".join(map(str, tensor.shape)) or "scalar"


def _kib(size: int) -> str:
    return f"{size / _KIB:,.1f}"


def _cut(text: str, width: int) -> str:
    """Shorten a text in its middle, where names of tensors differ least."""
    if len(text) <= width:
        return text
    half = (width - 1) // 2
    return f"{text[: width - 1 - half]}…{text[-half:]}"
