"""A benchmark on another machine, from the first connection to the fetched result."""

import base64
import dataclasses
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgecnn_benchmarks.bench import check_writable
from edgecnn_benchmarks.measuring.device_estimates import Estimator, no_estimates
from edgecnn_benchmarks.measuring.measurement import ReportMeasuring
from edgecnn_benchmarks.measuring.result import BenchResult
from edgecnn_benchmarks.measuring.result_file import read_result
from edgecnn_benchmarks.remote.bundle import Bundle, pack
from edgecnn_benchmarks.remote.destination import Destination
from edgecnn_benchmarks.remote.own_wheel import write_wheel
from edgecnn_benchmarks.remote.ssh import ConnectionLostError, Ssh, far_side_script
from edgecnn_benchmarks.remote.wheels import download_wheels
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.errors import EdgecnnError, GateError, InputError
from edgecnn_runtime.system import atomic_files

Result = TypeVar("Result")

# Seconds between the attempts to connect again; then the user is told how to go on.
_WAITS = (1, 2, 5, 10, 20, 30)
_BLOCK = 1 << 18
# Percent of the whole at which the measuring begins, as far as one can know.
_SENT, _BEGUN = 5, 10

# Puts the program in its folder and starts it with a Python that can run it. Its arguments are Pythons to try; 78 is
# `ssh.NO_PYTHON`.
_BOOTSTRAP = """\
umask 077
root="${XDG_CACHE_HOME:-$HOME/.cache}/edgecnn/bench"
mkdir -p "$root" && chmod 700 "$root" && cat > "$root/.far_side.$$" && mv -f "$root/.far_side.$$" "$root/far_side.py" ||
  exit 74
found=
for python in "$@"; do
  command -v "$python" > /dev/null 2>&1 || continue
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && exec "$python" "$root/far_side.py" probe
  found="$found${found:+, }$python ($("$python" -V 2>&1))"
done
echo "expected Python 3.11 or later there, got ${found:-none}; install one, or name it with --host-python" >&2
exit 78
"""
_PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python")

# What went wrong in making the environment there, and what there is to do.
_REMEDIES = {
    "offline": "no way from there to the package index ({text}); send the packages along: add --host-wheels download",
    "no wheel": "no ready-made package of {text} for this machine ({platform}); measure only the files that need "
    "another interpreter, or build one there and let it be seen with --host-packages",
    "venv": "expected a Python that can make virtual environments; install it there, on Debian with "
    "'sudo apt install python3-venv'",
    "no space": "there is no room in its cache folder ({text}); free some space there",
    "limit": "{text}",
    "vanished": "{text}",
    "stopped": "{text}",
    "other": "{text}",
}


@dataclass(frozen=True, kw_only=True)
class HostOptions:
    """How the environment on the other machine is made, and how long it may take."""

    # The Python there, a name or a path; None: the first of the usual names that is new enough.
    python: str | None = None
    # Whether the environment also sees the packages of that Python: a Jetson's onnxruntime-gpu, for instance.
    see_packages: bool = False
    # "download": fetched here for that platform; else a folder of wheels. None: that machine's pip fetches them.
    wheels: str | None = None
    # Seconds after which it is stopped there, the installation included.
    limit_secs: float = 3600.0

    def __post_init__(self) -> None:
        if not self.limit_secs > 0:
            raise InputError(f"host limit: expected seconds above 0, got {self.limit_secs:g}")
        if self.wheels not in (None, "download") and not any(Path(self.wheels).glob("*.whl")):
            raise InputError(f"host wheels: expected 'download' or a folder with .whl files, got {self.wheels}")
        if self.python is not None and (not self.python or self.python.startswith("-")):
            raise InputError(f"host python: expected the name or path of a Python there, got {self.python!r}")


