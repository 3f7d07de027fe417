"""Try in a subprocess what may crash or hang: interpreters, delegates and drivers are written in C++.

Each caller has its own time limit and its own words for a failure; `Ended.reason` is the part that is the same.
"""

import contextlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgecnn_runtime.system.nameless_file import nameless_file


@dataclass(frozen=True)
class Ended:
    """How a subprocess ended, and what it wrote."""

    code: int  # the exit code; the negative number of the signal that ended it
    stdout: str
    stderr: str
    limit: float | None = None  # seconds after which it was killed; None where it ended by itself

    @property
    def crashed(self) -> bool:
        """Whether a signal ended it that this process did not send."""
        return self.code < 0 and self.limit is None

    @property
    def reason(self) -> str | None:
        """Why it is no success; None where it is one.

        >>> Ended(-11, "", "").reason
        'the process crashed with SIGSEGV'
        >>> Ended(-9, "", "", limit=60).reason
        'no answer within 60 s'
        >>> Ended(0, "", "").reason
        """
        if self.limit is not None:
            return f"no answer within {self.limit:g} s"
        return describe_end(self.code, self.stderr) if self.code else None

    @property
    def answer(self) -> str:
        """The last line of the output: interpreters print what they like before it."""
        return (self.stdout.strip().splitlines() or [""])[-1]


def describe_end(code: int, stderr: str) -> str:
    """Say how a process ended, with the last line that it wrote to its stderr.

    >>> describe_end(-6, "Check failed: multiplier")
    'the process crashed with SIGABRT: Check failed: multiplier'
    """
    end = f"the process ended with exit code {code}"
    if code < 0:
        name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
        # The kernel's answer to a machine without memory; nobody else sends this one.
        end = f"the process crashed with {name}" + (", probably out of memory" if name == "SIGKILL" else "")
    return ": ".join([end, *stderr.strip().splitlines()[-1:]])


# What an interpreter is called: python, python3.11, pythonw.exe, pypy3; mod_python and uwsgi are none.
_INTERPRETER = re.compile(r"(python|pypy|graalpy)w?\d*(\.\d+)?[a-z]{0,2}(-dbg|-intel64)?(\.exe)?", re.IGNORECASE)


def python_interpreter() -> str:
    """Return the path of the Python interpreter that runs this program.

    In a frozen program (PyInstaller, cx_Freeze) `sys.executable` is the program itself, and in one that embeds Python
    it is often that, too: started with `-c`, it would begin its own work once more, and start itself again.

    Raises:
        FileNotFoundError: there is none.
    """
    found = sys.executable
    if getattr(sys, "frozen", False) or "__compiled__" in vars(sys.modules["__main__"]):
        found = f"a frozen program, {found}" if found else "a frozen program"
    elif found and _INTERPRETER.fullmatch(Path(found).name):
        return found
    raise FileNotFoundError(f"expected a Python interpreter for a subprocess, got {found or 'none'}")


def run_python(
    *arguments: str,
    timeout: float | None,
    on_line: Callable[[str], object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run Python as `run` does; `arguments` follow the interpreter: `"-m", module`, or `"-c", program`.

    Raises:
        OSError: no subprocess can be started, or there is no interpreter (`python_interpreter`).
    """
    # -P: a file named as a library in the current folder is not what is meant.
    return run([python_interpreter(), "-P", *arguments], timeout=timeout, on_line=on_line, environment=environment)


def run(
    command: Sequence[str],
    *,
    timeout: float | None,
    on_line: Callable[[str], object] | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Ended:
    """Run a command to its end, without input. Whatever ends this call early kills the subprocess.

    Args:
        command: the program and its arguments.
        timeout: seconds after which it is killed; None: never.
        on_line: called with each line of the output when it is written, in place of `Ended.stdout`.
        environment: its environment variables; None: those of this process.
        folder: its working folder; None: that of this process.

    Raises:
        OSError: it cannot be started.
    """
    late = threading.Event()
    with contextlib.ExitStack() as stack:
        # Files, not pipes: a process that outlives its killed parent may hold a pipe open for ever.
        stdout, stderr = (stack.enter_context(nameless_file()) for _ in range(2))
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if on_line else stdout,
            stderr=stderr,
            env=environment,
            cwd=folder,
        )

        def stop() -> None:
            late.set()
            process.kill()

        guard = threading.Timer(timeout or 0, stop)
        if timeout is not None:
            guard.start()
        try:
            for line in process.stdout or ():
                if on_line:
                    on_line(line.decode(errors="replace"))
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            guard.cancel()
            if process.stdout:
                process.stdout.close()
        return Ended(code, _text(stdout), _text(stderr), timeout if code and late.is_set() else None)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
