"""Mutation testing of the modules that decide what people see: `make mutants`.

A mutant is a module with one small fault: `<=` for `<`, 4 for 3, `or` for `and`. The module's own tests have to notice
it. Of each module a sample is drawn with a fixed seed, one mutant per place, and run against the files named in
`MODULES`; what survives is printed with its line.

The mutants are cosmic-ray's. It fits several source roots, because it changes a file and asks nothing of the
layout; mutmut 3 names a mutant by its path less "src.", and so finds no test for a package in `runtime/`, and mutates
no constants; mutatest has had no release since 2022. Only cosmic-ray's runner is not used: it writes each mutant
into the working tree and starts Python and TensorFlow anew for each. Here they are loaded once, and each mutant gets
a fork of this process, in which an import hook hands out the changed source. Subprocesses that a test starts see the
module as it is.
"""

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ROOMS = ("runtime", "export", "training", "benchmarks", "cli")
# What the tests of a room load; in this process, no test runs.
PRELOADED = (
    "numpy",
    "PIL.Image",
    "scipy.stats",
    "anyio",
    "hypothesis",
    "hypothesis.extra.numpy",
    "_pytest.assertion.rewrite",
    "_pytest.doctest",
    "_pytest.junitxml",
)
PRELOADED_FOR_EXPORT = ("onnx", "onnx.reference", "onnxruntime", "keras", "tensorflow", "tf2onnx")

# Each module with the tests that have to notice, as pytest takes them; those that need a trained run are left out.
MODULES: dict[str, tuple[str, ...]] = {
    "edgecnn_runtime.preprocess": ("tests/runtime/test_preprocess.py",),
    "edgecnn_runtime.manifest": ("tests/runtime/test_manifest.py",),
    "edgecnn_runtime.golden": ("tests/runtime/test_golden.py",),
    "edgecnn_runtime.pipeline": ("tests/runtime/test_pipeline.py",),
    "edgecnn_runtime.jobs.results_file": ("tests/runtime/jobs/test_results_file.py", "-k=not cut_anywhere"),
    "edgecnn_runtime.video.smoothing": ("tests/runtime/video/test_smoothing.py",),
    "edgecnn_runtime.video.capture.newest": ("tests/runtime/video/capture/test_newest.py",),
    "edgecnn_runtime.workstation.division": ("tests/runtime/workstation/test_division.py",),
    "edgecnn_training.data.checks.grouped_split": ("tests/training/data/checks/test_grouped_split.py",),
    "edgecnn_training.data.checks.near_identical": ("tests/training/data/checks/test_near_identical.py",),
    "edgecnn_export.proof.parity": (
        "tests/export/proof/test_agreement.py",
        "tests/export/proof/test_golden_tolerance.py",
    ),
    "edgecnn_export.int8.accuracy_search": ("tests/export/int8/test_accuracy_search_of_files.py",),
    "edgecnn_export.int8.bias_correction": ("tests/export/int8/test_bias_correction.py",),
    "edgecnn_export.onnx.channels_first": ("tests/export/onnx/test_channels_first.py",),
    "edgecnn_export.onnx.quantize": (
        "tests/export/int8/test_bias_correction.py",
        "tests/export/int8/test_mixed_files.py",
        "-k=not entropy",
    ),
    "edgecnn_export.tflite.quantize": (
        "tests/export/tflite/test_last_layer.py",
        "tests/export/tflite/test_signed_io.py",
        "tests/export/int8/test_bias_correction.py",
        "tests/export/int8/test_mixed_files.py",
        "-k=not entropy",
    ),
    "edgecnn_benchmarks.statistics.intervals": ("tests/benchmarks/statistics/test_intervals.py",),
    "edgecnn_benchmarks.measuring.rounds": ("tests/benchmarks/measuring/test_rounds.py",),
    "edgecnn_benchmarks.comparing.comparison": ("tests/benchmarks/comparing/test_comparison.py",),
    "edgecnn_benchmarks.judging.recommendation": ("tests/benchmarks/judging/test_recommendation.py",),
    "edgecnn_benchmarks.judging.verdict": ("tests/benchmarks/judging/test_verdict.py",),
}

# Changes that mean the same for the values at hand.
_EQUIVALENT = ("Is_Eq", "Eq_Is", "IsNot_NotEq", "NotEq_IsNot")
# Arguments that only guard against mistakes in the code itself.
_GUARDS = ("strict", "frozen", "slots")


@dataclass(frozen=True)
class Mutant:
    """A module with one fault."""

    line: int
    source: str


