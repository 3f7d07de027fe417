"""`edgecnn evaluate RUN|MODEL`: the scores and figures of any model on any labelled images."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.model_options import ModelOptions
from edgecnn.options.option_group import output_option, takes_options
from edgecnn.printing.one_label import one_label
from edgecnn.printing.scores import accuracy_shown, uneven_classes_shown, without_copies_shown


@takes_options(model_options=ModelOptions)
def evaluate(
    model_options: ModelOptions,
    target: Annotated[Path, typer.Argument(metavar="RUN|MODEL", help="Run folder, or a model file, .tflite or .onnx.")],
    data: Annotated[
        str | None,
        typer.Option(
            help="Labelled images: class folders (a folder or zip), a CSV of labels beside its images, a prepared set, "
            "or a known one; default: the set of the model's run."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split to score on; default: test, or all images where there are no splits."),
    ] = None,
    output: Annotated[
        Path | None,
        output_option("DIR", "Folder to write; default: evaluation/… in the model's run, or here."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score a run or a model file on labelled images.

    It writes precision, recall and F1 per class, the confusion matrix and the worst errors, as text and figures.
    """
    from edgecnn_runtime.errors import MissingExtraError
    from edgecnn_runtime.system.cpu import available_cpus
    from edgecnn_training.evaluation.labelled_images import open_labelled_images
    from edgecnn_training.evaluation.opened_model import open_model

    console = Console(json=json, quiet=quiet)
    model = open_model(target, open_file=lambda path: model_options.open(console, path, threads=available_cpus()))
    labelled = open_labelled_images(model, data=data, split=split, say=console.say)
    if labelled.trained_on:
        console.warn(
            f"the network was trained on the {len(labelled.images):,} images of {labelled.split}: "
            "the score says nothing about new ones"
        )
    try:
        from edgecnn_training.evaluation.model_evaluation import evaluate_model

        with console.progress("evaluating", len(labelled.images)) as advance:
            result = evaluate_model(model, labelled, output=output, report=advance)
    except ModuleNotFoundError as error:
        raise MissingExtraError("edgecnn evaluate", package=error.name or "matplotlib", extra="train") from error
    evaluation = result.evaluation
    answers = Counter(dict(zip(model.labels, evaluation.confusion.sum(axis=0).tolist(), strict=True)))
    if model.third_party and (text := one_label(answers)):
        console.warn(text)
    rows = [
        (s.label, f"{s.precision:.4f}", f"{s.recall:.4f}", f"{s.f1:.4f}", f"{s.support}") for s in evaluation.per_class
    ]
    console.table(("class", "precision", "recall", "F1", "support"), rows)
    console.say(
        "",
        f"Weighted F1 {evaluation.weighted_f1:.4f}, macro F1 {evaluation.macro_f1:.4f}",
        f"Accuracy {accuracy_shown(result.document)}, split {labelled.split} of {labelled.data}",
    )
    for line in (uneven_classes_shown(result.document), without_copies_shown(result.document)):
        if line is not None:
            console.say(line)
    console.say(f"{result.folder} (metrics.json, classification_report.txt, predictions.csv, figures/)")
    console.document({**result.document, "folder": str(result.folder)})
