"""What runs on the other machine: a program of Python's standard library alone, sent along and started by ssh.

    python far_side.py probe | receive | start | attach JOB | fetch JOB | stop JOB | forget JOB

Each answers in lines of JSON behind `MARK`, since a login shell may print a greeting; the last says "done".
Its folder is readable by nobody else (mode 0700), and holds everything that is sent and made:

    far_side.py
    lock                held by the benchmark that runs, and its name: one at a time, or they would disturb each other
    files/<sha256>      what was sent; `.part` while it comes, so that a transfer goes on where it was cut off
    environment/        the virtual environment, kept for the next time; environment.json says what is in it
    jobs/<name>/        one benchmark: job.json, the files under their own names, progress.jsonl, log.txt, ended.json
    jobs/<name>/out/    its results

A benchmark runs in its own session: it goes on when the connection breaks, and ends at its time limit.
"""

import base64
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import site
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

MARK = "edgecnn> "

ROOT = Path(__file__).resolve().parent
FILES, JOBS, ENVIRONMENT = ROOT / "files", ROOT / "jobs", ROOT / "environment"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_JOB = re.compile(r"[0-9a-f]{16}")
_BLOCK = 1 << 20
# An environment with an interpreter takes about 250 MB.
_ENVIRONMENT_BYTES = 400_000_000
# Seconds between two looks at how far a benchmark is, and between two signs of life: few, since each disturbs it.
_LOOK_SECS, _ALIVE_SECS = 0.5, 5.0
# Seconds a benchmark gets to end by itself.
_GRACE_SECS = 10.0
_BASE_MODULES = ("numpy", "PIL", "typer")


class Problem(Exception):  # noqa: N818
    """Something that a user must fix; `kind` names what, where the other side knows more to say."""

    def __init__(self, text: str, kind: str = "other") -> None:
        super().__init__(text)
        self.kind = kind


def say(**content: Any) -> None:
    """Send one answer."""
    print(MARK + json.dumps(content), flush=True)


def probe() -> None:
    """Tell what this machine is."""
    libc, version = platform.libc_ver()
    say(
        python=sys.executable,
        version=list(sys.version_info[:3]),
        machine=platform.machine(),
        bits=64 if sys.maxsize > 2**32 else 32,
        system=platform.system(),
        libc=[libc or ("musl" if list(Path("/lib").glob("ld-musl-*")) else ""), version],
        free_bytes=shutil.disk_usage(ROOT).free,
        root=str(ROOT),
    )


def receive() -> None:
    """Take the files of a list that are not here yet, each from where it was cut off."""
    wanted = {item["sha256"]: int(item["size"]) for item in json.loads(sys.stdin.buffer.readline())}
    if not all(_SHA256.fullmatch(name) for name in wanted):
        raise Problem("expected file names of 64 hexadecimal digits")
    FILES.mkdir(mode=0o700, exist_ok=True)
    missing = []
    for name, size in wanted.items():
        if not (FILES / name).exists():
            part = FILES / f"{name}.part"
            had = part.stat().st_size if part.exists() else 0
            missing.append({"sha256": name, "offset": had if had <= size else 0})
    needed = sum(wanted[item["sha256"]] - item["offset"] for item in missing)
    needed += 0 if ENVIRONMENT.exists() else _ENVIRONMENT_BYTES
    free = shutil.disk_usage(ROOT).free
    if needed > free:
        raise Problem(
            f"expected {needed / 1e6:,.0f} MB of room in {ROOT}, got {free / 1e6:,.0f} MB; free some space there"
        )
    say(missing=missing)
    for item in missing:
        name, offset = item["sha256"], item["offset"]
        part = FILES / f"{name}.part"
        with part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            left = wanted[name] - offset
            while left:
                block = sys.stdin.buffer.read(min(_BLOCK, left))
                if not block:
                    return  # the connection broke; the part stays
                file.write(block)
                left -= len(block)
        with part.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != name:
                part.unlink()
                raise Problem("a file came damaged; run the command again")
        part.replace(FILES / name)


