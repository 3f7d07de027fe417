"""Open every exported file in every engine and release; writes `benchmarks/INTEROP.md`.

    make interop                                                       # all of it: hours at first, minutes after
    python benchmarks/peers/interop/run.py --recipes mnist --engines LiteRT OpenVINO
    python benchmarks/peers/interop/run.py --table                     # the page again, from what is known

What was run once is kept in `build/interop/` and not run again before the file, the engine's version or its adapter is
another; `--fresh` exports and runs anew. "current" is what was the newest when it was installed; without its folder in
`build/interop/engines/` it is installed again. An engine's process that dies is a result like any other.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import environments
import table
from ask import HERE, Request, ask
from engines import ENGINES, Engine, Release
from environments import BUILD, MissingError
from subjects import FORMS, TRAINING, File, Subject, with_metadata

from edgecnn_runtime.system import atomic_files

_RELEASES = [(engine, release) for engine in ENGINES for release in engine.releases]


def main() -> None:
    """Make what is missing, run what is not known, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [engine.name for engine in ENGINES]
    parser.add_argument("--engines", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--recipes", nargs="+", choices=list(TRAINING), default=list(TRAINING), metavar="NAME")
    parser.add_argument("--fresh", action="store_true", help="export and run anew what is known")
    parser.add_argument("--table", action="store_true", help="only write the page")
    parser.add_argument("--output", type=Path, default=table.PAGE)
    arguments = parser.parse_args()
    subjects = {name: Subject(name) for name in TRAINING}
    if not arguments.table:
        for name in arguments.recipes:
            print(f"{name} …", flush=True)
            subjects[name].make(fresh=arguments.fresh)
        for engine in ENGINES:
            if engine.name in arguments.engines:
                chosen = [subjects[name] for name in arguments.recipes]
                for release in engine.releases:
                    _run_release(engine, release, chosen, fresh=arguments.fresh)
    results = {(engine.name, release.version): _known(engine, release) for engine, release in _RELEASES}
    summary = table.write(
        arguments.output, results, [subject for subject in subjects.values() if subject.images.exists()]
    )
    print(f"written: {arguments.output}\n{summary}")


def _run_release(engine: Engine, release: Release, subjects: Sequence[Subject], *, fresh: bool) -> None:
    """Open those files whose results are not known."""
    results = _results(engine, release)
    try:
        environments.make(engine, release)
    except MissingError as problem:
        print(f"  {engine.name} {release.version}: {problem}", flush=True)
        atomic_files.write_json(results, {"missing": str(problem), "files": {}})
        return
    version = environments.version(engine, release)
    known = _known(engine, release)["files"]
    files = [
        (file, _request(engine, file, subject, version))
        for subject in subjects
        for file in subject.files()
        if file.suffix in engine.suffixes and file.form in (engine.forms or FORMS[file.suffix]) and file.digest
    ]
    due = [
        (file, request)
        for file, request in files
        if fresh or known.get(file.name, {}).get("probabilities") != str(request.probabilities)
    ]
    print(f"  {engine.name} {version}: {len(due)} files", flush=True)
    answers = ask(engine, release, [request for _, request in due])
    for (file, request), answer in zip(due, answers, strict=True):
        known[file.name] = {**answer, "digest": file.digest, "probabilities": str(request.probabilities)}
    atomic_files.write_json(results, {"version": version, "files": known})


def _results(engine: Engine, release: Release) -> Path:
    return environments.folder(engine, release) / "results.json"


def _known(engine: Engine, release: Release) -> dict[str, Any]:
    path = _results(engine, release)
    return dict(json.loads(path.read_text())) if path.exists() else {"files": {}}


def _request(engine: Engine, file: File, subject: Subject, version: str | None) -> Request:
    """Return what the engine is given; its probabilities are named by all that they depend on."""
    path = with_metadata(file) if file.control and engine.wants_metadata else file.path
    digest = hashlib.sha256(f"{engine.name} {version} {engine.seconds}".encode())
    adapter = [HERE / "adapter.py", HERE / f"{engine.adapter}.py"]
    for part in (path, subject.images, *adapter, *HERE.glob("*.html")):
        digest.update(part.read_bytes())
    folder = BUILD / "probabilities"
    folder.mkdir(parents=True, exist_ok=True)
    return Request(path, subject.images, folder / f"{digest.hexdigest()}.npy")


if __name__ == "__main__":
    main()
