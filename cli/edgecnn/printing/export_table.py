"""What `edgecnn export` prints: a line per file, and what was done before."""

from typing import TYPE_CHECKING

from edgecnn.console import Console

if TYPE_CHECKING:
    from edgecnn_export.export_index import ExportedFile
    from edgecnn_export.micro.c_source import CSource
    from edgecnn_export.proof.parity import Parity

_PACKED = ("gzip kB", "zeros %", "distinct")


def print_exported(console: Console, files: "list[ExportedFile]", c_source: "CSource | None" = None) -> None:
    """Print what was exported as tables, or as the JSON document."""
    for file in files:
        if file.quantization.warning:
            console.warn(f"{file.path.name}: {file.quantization.warning}")
        if len(file.quantization.candidates) > 1 or file.quantization.skipped:
            _print_search(console, file)
        elif file.quantization.in_float:
            console.say(f"{file.path.name}: {_in_float32(file)}, which has no integer form or only a slow one.", "")
    document: dict[str, object] = {"files": [file.to_document() for file in files]}
    if c_source:
        document["c_source"] = c_source.to_document()
    console.document(document)
    print_optimization(console, files)
    sparse = any(file.optimized and file.optimized.optimization.changes_weights for file in files)
    unlabelled = any(file.parity.labelled_by_model for file in files if file.parity)
    accuracy = ("expected loss",) if unlabelled else ("accuracy %", _against(files[0]))
    rows = [_row(file, accuracy=len(accuracy), sparse=sparse) for file in files]
    console.table(
        ("file", "kB", *accuracy, "same top-1 %", "largest diff.", *(_PACKED if sparse else ()), ""),
        rows,
    )
    if unlabelled:
        console.say(
            "The images have no labels, or were trained on: this is agreement with the float model, not accuracy. "
            "Expected loss: points of accuracy lost if the float model's probabilities are right."
        )
    if sparse:
        console.say("distinct: the largest number of distinct weights in an output channel of a layer")
    if c_source:
        arena = c_source.arena_bytes
        ram = "RAM not measured (pip install tflite-micro)" if arena is None else f"{arena:,} bytes of RAM"
        console.say(
            "",
            f"C++ source of {c_source.model.name}: {c_source.header.name}, {c_source.source.name}",
            f"  {c_source.flash_bytes:,} bytes of flash, {ram}, operators {', '.join(c_source.operators)}",
        )


def print_optimization(console: Console, files: "list[ExportedFile]") -> None:
    """Print what each step of the optimization cost, where there was one."""
    outcome = next((file.optimized for file in files if file.optimized), None)
    if outcome is None:
        return
    rows = [
        (
            step.name,
            f"{100 * step.before.value:.2f}",
            f"{100 * step.after.value:.2f}",
            f"{step.best_epoch}",
            f"{step.seconds:.0f} s",
        )
        for step in outcome.steps
    ]
    console.table(("step", "validation % before", "after", "best epoch", "time"), rows)
    parity = next((file.parity for file in files if file.parity), None)
    if outcome.accuracy is not None and parity is not None:
        console.say(
            f"Test accuracy of the Keras model: {100 * outcome.accuracy.value:.2f} % with the new weights, "
            f"{100 * parity.accuracy_keras.value:.2f} % as trained; the files are compared with the latter.",
            "",
        )


def _row(file: "ExportedFile", *, accuracy: int, sparse: bool) -> tuple[str, ...]:
    """Return a line of the table; only the name of a file that could not be made."""
    packed = _packed(file) if sparse else ()
    if file.parity is None:
        return file.path.name, *("" for _ in range(accuracy + 3)), *packed, "not made"
    return (
        file.path.name,
        f"{file.size / 1000:,.1f}",
        *_accuracy_cells(file.parity),
        f"{100 * file.parity.agreement:.2f}",
        f"{file.parity.largest_difference:.2g}",
        *packed,
        "not kept" if file.failure else "ok",
    )


def _against(file: "ExportedFile") -> str:
    """Name what files are compared with; for an optimized model, the one before it."""
    return "vs as trained" if file.optimized else "vs Keras"


def _packed(file: "ExportedFile") -> tuple[str, ...]:
    if file.packed is None:
        return "", "", ""
    packed = file.packed
    return f"{packed.gzip_bytes / 1000:,.1f}", f"{100 * packed.sparsity:.1f}", f"{packed.distinct_in_channel}"


def _print_search(console: Console, file: "ExportedFile") -> None:
    """Print the candidates for a quantized file; the last is the one in it."""
    images = file.quantization.candidates[0].parity.accuracy.total
    console.say(
        f"{file.path.name}: plain int8 could lose too much. Candidates, and what each loses on {images:,} validation "
        "and training images (at most: with 95 % confidence):"
    )
    rows: list[tuple[str, ...]] = []
    for candidate in file.quantization.candidates:
        accuracy = candidate.validation.accuracy
        low, high = accuracy.interval
        rows.append(
            (
                candidate.name,
                f"{100 * accuracy.value:.2f} ({100 * low:.1f} … {100 * high:.1f})",
                f"{0 - candidate.parity.drop:+.2f}",
                f"{0 - candidate.parity.drop_at_most:+.2f}",
                f"{candidate.size / 1000:,.1f}",
                f"{candidate.microseconds:,.0f}",
            )
        )
    console.table(("", "validation %", _against(file), "at most", "kB", "µs per image"), rows)
    for skipped in file.quantization.skipped:
        console.say(f"not tried: {skipped.name}: {skipped.reason}")
    if file.quantization.in_float:
        console.say(_in_float32(file))
    console.say()


def _in_float32(file: "ExportedFile") -> str:
    return f"in float32: {', '.join(file.quantization.in_float)}"


def _accuracy_cells(parity: "Parity") -> tuple[str, ...]:
    if parity.labelled_by_model:
        return (f"{parity.drop:.2f}",)
    return f"{100 * parity.accuracy.value:.2f}", f"{0 - parity.drop:+.2f}"