def start() -> None:
    """Begin the benchmark whose description comes on stdin, unless it has begun or ended already."""
    job = json.load(sys.stdin)
    folder = _job_folder(job["name"])
    if (folder / "ended.json").exists():
        say(state="ended")
        return
    lock = _lock(wait_secs=1.0)
    if lock is None:
        running = (ROOT / "lock").read_text()
        if running != job["name"]:
            raise Problem(
                f"another benchmark runs there (process {_pid_of(running)}); wait until it has ended: two at a time "
                "would disturb each other"
            )
        say(state="running")
        return
    shutil.rmtree(folder, ignore_errors=True)  # one that was killed
    folder.mkdir(parents=True, mode=0o700)
    for path, name in job["files"].items():
        target = folder / path
        if not _SHA256.fullmatch(name) or not target.resolve().is_relative_to(folder.resolve()):
            raise Problem(f"expected a file within the job's folder, got {path!r}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(FILES / name, target)
        except OSError:  # a file system without links
            shutil.copyfile(FILES / name, target)
    (folder / "out").mkdir()
    (folder / "job.json").write_text(json.dumps(job))
    (ROOT / "lock").write_text(job["name"])
    with (folder / "log.txt").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, __file__, "work", job["name"]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
            pass_fds=(lock,),
        )
    (folder / "pid").write_text(str(worker.pid))
    say(state="started")


def attach(name: str) -> None:
    """Tell how far a benchmark is, until its end."""
    folder = _job_folder(name)
    position, alive = 0, time.monotonic()
    while True:
        # Asked before the files are read, so that nothing written before the end is missed.
        ended = (folder / "ended.json").exists() or not _runs(name)
        with contextlib.suppress(FileNotFoundError), (folder / "progress.jsonl").open("rb") as file:
            file.seek(position)
            lines = [line for line in file if line.endswith(b"\n")]
            position += sum(map(len, lines))
            if lines:
                say(progress=json.loads(lines[-1]))
        if ended:
            break
        if time.monotonic() - alive > _ALIVE_SECS:  # and find out whether anybody listens
            say(alive=True)
            alive = time.monotonic()
        time.sleep(_LOOK_SECS)
    try:
        say(ended=json.loads((folder / "ended.json").read_text()))
    except FileNotFoundError:
        say(ended={"kind": "vanished", "text": f"it ended without a result: {_last_words(folder)}"})


def fetch(name: str) -> None:
    """Send the results."""
    for path in sorted(_job_folder(name).glob("out/*")):
        say(file=path.name, content=base64.b64encode(path.read_bytes()).decode())


