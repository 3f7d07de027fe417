"""Commands on another machine, through the system's own `ssh`.

The program and no SSH library for Python (paramiko, asyncssh, fabric): it reads ~/.ssh/config as the user's other tools
do, with its aliases, jump hosts, agents, hardware keys, certificates and known hosts, it asks for a password or for
trust in a new host key on the terminal, and the system keeps it patched. Files travel over the same commands' stdin and
stdout, so that the other side needs neither sftp nor rsync, and a transfer goes on where it was cut off.

Host keys are checked as the user's configuration says; by default ssh asks about a new one and refuses a changed one.
"""

import contextlib
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Self

from edgecnn_benchmarks.remote.destination import Destination
from edgecnn_benchmarks.remote.far_side import MARK
from edgecnn_runtime.errors import GateError, InputError

# ssh's own exit code: it did not get there, or the connection broke.
_SSH_FAILED = 255
# The exit code of a command there that found no Python it can use, and has said so.
NO_PYTHON = 78
_OPTIONS = (
    "ConnectTimeout=20",
    # A dead connection is noticed within half a minute.
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
    # What an entry in ~/.ssh/config may ask for when a person logs in.
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
)

# What ssh says, and what there is to do.
_REASONS = (
    ("could not resolve hostname", "expected a host that is known; check its name, or add it to ~/.ssh/config"),
    ("connection refused", "nothing listens at that port: start the SSH server there, or name its port (--host-port)"),
    (
        "remote host identification has changed",
        "its host key is not the one in known_hosts: another machine answers, or it was set up anew. Only if you know "
        "that it was, remove the old key with 'ssh-keygen -R HOST' and log in once with ssh",
    ),
    ("host key verification failed", "its host key is not known here: log in once with ssh, and compare the key"),
    ("permission denied", "it lets nobody in by these keys; allow yours with 'ssh-copy-id'"),
    ("too many authentication failures", "name the right key in ~/.ssh/config (IdentityFile, IdentitiesOnly yes)"),
    ("timed out", "it does not answer: check that it is on, its address, and --host-jump where it is behind another"),
    ("no route to host", "it does not answer: check that it is on, and its address"),
    ("network is unreachable", "there is no way to it from here: check the network, or --host-jump"),
)


class ConnectionLostError(GateError):
    """A connection that had stood broke; what runs on the other machine goes on."""


