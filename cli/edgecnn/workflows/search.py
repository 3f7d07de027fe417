"""`edgecnn search`: what fits the device, which of it is the most accurate, and the trained, exported winner."""

import csv
import dataclasses
import io
import json
import math
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.console import Console
from edgecnn.printing.export_table import print_exported
from edgecnn.printing.image_progress import shown_preparing
from edgecnn.workflows.candidate_costs import export_int8, export_untrained, judge_file, measure_latencies
from edgecnn.workflows.train_automatic import look_at_images
from edgecnn_runtime.errors import GateError, InputError
from edgecnn_runtime.json_dataclasses import read_dataclass, read_object
from edgecnn_runtime.system.atomic_files import write_json, write_text
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.search.choice import Choice, Cost, Scored, choose, pareto_front
from edgecnn_training.search.halving import halve, rung_epochs
from edgecnn_training.search.space import Architecture, Candidate, Space, architectures, candidates

if TYPE_CHECKING:
    from edgecnn_training.stopwatch import Stopwatch

# Of the time, what may go into files of untrained networks, and what into these and all folds; the rest is for the
# training of the winner and its export.
_EXPORT_SHARE, _SHARE = 0.2, 0.75
_LEAST_EXPORTS = 3


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is searched, on what, within which limits; a resumed search goes on with the same."""

    data: str
    space: Space = field(default_factory=Space)
    max_latency_us: float | None = None
    max_size_bytes: float | None = None
    target: str | None = None
    epochs: int | None = None
    folds: int | None = None
    seed: int = 0

    @property
    def limits(self) -> str:
        """The limits in words."""
        from edgecnn_benchmarks.statistics.quantities import microseconds, size

        said = []
        if self.max_latency_us is not None:
            said.append(f"{microseconds(self.max_latency_us)} an image")
        if self.max_size_bytes is not None:
            said.append(size(self.max_size_bytes))
        return " and ".join([*said, *([self.target] if self.target else [])]) or "any limit"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is known of an architecture before any training; None for what was not measured."""

    name: str
    parameters: int
    seconds: float
    size_bytes: int | None = None
    latency_us: float | None = None
    over: str | None = None  # why it is out, in words

    def excess(self, asked: Asked) -> float:
        """How many times over the limits it is at least; its parameters take a byte each."""
        ratios = [0.0]
        if asked.max_size_bytes is not None:
            ratios.append((self.size_bytes or self.parameters) / asked.max_size_bytes)
        if asked.max_latency_us is not None and self.latency_us is not None:
            ratios.append(self.latency_us / asked.max_latency_us)
        return max(ratios) if max(ratios) > 1 else math.inf  # what a target refuses has no measure


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a search that was stopped goes on from."""

    asked: Asked
    fingerprints: Mapping[str, str] = field(default_factory=dict)  # of the images, by their shape
    measured: tuple[Measured, ...] = ()
    scored: tuple[Scored, ...] = ()


@dataclass(frozen=True)
class SearchFolder:
    """Where the files of a search are."""

    path: Path

    @property
    def result(self) -> Path:
        """`search.json`, written last: a folder that has it holds a finished search."""
        return self.path / "search.json"

    @property
    def table(self) -> Path:
        """`search.csv`: a line for each candidate that was trained."""
        return self.path / "search.csv"

    @property
    def figure(self) -> Path:
        """`pareto.png`."""
        return self.path / "pareto.png"

    @property
    def checkpoints(self) -> Path:
        """What a stopped search goes on from; removed when it is finished."""
        return self.path / "checkpoints"

    @property
    def kept(self) -> Path:
        """What has been measured and scored so far."""
        return self.checkpoints / "kept.json"

    def run(self, candidate: Candidate) -> RunFolder:
        """The run of the winner, named after its network."""
        return RunFolder(self.path / _plain(candidate.architecture.recipe))

    def place(self, candidate: Candidate, rung: int) -> RunFolder:
        """What the folds of a candidate leave behind until its score is kept."""
        return RunFolder(self.checkpoints / f"{_plain(candidate.name)}-rung-{rung + 1}")

    def untrained(self, name: str) -> Path:
        """The int8 file of an architecture before it is trained."""
        return self.checkpoints / "int8" / f"{_plain(name)}.tflite"


def open_search(folder: SearchFolder, *, resume: bool, overwrite: bool) -> Kept | None:
    """Return what was kept of the search in a folder; None where a new one begins.

    Raises:
        InputError: there is one and neither `resume` nor `overwrite` was asked for, it cannot be read, or a run is in
            the folder.
    """
    there = folder.result.exists() or folder.kept.exists()
    if there and not (resume or overwrite):
        kind = "a finished search" if folder.result.exists() else "an unfinished search"
        raise InputError(
            f"{folder.path}: expected a folder without a search, got {kind}; give --resume to go on with it, "
            "--output for another folder, or --overwrite to delete it and start again"
        )
    if RunFolder(folder.path).record.exists():
        raise InputError(f"{folder.path}: expected a folder without a run, got a finished one; give --output")
    if overwrite or not there:
        return None
    try:
        if folder.result.exists():
            document = read_object(folder.result)
            return Kept(asked=read_dataclass(Asked, document.get("asked", {}), name=str(folder.result)))
        return read_dataclass(Kept, read_object(folder.kept), name=str(folder.kept))
    except (OSError, ValueError) as error:
        raise InputError(f"{error}; search again with --overwrite") from error


def clear(folder: SearchFolder) -> None:
    """Remove what an earlier search has left in a folder, its run included; nothing else."""
    if not (folder.result.exists() or folder.kept.exists()):
        return
    for run in map(RunFolder, folder.path.glob("small-cnn*")):
        if run.record.exists() or run.checkpoints.is_dir():
            shutil.rmtree(run.path)
    for file in (folder.result, folder.table, folder.figure):
        file.unlink(missing_ok=True)
    shutil.rmtree(folder.checkpoints, ignore_errors=True)


class Search:
    """A search under way; whatever it has found is kept at once."""

    def __init__(
        self, console: Console, folder: SearchFolder, kept: Kept, *, minutes: float, watch: "Stopwatch", command: str
    ) -> None:
        self._console, self._folder, self._asked = console, folder, kept.asked
        self._seconds, self._watch, self._command = minutes * 60, watch, command
        self._fingerprints = dict(kept.fingerprints)
        self._measured = {each.name: each for each in kept.measured}
        self._scored = {(each.name, each.rung): each for each in kept.scored}
        self._image_sets: dict[tuple[int, int, int], ImageSet] = {}

    def run(self) -> dict[str, Any]:
        """Search, and return the document of `search.json`.

        Raises:
            InputError: the images are others than those of the search that is resumed.
            DataError: the images cannot be used.
            GateError: nothing keeps to the limits, a training diverged, or the winner lost too much as int8.
            OSError: a file cannot be written.
        """
        from edgecnn_training.devices.devices import prepare_devices
        from edgecnn_training.search.trial import FoldPlan, searched_images, settings_of, shortened

        asked, say = self._asked, self._console.say
        looks = look_at_images(self._console, asked.data)
        every = architectures(asked.space, looks, seed=asked.seed)
        devices = prepare_devices(device=None, threads=None, deterministic=False)
        images = len(searched_images(self._images(every[0])))
        plan = FoldPlan.of(images, folds=asked.folds)
        fitting = self._fitting(every)
        arms = candidates(fitting, asked.space, seed=asked.seed)
        whole = settings_of(arms[0], epochs=asked.epochs, folds=plan.folds, seed=asked.seed)
        rungs = rung_epochs(whole.epochs)
        say(
            f"Training up to {len(arms)} candidates on {plan.only or plan.folds} of {plan.folds} folds of {images:,} "
            f"images, none for testing among them; a third goes on from rung to rung, of {_listed(rungs)} epochs."
        )

        def attempt(candidate: Candidate, rung: int, among: int) -> Scored:
            kept = self._scored.get((candidate.name, rung))
            if kept is None:
                kept = self._score(candidate, rung, rungs[rung], plan, devices)
            low, high = kept.accuracy.interval
            say(
                f"rung {rung + 1}/{len(rungs)} of at most {among}: {candidate.name}: "
                f"{100 * kept.accuracy.value:.1f} % ({100 * low:.1f} … {100 * high:.1f}), {kept.seconds:.0f} s"
            )
            return kept

        left = self._seconds * _SHARE - sum(each.seconds for each in self._measured.values())
        tried = halve(arms, len(rungs), attempt=attempt, seconds=max(0.0, left))
        last = tried[-1]
        choice = choose([scored for _, scored in last], [self._cost(each) for each, _ in last])
        winner = last[choice.taken][0]
        settings = shortened(settings_of(winner, epochs=asked.epochs, folds=plan.folds, seed=asked.seed), rungs[-1])
        document = self._finish(winner, settings, plan, devices, tried, choice)
        shutil.rmtree(self._folder.checkpoints)
        return document

    def _images(self, architecture: Architecture) -> ImageSet:
        """Open the images at the shape of an architecture, prepared first where they are not.

        They are taken to have brought their split `test`, whoever held it out: the winner is not trained on it.
        """
        from edgecnn_training.data.prepare import open_or_prepare

        shape, data = architecture.shape, self._asked.data
        if shape not in self._image_sets:
            with shown_preparing(self._console, data) as preparing:
                opened = open_or_prepare(data, say=self._console.say, shape=shape, own_shape=shape, report=preparing)
            for warning in opened.warnings if not self._image_sets else ():
                self._console.warn(f"{opened.name}: {warning}")
            key = "x".join(map(str, shape))
            if self._fingerprints.setdefault(key, opened.fingerprint) != opened.fingerprint:
                raise InputError(
                    f"{data}: expected the images that the search was started with, got others; "
                    "give --overwrite to start again"
                )
            self._image_sets[shape] = dataclasses.replace(opened, test_held_out=False)
        return self._image_sets[shape]

    def _fitting(self, every: Sequence[Architecture]) -> list[Architecture]:
        """Export and time as many architectures as there is time for; return those within the limits.

        What an int8 file takes does not depend on its weights, so nothing is trained that cannot be used.
        """
        self._console.say(f"Exporting {len(every)} untrained networks to int8, as far as there is time, to time them …")
        spent, exported, seen = 0.0, 0, []
        for architecture in every:
            measured = self._measured.get(architecture.name)
            if measured is None:
                if exported >= _LEAST_EXPORTS and spent > self._seconds * _EXPORT_SHARE:
                    break
                measured = self._export(architecture)
                self._keep_measured(measured)
            spent, exported = spent + measured.seconds, exported + (measured.size_bytes is not None)
            seen.append(architecture)
        self._time([architecture.name for architecture in seen])
        fitting = [each for each in seen if self._measured[each.name].over is None]
        if not fitting:
            raise GateError(self._nothing_fits())
        unseen = f"; there was no time for {len(every) - len(seen)} more" if len(seen) < len(every) else ""
        self._console.say(f"{len(fitting)} of {len(seen)} keep to {self._asked.limits}{unseen}.")
        return fitting

    def _export(self, architecture: Architecture) -> Measured:
        import keras

        from edgecnn_training.networks.network import build_network

        asked, image_set, started = self._asked, self._images(architecture), time.perf_counter()
        network = build_network(keras, architecture.found(), len(image_set.labels), shape=architecture.shape)
        parameters = network.count_params()
        size = latency = over = None
        if asked.max_size_bytes is not None and parameters > asked.max_size_bytes:
            over = f"its {parameters:,} parameters alone are larger"
        else:
            path = self._folder.untrained(architecture.name)
            try:
                with native_output_kept():
                    export_untrained(architecture, image_set, path)
                size = path.stat().st_size
            except GateError as error:
                over = str(error)
            if size is not None and asked.max_size_bytes is not None and size > asked.max_size_bytes:
                over = "too large"
            elif size is not None and asked.target is not None:
                verdict = judge_file(path, asked.target)
                if verdict.answer == "no":
                    over = "; ".join(obstacle.why for obstacle in verdict.obstacles) or verdict.summary
                else:
                    latency = self._estimate(path)
                    over = None if latency is None else self._too_slow(latency)
        return Measured(
            name=architecture.name,
            parameters=parameters,
            seconds=round(time.perf_counter() - started, 3),
            size_bytes=size,
            latency_us=latency,
            over=over,
        )

    def _time(self, names: Sequence[str]) -> None:
        """Time the files that were exported and are not yet."""
        paths = {
            self._folder.untrained(name): name
            for name in names
            if self._measured[name].over is None and self._measured[name].latency_us is None
        }
        if not paths:
            return
        started = time.perf_counter()
        with self._console.progress("timing", 100) as advance:
            latencies = measure_latencies(list(paths), lambda share, text: advance(round(100 * share), text))
        each = (time.perf_counter() - started) / len(paths)
        for path, latency in latencies.items():
            measured = self._measured[paths[path]]
            self._measured[measured.name] = dataclasses.replace(
                measured,
                latency_us=latency,
                over=self._too_slow(latency),
                seconds=round(measured.seconds + each, 3),
            )
        self._keep()

    def _estimate(self, path: Path) -> float | None:
        """Return the microseconds that the compiler of the target's NPU expects; None where there is none."""
        if self._asked.target is None:
            return None
        estimate = judge_file(path, self._asked.target).estimate
        return 1000 * estimate.milliseconds if estimate is not None and estimate.milliseconds else None

    def _too_slow(self, latency_us: float) -> str | None:
        most = self._asked.max_latency_us
        return "too slow" if most is not None and latency_us > most else None

    def _nothing_fits(self) -> str:
        from edgecnn_benchmarks.statistics.quantities import microseconds, size

        nearest = min(self._measured.values(), key=lambda each: each.excess(self._asked))
        if nearest.excess(self._asked) == math.inf:
            said = f"{nearest.name}: {nearest.over}"
        else:
            bytes_needed = f"{size(nearest.size_bytes)}" if nearest.size_bytes else f"over {size(nearest.parameters)}"
            latency = "" if nearest.latency_us is None else f" and {microseconds(nearest.latency_us)}"
            said = f"the nearest is {nearest.name} with {bytes_needed}{latency}"
        return (
            f"expected a network that keeps to {self._asked.limits}, got none among {len(self._measured)}; {said}; "
            "allow more, or give smaller ones by --alpha, --depth and --imgsz"
        )

    def _score(self, candidate: Candidate, rung: int, epochs: int, plan: Any, devices: Any) -> Scored:
        """Train a candidate's folds, and keep what they say."""
        from edgecnn_training.search.trial import forget, out_of_fold, score, settings_of, shortened

        asked, started = self._asked, time.perf_counter()
        image_set = self._images(candidate.architecture)
        whole = settings_of(candidate, epochs=asked.epochs, folds=plan.folds, seed=asked.seed)
        place = self._folder.place(candidate, rung)
        found = out_of_fold(
            candidate,
            image_set,
            shortened(whole, epochs),
            place,
            plan=plan,
            devices=devices,
            watch=self._watch,
            report=_unseen,
        )
        seconds = time.perf_counter() - started
        scored = score(candidate, image_set, found, rung=rung, epochs=epochs, seconds=seconds)
        self._scored[candidate.name, rung] = scored
        self._keep()
        if epochs < whole.epochs:  # the winner's are needed for its run
            forget(place)
        return scored

    def _cost(self, candidate: Candidate) -> Cost:
        measured = self._measured[candidate.architecture.name]
        assert measured.latency_us is not None  # what was trained was timed
        assert measured.size_bytes is not None
        return Cost(latency_us=measured.latency_us, size_bytes=measured.size_bytes)

    def _keep_measured(self, measured: Measured) -> None:
        self._measured[measured.name] = measured
        self._keep()

    def _keep(self) -> None:
        kept = Kept(
            asked=self._asked,
            fingerprints=self._fingerprints,
            measured=tuple(self._measured.values()),
            scored=tuple(self._scored.values()),
        )
        write_json(self._folder.kept, asdict(kept))

    def _finish(
        self,
        winner: Candidate,
        settings: Any,
        plan: Any,
        devices: Any,
        tried: Sequence[Sequence[tuple[Candidate, Scored]]],
        choice: Choice,
    ) -> dict[str, Any]:
        """Train the winner on all images but those for testing, export it, and write what was found."""
        from edgecnn_benchmarks.statistics.quantities import microseconds, size
        from edgecnn_training.search.trial import out_of_fold
        from edgecnn_training.train import train

        console, asked, image_set = self._console, self._asked, self._images(winner.architecture)
        run = self._folder.run(winner)
        console.say("", f"Training {winner.name} on all images but those for testing …")
        folds = out_of_fold(
            winner,
            image_set,
            settings,
            self._folder.place(winner, len(tried) - 1),
            plan=plan,
            devices=devices,
            watch=self._watch,
            report=_unseen,
        )
        train(
            winner.architecture.found(),
            image_set,
            run,
            settings,
            resume=True,
            command=self._command,
            watch=self._watch,
            out_of_fold=folds,
            warn=console.warn,
        )
        with native_output_kept():
            file = export_int8(run, image_set)
        print_exported(Console(quiet=not console.talks), [file])
        estimate = self._estimate(file.path)
        latency = estimate or measure_latencies([file.path], _unseen)[file.path]
        metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
        where = "on this machine" if estimate is None else f"on {asked.target}, by its compiler"
        sentence = self._sentence(tried[-1], choice, f"{microseconds(latency)} an image {where}, {size(file.size)}")
        within = self._too_slow(latency) is None and not (
            asked.max_size_bytes is not None and file.size > asked.max_size_bytes
        )
        document = {
            "sentence": sentence,
            "run": str(run.path),
            "file": str(file.path),
            "latency_us": latency,
            "size_bytes": file.size,
            "within_limits": within,
            "test_accuracy": metrics["accuracy"],
            "asked": asdict(asked),
            "minutes": self._seconds / 60,
            "candidates": self._rows(tried, choice),
            "architectures": [asdict(each) for each in self._measured.values()],
        }
        self._write(document, tried[-1][choice.taken][1])
        return document

    def _rows(self, tried: Sequence[Sequence[tuple[Candidate, Scored]]], choice: Choice) -> list[dict[str, Any]]:
        """Return an entry for each candidate, by the last rung that it reached, the best first."""
        last = [candidate.name for candidate, _ in tried[-1]]
        points = [
            (cost.latency_us, float(cost.size_bytes), -scored.accuracy.value)
            for candidate, scored in tried[-1]
            for cost in (self._cost(candidate),)
        ]
        front = {last[number] for number in pareto_front(points)}
        alike = {last[number] for number in choice.not_told_apart}
        rows: dict[str, dict[str, Any]] = {}
        for rung in reversed(tried):
            for candidate, scored in rung:
                if candidate.name in rows:
                    continue
                cost = self._cost(candidate)
                rows[candidate.name] = {
                    "name": candidate.name,
                    "recipe": candidate.architecture.recipe,
                    "shape": list(candidate.architecture.shape),
                    "augment": candidate.augment,
                    "rung": scored.rung + 1,
                    "epochs": scored.epochs,
                    "accuracy": scored.accuracy.to_document(),
                    "balanced_accuracy": scored.balanced_accuracy,
                    "latency_us": cost.latency_us,
                    "size_bytes": cost.size_bytes,
                    "trained_whole": candidate.name in last,
                    "on_front": candidate.name in front,
                    "not_told_from_best": candidate.name in alike,
                    "taken": candidate.name == last[choice.taken],
                }
        return list(rows.values())

    def _sentence(self, last: Sequence[tuple[Candidate, Scored]], choice: Choice, costs: str) -> str:
        taken, best = last[choice.taken], last[choice.best]
        accuracy = taken[1].accuracy
        low, high = accuracy.interval
        said = (
            f"{taken[0].name}: {100 * accuracy.value:.1f} % of {accuracy.total:,} images right out of fold (95 % "
            f"interval {100 * low:.1f} … {100 * high:.1f}), {costs}"
        )
        if choice.taken != choice.best:
            said += (
                f"; {best[0].name} gets {100 * best[1].accuracy.value:.1f} % right, a difference that is within its "
                "standard error, so the faster is taken"
            )
        others = [last[number][0].name for number in choice.not_told_apart]
        if others:
            shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
            said += f"; these images cannot tell {best[0].name} from {shown}"
        return said + "."

    def _write(self, document: Mapping[str, Any], taken: Scored) -> None:
        from edgecnn_runtime.accuracy import Accuracy
        from edgecnn_training.figures.pareto import Point, pareto
        from edgecnn_training.figures.style import write_png

        rows = document["candidates"]
        points = [
            Point(
                row["name"],
                row["latency_us"] / 1000,
                row["size_bytes"] / 1000,
                Accuracy(row["accuracy"]["correct"], row["accuracy"]["total"]),
                row["trained_whole"],
                row["taken"],
            )
            for row in rows
        ]
        front = [number for number, row in enumerate(rows) if row["on_front"]]
        most = self._asked.max_latency_us
        title = f"{Path(self._asked.data).name}: {len(rows)} candidates on {taken.accuracy.total:,} images"
        write_png(
            pareto(points, front, title=title, most_ms=None if most is None else most / 1000), self._folder.figure
        )
        write_text(self._folder.table, _csv(rows))
        write_json(self._folder.result, document)


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    flat = [
        {
            **{key: value for key, value in row.items() if key not in ("shape", "accuracy")},
            "shape": "x".join(map(str, row["shape"])),
            **{f"accuracy_{key}": value for key, value in row["accuracy"].items()},
        }
        for row in rows
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, flat[0])
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _unseen(*progress: object) -> None:
    """Take the progress of what is not shown."""


def _plain(name: str) -> str:
    """Make a name of letters, digits, points and hyphens, which every file system takes."""
    return re.sub(r"[^\w.]+", "-", name)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