def bench_on_host(
    destination: Destination,
    targets: Sequence[Path],
    *,
    data: Path | None = None,
    output: Path | None = None,
    settings: BenchSettings,
    options: HostOptions,
    cache: Path,
    estimate: Estimator = no_estimates,
    command: str | None = None,
    progress: ReportMeasuring,
    say: Callable[[str], None],
) -> BenchResult:
    """Run a benchmark on another machine and fetch its files.

    What stays there is a folder with the files that were sent and the environment, for the next time; nothing runs on.
    When the connection breaks, the benchmark goes on there, and this function, or the next call with the same
    arguments, attaches to it again. An interrupt here ends it there; what has been measured is fetched, marked
    as partial.

    Args:
        destination: the machine.
        targets: one run folder, or model files.
        data: labelled images in place of the run's own.
        output: where the files go; default: a folder of the machine's name in the run's `bench`.
        settings: how to measure.
        options: how to make the environment there.
        cache: where wheels that were downloaded for other platforms are kept.
        estimate: estimates what the models would need on other devices.
        command: the command line, for the record.
        progress: called with the percentage done and a short text.
        say: called with a sentence that the user should read on the way.

    Raises:
        InputError: nothing to measure, or a machine that cannot be reached or used.
        GateError: the benchmark failed there, or the connection broke for good.
        KeyboardInterrupt: it was interrupted before anything was measured.
    """
    if options.limit_secs <= settings.max_secs:
        raise InputError(
            f"host limit: expected more than the {settings.max_secs:g} s of --max-secs, got {options.limit_secs:g}; "
            "the limit holds for everything there"
        )
    with tempfile.TemporaryDirectory(prefix="edgecnn-bench-") as temporary, Ssh(destination) as ssh:
        scratch = Path(temporary)
        wheel = write_wheel(scratch)
        progress(0, f"connecting to {destination.name}")
        bundle = pack(targets, data=data, settings=settings, scratch=scratch)
        folder = bundle.subject.folder / destination.folder_name if output is None else output
        check_writable(folder)
        there = _probe(ssh, options)
        wheels = _wheels(bundle, options, there=there, wheel=wheel, cache=cache)
        bundle = bundle.adding({f"wheel/{wheel.name}": wheel, **{f"wheels/{path.name}": path for path in wheels}})
        errand = _Errand(bundle, ssh, there, progress, say)
        job = bundle.job(
            wheel=f"wheel/{wheel.name}",
            wheels=bool(wheels),
            see_packages=options.see_packages,
            limit_secs=options.limit_secs,
            command=command,
            host=destination.name,
            device_estimates=[dataclasses.asdict(item) for item in estimate(bundle.subject.candidates)],
        )
        errand.run(job)
        return errand.fetch(folder)


def _probe(ssh: Ssh, options: HostOptions) -> Mapping[str, Any]:
    """Put our program there and learn what the machine is."""
    pythons = _PYTHONS if options.python is None else (options.python,)
    return ssh.ask("sh", "-c", _BOOTSTRAP, "sh", *pythons, content=far_side_script())


def _wheels(bundle: Bundle, options: HostOptions, *, there: Mapping[str, Any], wheel: Path, cache: Path) -> list[Path]:
    if options.wheels is None:
        return []
    if options.wheels == "download":
        version = "".join(map(str, there["version"][:2]))
        folder = cache / f"{there['machine']}-{there['libc'][0]}{there['libc'][1]}-python{version}"
        return download_wheels(folder, wheel=wheel, there=there, extras=tuple(bundle.extras))
    return sorted(Path(options.wheels).glob("*.whl"))