class _WithoutTrainedRuns:
    """A plugin of pytest: what trains takes a minute, and its subprocesses see the module as it is."""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Leave tests out."""
        items[:] = [item for item in items if "trained_run" not in getattr(item, "fixturenames", ())]


class _MutatedModule(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Hands out another source for one module."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(
        self,
        fullname: str,
        path: object,  # noqa: ARG002, of the protocol
        target: object = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """Find the one module."""
        if fullname != self.module:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(file_of(fullname)), is_package=False)

    def get_filename(self, fullname: str) -> str:
        """Name the file of the module as it is: tests may look for what lies beside it."""
        return str(file_of(fullname))

    def get_data(self, path: str | bytes) -> bytes:  # noqa: ARG002
        """Return the changed source."""
        return self.source.encode()


def file_of(module: str) -> Path:
    """Return the file of one of our modules."""
    return next(file for room in ROOMS if (file := ROOT / room / f"{module.replace('.', '/')}.py").exists())


def mutants(source: str) -> Iterator[Mutant]:
    """Make the mutants of a source, those of one place at random: the caller's seed decides."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.operators.provider import OperatorProvider

    passed_over = list(_passed_over(source))
    nodes = list(ast_nodes(get_ast(source)))
    operators = OperatorProvider()
    places: dict[tuple[int, int], list[tuple[object, int]]] = {}
    for name in sorted(operators):
        if name.endswith(_EQUIVALENT) or operators[name].arguments():
            continue
        operator = operators[name]()
        found = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, place in enumerate(found):
            if not any(start <= place < end for start, end in passed_over):
                places.setdefault(place, []).append((operator, occurrence))
    for place in random.sample(sorted(places), len(places)):
        operator, occurrence = random.choice(places[place])
        yield Mutant(place[0], mutate_code(source, operator, occurrence))


def _passed_over(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield the spans of annotations, decorators and guards: nobody sees what they do."""
    for node in ast.walk(ast.parse(source)):
        spans: list[ast.expr | None] = []
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            spans += node.decorator_list
        if isinstance(node, ast.FunctionDef):
            spans.append(node.returns)
        if isinstance(node, ast.AnnAssign | ast.arg):
            spans.append(node.annotation)
        if isinstance(node, ast.keyword) and node.arg in _GUARDS:
            spans.append(node.value)
        for span in spans:
            if span is not None:
                # One more to the left: the @ of a decorator.
                start = span.lineno, len(source.splitlines()[span.lineno - 1].encode()[: span.col_offset].decode()) - 1
                yield start, (span.end_lineno, span.end_col_offset)


def passes(module: str, source: str, tests: tuple[str, ...], *, limit: float) -> bool:
    """Tell whether the tests pass with this source for the module; what hangs or crashes does not pass."""
    child = os.fork()
    if child == 0:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        sys.dont_write_bytecode = True
        code = 2
        try:
            sys.meta_path.insert(0, _MutatedModule(module, source))
            # Before pytest, whose own hook would read the file.
            importlib.import_module(module)
            import pytest

            options = ["-q", "-x", "--tb=no", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
            code = pytest.main([*options, str(file_of(module)), *tests], plugins=[_WithoutTrainedRuns()])
        finally:
            os._exit(code)
    ends = time.monotonic() + limit
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main() -> int:
    """Print what survives and a table of what is noticed; exit 1 below the goal."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("module", nargs="*", help="parts of module names (default: all)")
    parser.add_argument("--sample", type=int, default=20, help="mutants per module (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample (default: 0)")
    parser.add_argument("--goal", type=float, default=0.85, help="share that must be noticed (default: 0.85)")
    options = parser.parse_args()

    os.chdir(ROOT)
    for name in PRELOADED:
        importlib.import_module(name)
    noticed: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    for module, tests in MODULES.items():
        if options.module and not any(part in module for part in options.module):
            continue
        if module.startswith("edgecnn_export"):
            for name in PRELOADED_FOR_EXPORT:
                importlib.import_module(name)
        source = file_of(module).read_text("utf-8")
        started = time.monotonic()
        if not passes(module, source, tests, limit=600):
            print(f"{module}: expected its tests to pass as it is; run pytest {' '.join(tests)}", file=sys.stderr)
            return 2
        limit = 10 + 3 * (time.monotonic() - started)
        random.seed(options.seed)
        for mutant, _ in zip(mutants(source), range(options.sample), strict=False):
            tried[module] += 1
            if not passes(module, mutant.source, tests, limit=limit):
                noticed[module] += 1
                continue
            line = mutant.source.splitlines()[mutant.line - 1].strip()
            print(f"survived: {file_of(module).relative_to(ROOT)}:{mutant.line}: {line}", flush=True)
        print(f"{module}: {noticed[module]} of {tried[module]}", flush=True)
    share = noticed.total() / tried.total()
    print(f"all: {noticed.total()} of {tried.total()} noticed, {share:.0%}")
    return int(share < options.goal)


if __name__ == "__main__":
    sys.exit(main())