def stop(name: str) -> None:
    """End a benchmark and everything that it started; say whether it has left a result."""
    folder = _job_folder(name)
    if _runs(name):
        pid = _pid_of(name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + _GRACE_SECS
        while _runs(name) and time.monotonic() < until:
            time.sleep(0.05)
        _end_session(pid)
    say(measured=(folder / "out" / "bench.json").exists())


def forget(name: str) -> None:
    """Remove a benchmark that has ended, and of what was sent all that it did not use."""
    folder = _job_folder(name)
    until = time.monotonic() + _GRACE_SECS
    while _runs(name):  # it has told its end, and clears up
        if time.monotonic() > until:
            raise Problem("expected a benchmark that has ended")
        time.sleep(0.05)
    used = set()
    with contextlib.suppress(FileNotFoundError, ValueError):
        used = set(json.loads((folder / "job.json").read_text())["files"].values())
    shutil.rmtree(folder, ignore_errors=True)
    for path in FILES.glob("*"):
        if path.name not in used:
            path.unlink(missing_ok=True)


def work(name: str) -> None:
    """Make the environment and run the benchmark in it; the process that `start` leaves behind."""
    folder = _job_folder(name)
    job = json.loads((folder / "job.json").read_text())
    until = time.monotonic() + job["limit_secs"]
    try:
        missing = _make_environment(job, folder, until)
        _report(folder, "starting")
        command = [str(_environment_python()), "-m", "edgecnn_benchmarks.remote.measure_there", str(folder)]
        _run(command, folder, until)
        outcome = {"kind": "measured", "text": missing}
    except Problem as problem:
        outcome = {"kind": problem.kind, "text": str(problem)}
    except OSError as error:
        outcome = {"kind": "other", "text": f"{error}"}
    # Whole or not at all: `attach` reads it as soon as it is there.
    partial = folder / ".ended.json"
    partial.write_text(json.dumps(outcome))
    partial.replace(folder / "ended.json")
    _end_session(os.getpid())


def _make_environment(job: Mapping[str, Any], folder: Path, until: float) -> str:
    """Make the virtual environment, or add what it lacks; return what of it cannot be had on this machine."""
    record_path = ROOT / "environment.json"
    made_by = [sys.executable, sys.version, job["see_packages"]]
    record: dict[str, Any] = {}
    with contextlib.suppress(FileNotFoundError, ValueError):
        record = json.loads(record_path.read_text())
    if record.get("made_by") != made_by or not _environment_python().exists():
        record = {"made_by": made_by, "wheel": None, "extras": []}
        record_path.unlink(missing_ok=True)
        _report(folder, "making a virtual environment")
        options = ["--clear"] + (["--system-site-packages"] if job["see_packages"] else [])
        _run([sys.executable, "-m", "venv", *options, str(ENVIRONMENT)], folder, until, kind="venv")
        if job["see_packages"]:
            _see_own_packages(folder, until)
    wheel = str(folder / job["wheel"])
    pip = [str(_environment_python()), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    if record["wheel"] != job["files"][job["wheel"]]:
        _report(folder, "installing edgecnn")
        _run([*pip, "--no-index", "--no-deps", "--force-reinstall", wheel], folder, until, kind="pip")
        record = {**record, "wheel": job["files"][job["wheel"]], "extras": []}
    wanted = [extra for extra in job["extras"] if extra not in record["extras"]]
    # An interpreter that is there already, onnxruntime-gpu of a Jetson for instance, is not joined by another.
    modules = [name for extra in wanted for name in job["extras"][extra]]
    there = _present((*_BASE_MODULES, *modules), folder, until)
    extras = [extra for extra in wanted if not there.intersection(job["extras"][extra])]
    sources = ["--only-binary=:all:"]
    if job["wheels"]:
        sources += ["--no-index", "--find-links", str(folder / "wheels")]
    base = not there.issuperset(_BASE_MODULES)
    problems = []
    if base or extras:
        _report(folder, f"installing {', '.join(['numpy, Pillow', *extras] if base else extras)}")
        try:
            _run([*pip, *sources, _with_extras(wheel, extras)], folder, until, kind="pip")
        except Problem as problem:
            if problem.kind != "no wheel" or len(extras) < 2:
                raise
            # One interpreter may be had where the other is not.
            for extra in list(extras):
                try:
                    _run([*pip, *sources, _with_extras(wheel, [extra])], folder, until, kind="pip")
                except Problem as single:
                    problems.append(single)
                    wanted.remove(extra)
            if len(problems) == len(extras):
                raise
    record["extras"] += wanted
    record_path.write_text(json.dumps(record))
    return "; ".join(map(str, problems))


def _with_extras(wheel: str, extras: Sequence[str]) -> str:
    return f"{wheel}[{','.join(extras)}]" if extras else wheel


def _see_own_packages(folder: Path, until: float) -> None:
    """Let the environment see the packages of this Python where it is a virtual environment itself."""
    if sys.prefix != sys.base_prefix:
        program = "import sysconfig; print(sysconfig.get_path('purelib'))"
        own = _run([str(_environment_python()), "-c", program], folder, until)
        (Path(own.strip()) / "packages_of_python.pth").write_text("\n".join(site.getsitepackages()) + "\n")


def _present(modules: Sequence[str], folder: Path, until: float) -> set[str]:
    """Return those of some modules that the environment has."""
    program = "import importlib.util, sys; print(*(m for m in sys.argv[1:] if importlib.util.find_spec(m)))"
    return set(_run([str(_environment_python()), "-c", program, *modules], folder, until).split())


def _run(command: Sequence[str], folder: Path, until: float, *, kind: str = "other") -> str:
    """Run a program to its end and return what it printed; it is stopped at the time limit.

    Raises:
        Problem: it failed, with its last words, or was stopped.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_TARGET"))}
    with (folder / "log.txt").open("ab") as log:
        begin = log.tell()
        log.write(f"$ {' '.join(command)}\n".encode(errors="replace"))
        log.flush()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=environment, process_group=0
        )
        _interrupt_with(process)
        try:
            code = process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise Problem("it took longer than its time limit (--host-limit) and was stopped", "limit") from None
    with (folder / "log.txt").open("rb") as log:
        log.seek(begin)
        printed = log.read().decode(errors="replace").partition("\n")[2]
    if code:
        raise _problem(kind, code, printed)
    return printed


def _problem(kind: str, code: int, printed: str) -> Problem:
    """Find out from what a program printed why it failed."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    last = lines[-1] if lines else f"exit code {code}"
    errors = [line for line in lines if line.startswith(("ERROR", "error:", "OSError"))]
    text = printed.lower()
    if "no space left" in text or "quota exceeded" in text:
        return Problem(last, "no space")
    if kind == "venv" and "ensurepip" in text:
        return Problem(last, "venv")
    if kind == "pip":
        if re.search("name resolution|name or service not known|newconnectionerror|network is unreachable", text):
            return Problem(last, "offline")
        missing = re.search(r"no matching distribution found for ([^\s(]+)", text)
        if missing:
            return Problem(missing[1], "no wheel")
    return Problem((errors or [last])[0].removeprefix("error: "))


def _interrupt_with(process: "subprocess.Popen[bytes]") -> None:
    """On SIGTERM, interrupt a program as Ctrl-C would, so that it writes what it has."""

    def interrupt(*_: object) -> None:
        process.send_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, interrupt)


def _end_session(leader: int) -> None:
    """Kill what is left of a session, but for this process, where the system says who belongs to it."""
    if leader != os.getpid():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
            if session == leader and int(folder.name) != os.getpid():
                os.kill(int(folder.name), signal.SIGKILL)


def _report(folder: Path, text: str) -> None:
    with (folder / "progress.jsonl").open("a") as file:
        file.write(json.dumps({"percent": 0, "text": text}) + "\n")


def _environment_python() -> Path:
    return ENVIRONMENT / "bin" / "python"


def _job_folder(name: str) -> Path:
    if not _JOB.fullmatch(name):
        raise Problem("expected the name of a benchmark")
    return JOBS / name


def _lock(*, wait_secs: float = 0.0) -> int | None:
    """Take the lock and return its file descriptor; None where a benchmark holds it.

    Whoever only asks holds it for a moment, too; `wait_secs` outlasts that.
    """
    import fcntl  # not on Windows, where the other side reads this file

    descriptor = os.open(ROOT / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + wait_secs
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(descriptor)
                return None
            time.sleep(0.02)
        else:
            return descriptor


def _runs(name: str) -> bool:
    """Tell whether a benchmark runs: it holds the lock as long as it lives."""
    descriptor = _lock()
    if descriptor is not None:
        os.close(descriptor)
        return False
    return (ROOT / "lock").read_text() == name


def _pid_of(name: str) -> int:
    return int((JOBS / name / "pid").read_text())


def _last_words(folder: Path) -> str:
    with contextlib.suppress(OSError):
        lines = (folder / "log.txt").read_text(errors="replace").strip().splitlines()
        if lines:
            return lines[-1]
    return "the machine may have been started anew"


_ACTIONS: Mapping[str, Callable[..., None]] = {
    "probe": probe,
    "receive": receive,
    "start": start,
    "attach": attach,
    "fetch": fetch,
    "stop": stop,
    "forget": forget,
}


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn a problem into an answer."""
    try:
        yield
        say(done=True)
    except BrokenPipeError:  # nobody listens any more
        os._exit(1)
    except (Problem, OSError) as problem:
        say(error=str(problem))
        say(done=True)


def main() -> None:
    """Do what the command line names."""
    os.umask(0o077)
    action, *arguments = sys.argv[1:]
    if action == "work":
        work(*arguments)
        return
    with _told():
        _ACTIONS[action](*arguments)


if __name__ == "__main__":
    main()
