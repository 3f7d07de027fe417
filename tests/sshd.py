"""Debian's sshd for tests: on a free port of this machine, as the current user, with keys and folders of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import needs
from needs import Need

_SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))


@dataclass(frozen=True)
class Sshd:
    """A running server and what a client needs to reach it."""

    port: int
    pid: int
    folder: Path

    @property
    def config(self) -> Path:
        """A client's configuration: the host `far` is this server."""
        return self.folder / "config"

    @property
    def cache(self) -> Path:
        """The cache folder of those who log in."""
        return self.folder / "cache"

    @property
    def place(self) -> Path:
        """Where a benchmark keeps its files."""
        return self.cache / "edgecnn" / "bench"

    def break_connections(self) -> None:
        """Kill the server's processes that serve a connection, not what was started through them."""
        for pid, stat, _ in _processes():
            if int(stat[1]) == self.pid:
                os.kill(pid, signal.SIGKILL)

    def running(self) -> list[str]:
        """List the command lines of what runs in the cache folder."""
        return [line for _, stat, line in _processes() if str(self.cache) in line and stat[0] != "Z"]

    def left_running(self) -> list[str]:
        """List the same once it has had ten seconds to end."""
        until = time.monotonic() + 10
        while (lines := self.running()) and time.monotonic() < until:
            time.sleep(0.05)
        return lines

    def with_host_key(self, folder: Path) -> Path:
        """Write a client's configuration that expects another host key."""
        _make_key(folder / "other")
        known = folder / "known_hosts"
        _write_known_hosts(known, self.port, folder / "other.pub")
        config = folder / "config"
        config.write_text(self.config.read_text().replace(str(self.folder / "known_hosts"), str(known)))
        return config

    def without_key(self, folder: Path) -> Path:
        """Write a client's configuration with a key that the server does not let in."""
        _make_key(folder / "key")
        config = folder / "config"
        config.write_text(self.config.read_text().replace(str(self.folder / "key"), str(folder / "key")))
        return config


@contextlib.contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Run a server until the block ends; the test is skipped where there is none."""
    if _SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        needs.skip(Need.PROGRAM, "apt-get install openssh-server openssh-client")
    if not Path("/proc/self/stat").exists():
        needs.skip(Need.SYSTEM, "Linux, whose /proc lists processes left behind")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # root's sshd asks for this empty folder
    _make_key(folder / "host_key")
    _make_key(folder / "key")
    shutil.copyfile(folder / "key.pub", folder / "authorized_keys")
    (folder / "cache").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    _write_known_hosts(folder / "known_hosts", port, folder / "host_key.pub")
    (folder / "sshd_config").write_text(
        f"""\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder / "host_key"}
AuthorizedKeysFile {folder / "authorized_keys"}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv XDG_CACHE_HOME={folder / "cache"}
"""
    )
    (folder / "config").write_text(
        f"""\
Host far
  HostName 127.0.0.1
  Port {port}
Host *
  IdentityFile {folder / "key"}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {folder / "known_hosts"}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
"""
    )
    log = folder / "log"
    with subprocess.Popen([_SSHD, "-D", "-f", str(folder / "sshd_config"), "-E", str(log)]) as server:
        try:
            until = time.monotonic() + 20
            while not (log.exists() and "listening" in log.read_text()):
                if server.poll() is not None or time.monotonic() > until:
                    said = log.read_text() if log.exists() else ""
                    needs.skip(Need.PROGRAM, f"an sshd that this user can start; it said: {said}")
                time.sleep(0.02)
            yield Sshd(port, server.pid, folder)
        finally:
            server.terminate()


def _make_key(path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)


def _write_known_hosts(path: Path, port: int, public_key: Path) -> None:
    key = " ".join(public_key.read_text().split()[:2])
    path.write_text(f"[127.0.0.1]:{port},[localhost]:{port} {key}\n")


def _processes() -> Iterator[tuple[int, list[str], str]]:
    """Yield each process's number, its state, parent and session, and its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            yield int(folder.name), stat, line