class _Errand:
    """One benchmark on a machine that has our program, whatever becomes of the connection."""

    def __init__(
        self, bundle: Bundle, ssh: Ssh, there: Mapping[str, Any], progress: ReportMeasuring, say: Callable[[str], None]
    ) -> None:
        self._bundle = bundle
        self._ssh, self._there, self._progress, self._say = ssh, there, progress, say
        self._name = ssh.destination.name
        self._program = (str(there["python"]), f"{there['root']}/far_side.py")

    def run(self, job: Mapping[str, Any]) -> None:
        """Send the files, start the benchmark unless it runs already, and wait for its end."""
        try:
            self._again(self._send)
            state = self._again(lambda: self._ask("start", content=json.dumps(job).encode()))["state"]
            if state == "running":
                self._say(f"This benchmark runs on {self._name} already: attached to it again.")
            elif state == "ended":
                self._say(f"This benchmark has ended on {self._name} meanwhile: fetching its result.")
            ended = self._again(self._watch)
        except KeyboardInterrupt:
            self._say(f"Stopping the benchmark on {self._name}.")
            if not self._stop():
                raise
            return  # with what has been measured
        if ended["kind"] != "measured":
            self._ask("forget", self._bundle.name)
            where = f"{self._there['machine']}, Python {'.'.join(map(str, self._there['version'][:2]))}"
            libc = " ".join(self._there["libc"]).strip()
            platform = f"{where}, {libc}" if libc else where
            reason = _REMEDIES[ended["kind"]].format(text=ended["text"], platform=platform)
            raise GateError(f"{self._name}: {reason}")
        if ended["text"]:
            self._say(f"{self._name} has no ready-made package of {ended['text']}: its files are not measured.")

    def fetch(self, folder: Path) -> BenchResult:
        """Fetch the files of the result into a folder, then remove the benchmark there."""

        def receive() -> dict[str, bytes]:
            with self._ssh.running(*self._program, "fetch", self._bundle.name) as talk:
                return {Path(item["file"]).name: base64.b64decode(item["content"]) for item in talk.answers()}

        files = self._again(receive)
        if "bench.json" not in files:
            raise GateError(f"{self._name}: expected a bench.json, got {', '.join(files) or 'nothing'}")
        for name, content in files.items():
            atomic_files.write_bytes(folder / name, content)
        result = read_result(folder / "bench.json")
        self._again(lambda: self._ask("forget", self._bundle.name))
        return result

    def _ask(self, *words: str, content: bytes = b"") -> Mapping[str, Any]:
        return self._ssh.ask(*self._program, *words, content=content)

    def _again(self, action: Callable[[], Result]) -> Result:
        """Do something, and do it again after a broken connection."""
        for wait in itertools.chain(_WAITS, [None]):
            try:
                return action()
            except ConnectionLostError as error:
                if wait is None:
                    raise GateError(
                        f"{error}; what runs there goes on until its time limit: run the same command again to attach "
                        "to it and to fetch its result"
                    ) from error
                self._say(f"{error}; connecting again in {wait} s. What runs there goes on.")
                time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _send(self) -> None:
        """Send what is not there yet, each file from where it was cut off."""
        paths = {self._bundle.sha256[name]: path for name, path in self._bundle.files.items()}
        sizes = {name: path.stat().st_size for name, path in paths.items()}
        wanted = [{"sha256": name, "size": size} for name, size in sizes.items()]
        with self._ssh.running(*self._program, "receive") as talk:
            talk.send(json.dumps(wanted).encode() + b"\n")
            answer = talk.hear()
            missing = [] if answer is None else answer["missing"]
            total = sum(sizes[item["sha256"]] - item["offset"] for item in missing)
            sent = 0
            for item in missing:
                with paths[item["sha256"]].open("rb") as file:
                    file.seek(item["offset"])
                    while block := file.read(_BLOCK):
                        talk.send(block)
                        sent += len(block)
                        self._progress(int(_SENT * sent / total), f"sending {sent / 1e6:.1f} of {total / 1e6:.1f} MB")

    def _watch(self) -> Mapping[str, Any]:
        ended: Mapping[str, Any] | None = None
        with self._ssh.running(*self._program, "attach", self._bundle.name) as talk:
            for answer in talk.answers():
                if "progress" in answer:
                    percent, text = answer["progress"]["percent"], answer["progress"]["text"]
                    done = _BEGUN + percent * (100 - _BEGUN) // 100 if percent else _SENT
                    self._progress(done, f"{self._name}: {text}")
                ended = answer.get("ended", ended)
        assert ended is not None  # else `running` has raised
        return ended

    def _stop(self) -> bool:
        """End the benchmark there; return whether it has left a result."""
        try:
            if self._ask("stop", self._bundle.name)["measured"]:
                return True
            self._ask("forget", self._bundle.name)
        except EdgecnnError as error:
            self._say(f"It could not be stopped ({error}); it ends at its time limit.")
        return False
