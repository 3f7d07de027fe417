"""What the files answer: two confusion matrices, what changes for each class, and the images that flipped."""

from collections.abc import Iterator, Sequence
from html import escape

from edgecnn_benchmarks.measuring.answers import Against, FileAnswers
from edgecnn_benchmarks.measuring.result import BenchResult
from edgecnn_benchmarks.report.class_changes import class_changes
from edgecnn_benchmarks.report.confusion_matrix import MOST_CLASSES, confusion_matrix, most_confused
from edgecnn_benchmarks.report.flipped_images import MOST, flipped_images
from edgecnn_benchmarks.statistics.quantities import images, percent, shorten

# How unlikely a difference in accuracy must be between equals before it is called one.
_CHANCE = 0.05


def answers_sections(result: BenchResult) -> Iterator[str]:
    """Write the sections that the labelled images allow."""
    if not result.answers or result.data is None:
        return
    reference, other = _pair(result)
    yield _confusion_section([reference] if other is None else [reference, other], result)
    if other is not None:
        yield _against_section(reference, result)
        yield _flips_section(reference, other, result)


def _pair(result: BenchResult) -> tuple[FileAnswers, FileAnswers | None]:
    """Choose whose answers are shown: the reference's, and beside them the recommended file's, else an int8 one's."""
    reference, *others = result.answers
    compared = [answers for answers in others if answers.against is not None]
    schemes = {row.candidate: row.scheme for row in result.rows}
    wanted = result.row(result.recommended).candidate
    compared.sort(key=lambda answers: (answers.candidate != wanted, schemes.get(answers.candidate) != "int8"))
    return reference, compared[0] if compared else None


def _label(candidate: str, result: BenchResult) -> str:
    return next((row.label for row in result.rows if row.candidate == candidate and row.is_file), candidate)


def _confusion_section(shown: Sequence[FileAnswers], result: BenchResult) -> str:
    figures = "".join(_confusion_figure(answers, result) for answers in shown)
    return (
        '<section><h2>Confusion matrices</h2><p class="lead">Rows are the labelled classes, columns the answers; '
        'figures are numbers of images. <i class="right">■</i> right <i class="wrong">■</i> wrong; stronger is a '
        f'larger share of the row.</p><div class="grid-2">{figures}</div></section>'
    )


def _confusion_figure(answers: FileAnswers, result: BenchResult) -> str:
    label = _label(answers.candidate, result)
    if len(answers.labels) <= MOST_CLASSES:
        drawn = confusion_matrix(answers.labels, answers.confusion, name=answers.candidate)
    else:
        drawn = _confused_table(answers)
    everything = sum(map(sum, answers.confusion))
    caption = f"{shorten(label, 40)}: {len(answers.wrong):,} of {images(everything)} wrong"
    return f'<figure class="bars"><figcaption>{escape(caption)}</figcaption>{drawn}</figure>'


def _confused_table(answers: FileAnswers) -> str:
    """Write the commonest mistakes, where there are too many classes for a matrix."""
    rows = "".join(
        f'<tr><th scope="row">{escape(shorten(label, 28))}</th><td>{escape(shorten(answer, 28))}</td>'
        f"<td>{count:,} of {images(of_class)}</td></tr>"
        for label, answer, count, of_class in most_confused(answers.labels, answers.confusion)
    )
    heads = '<th scope="col">Labelled</th><th scope="col">Answer</th><th scope="col">How often</th>'
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _against_section(reference: FileAnswers, result: BenchResult) -> str:
    """Write a table of what every file gets right and wrong that the reference does not."""
    lines = ""
    for answers in result.answers:
        against = answers.against
        if against is None:
            continue
        lines += (
            f'<tr><th scope="row">{escape(_label(answers.candidate, result))}</th><td>{percent(against.agreement)}</td>'
            f"<td>{images(against.flip_count)}</td><td>{images(against.only_reference_right)}</td>"
            f"<td>{images(against.only_this_right)}</td><td>{escape(_test(against))}</td></tr>"
        )
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in ("File", "Same answer", "Other answer", "Lost", "Won", "McNemar's test")
    )
    name = escape(_label(reference.candidate, result))
    return (
        f'<section><h2>Answers compared with {name}</h2><p class="lead">Lost: only {name} is right. Won: only the file '
        "of this row is. The test gives the probability of so large a difference between two equally good files.</p>"
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div></section>'
    )


def _test(against: Against) -> str:
    if not against.flip_count:
        return "same answers"
    p = f"(p = {against.p_value:.2g})"
    if against.p_value >= _CHANCE:
        return f"difference not shown {p}"
    return f"{'less' if against.only_reference_right > against.only_this_right else 'more'} accurate {p}"


def _flips_section(reference: FileAnswers, other: FileAnswers, result: BenchResult) -> str:
    against = other.against
    assert against is not None  # `_pair` chooses such
    name, base = _label(other.candidate, result), _label(reference.candidate, result)
    if not against.flip_count:
        same = f"{escape(name)} answers every image as {escape(base)} does."
        return f"<section><h2>Flipped images</h2><p>{same}</p></section>"
    changes = class_changes(other.labels, against.class_changes, other.confusion, name=other.candidate)
    changed = (
        f'<figure class="bars changes"><figcaption>Change of accuracy, class by class</figcaption>{changes}</figure>'
        if changes
        else ""
    )
    flips = flipped_images(against.flips, result.pictures, reference=base, file=name)
    listed = min(MOST, len(against.flips))
    which = "all of them" if listed == against.flip_count else f"{listed} of them, the lost ones first"
    private = " The pictures are from your test data: make sure that you may share them." if result.pictures else ""
    return (
        f'<section><h2>Flipped images</h2><p class="lead">{escape(name)} answers {against.flip_count:,} of '
        f"{images(sum(map(sum, other.confusion)))} differently from {escape(base)}; shown are {which}.{private}</p>"
        f"{flips}{changed}</section>"
    )