class Ssh:
    """One machine, and commands on it; a context manager that closes its connection."""

    def __init__(self, destination: Destination) -> None:
        """Connect to nothing yet.

        Raises:
            InputError: there is no ssh on this machine.
        """
        program = shutil.which("ssh")
        if program is None:
            raise InputError("expected the program ssh, not found; install OpenSSH's client (openssh-client)")
        self.destination = destination
        self._program = program
        self._stood = False
        # One connection for all commands, so that a password is asked for once. A short path: it names a socket.
        self._sockets = tempfile.mkdtemp(prefix="edgecnn-ssh-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shares:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    self._command("-O", "exit"),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=10,
                    check=False,
                )
        shutil.rmtree(self._sockets, ignore_errors=True)

    @property
    def _shares(self) -> bool:
        """Whether commands can share one connection; OpenSSH for Windows cannot."""
        return sys.platform != "win32"

    def _command(self, *more: str) -> list[str]:
        options = list(_OPTIONS)
        if self._shares:
            # The socket's name is short, and does not depend on the user's configuration.
            options += ["ControlMaster=auto", f"ControlPath={self._sockets}/s", "ControlPersist=60"]
        where = self.destination
        command = [self._program, "-T", "-x"]
        command += ["-F", str(where.config.absolute())] if where.config else []
        command += ["-p", str(where.port)] if where.port else []
        command += ["-J", where.jump] if where.jump else []
        command += [part for option in options for part in ("-o", option)]
        return [*command, *more, "--", where.address]

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator["Talk"]:
        """Run a command there, and talk with it until the block ends.

        Args:
            words: the command and its arguments, each taken as it is: they are quoted.

        Raises:
            InputError: the machine cannot be reached.
            ConnectionLostError: the connection broke.
        """
        # Whatever the login shell is, it only starts sh.
        line = "exec sh -c " + shlex.quote("exec " + shlex.join(words))
        with tempfile.TemporaryFile() as stderr:
            process = subprocess.Popen(
                [*self._command(), line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
            )
            talk = Talk(process)
            try:
                with contextlib.suppress(BrokenPipeError):  # told below, with the reason
                    yield talk
                with contextlib.suppress(BrokenPipeError):
                    talk.end_input()
                for line_there in talk.output:  # until its end, so that it never waits for a reader
                    talk.take(line_there)
                code = process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise
            finally:
                for pipe in (process.stdin, process.stdout):
                    with contextlib.suppress(BrokenPipeError):
                        if pipe is not None:
                            pipe.close()
            stderr.seek(0)
            words_there = stderr.read().decode(errors="replace")
        self._check(code, words_there, complete=talk.complete)

    def ask(self, *words: str, content: bytes = b"") -> Mapping[str, Any]:
        """Run a command there with something on its stdin, and return its one answer, empty where it has none.

        Raises:
            InputError: the machine cannot be reached, or the answer is an error.
            ConnectionLostError: the connection broke.
        """
        answer: Mapping[str, Any] | None = None
        with self.running(*words) as talk:
            talk.send(content)
            talk.end_input()
            answer = talk.hear()
        return answer or {}

    def _check(self, code: int, stderr: str, *, complete: bool) -> None:
        """Say in a user's words why a command did not come to its end."""
        name = self.destination.name
        lines = [line.strip() for line in stderr.splitlines() if line.strip()]
        last = lines[-1] if lines else f"exit code {code}"
        if complete and code == 0:
            self._stood = True
            return
        told = stderr.lower()
        if code == _SSH_FAILED or code < 0:
            for words, remedy in _REASONS:
                if words in told and (not self._stood or "host key" in words or "identification" in words):
                    raise InputError(f"{name}: {last}; {remedy}")
            if self._stood:
                raise ConnectionLostError(f"{name}: the connection broke ({last})")
            raise InputError(f"{name}: expected a machine that ssh reaches, got: {last}")
        if "no space left" in told or "quota exceeded" in told:
            raise InputError(f"{name}: there is no room in its cache folder ({last}); free some space there")
        if code == NO_PYTHON:
            raise InputError(f"{name}: {last}")
        raise InputError(f"{name}: expected a POSIX shell, Python 3.11 or later and a cache folder there, got: {last}")


class Talk:
    """A command that runs there: its stdin, and what it answers."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None and process.stdout is not None  # asked for in Popen  # noqa: PT018
        self._input: IO[bytes] = process.stdin
        self.output: IO[bytes] = process.stdout
        # Whether it came to its end: its last answer says so.
        self.complete = False

    def send(self, content: bytes) -> None:
        """Write to its stdin."""
        self._input.write(content)
        self._input.flush()

    def end_input(self) -> None:
        """Close its stdin."""
        if not self._input.closed:
            self._input.close()

    def hear(self) -> Mapping[str, Any] | None:
        """Return its next answer, None at the end of its output.

        Raises:
            InputError: the answer is an error.
        """
        for line in self.output:
            answer = self.take(line)
            if answer is not None:
                return answer
        return None

    def take(self, line: bytes) -> Mapping[str, Any] | None:
        """Read a line of its output; None where it is no answer: a greeting of the login shell, say."""
        text = line.decode(errors="replace").strip()
        if not text.startswith(MARK):
            return None
        answer: Mapping[str, Any] = json.loads(text.removeprefix(MARK))
        if "done" in answer:
            self.complete = True
            return None
        if "error" in answer:
            raise InputError(str(answer["error"]))
        return answer

    def answers(self) -> Iterator[Mapping[str, Any]]:
        """Yield its answers until the end of its output."""
        while (answer := self.hear()) is not None:
            yield answer


def far_side_script() -> bytes:
    """Return the program that runs on the other machine."""
    return (Path(__file__).parent / "far_side.py").read_bytes()
