"""Where a benchmark runs: the names that a user gives, checked before any of them reaches a command line."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edgecnn_runtime.errors import InputError

# A name or an alias of ~/.ssh/config, an IPv4 or IPv6 address. Not one begins with "-", which ssh takes for an option,
# and none holds what a shell would: the user's ProxyCommand may hand it to one.
_NAME = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_USER = re.compile(r"[A-Za-z0-9_.+][A-Za-z0-9_.+-]*\$?")


@dataclass(frozen=True, kw_only=True)
class Destination:
    """One machine and the way to it; whatever is not said here, ~/.ssh/config says."""

    # What ssh is given: "user@name", or "name".
    address: str
    port: int | None = None
    # "user@name:port", several separated by commas.
    jump: str | None = None
    # In place of ~/.ssh/config.
    config: Path | None = None

    @property
    def name(self) -> str:
        """The machine's name without the user's.

        >>> Destination.read("pi@raspberrypi").name
        'raspberrypi'
        """
        return self.address.rpartition("@")[2]

    @property
    def folder_name(self) -> str:
        """A name for the folder of its results.

        >>> Destination.read("ssh://root@[::1]:2222").folder_name
        '__1-2222'
        """
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", self.name)
        return name if self.port is None else f"{name}-{self.port}"

    @classmethod
    def read(
        cls, text: str, *, port: int | None = None, jump: str | None = None, config: Path | None = None
    ) -> "Destination":
        """Read `user@host`, `host` or `ssh://user@host:port`.

        Raises:
            InputError: it is none of these, or one of the other arguments cannot be used.
        """
        address, own_port = _read_address(text)
        if port is not None and not 0 < port < 65536:
            raise InputError(f"host port: expected a number from 1 to 65535, got {port}")
        for one in [] if jump is None else jump.split(","):
            _read_address(one if one.startswith("ssh://") else f"ssh://{one}", what="host jump")
        if config is not None and not config.is_file():
            raise InputError(f"host config: expected a file such as ~/.ssh/config, got {config}, no such file")
        return cls(address=address, port=own_port if port is None else port, jump=jump, config=config)


def _read_address(text: str, what: str = "host") -> tuple[str, int | None]:
    """Split what a user typed into `user@host` and a port, each of harmless letters."""
    problem = InputError(
        f"{what}: expected user@host, a host, one of ~/.ssh/config or ssh://user@host:port, "
        f"got {text.removeprefix('ssh://') if what != 'host' else text!r}"
    )
    user, at, name = text.rpartition("@")
    port = None
    if text.startswith("ssh://"):
        try:
            parts = urlsplit(text)
            user, name, port = parts.username or "", parts.hostname or "", parts.port
            at = "@" if user else ""
            # urlsplit lowers a name's letters, and an alias of ~/.ssh/config may have large ones.
            start = text.lower().find(name, len("ssh://") + len(user + at))
            name = text[start : start + len(name)]
        except ValueError:
            raise problem from None
        if parts.path not in ("", "/") or parts.query or parts.fragment or parts.password:
            raise problem
    if not _NAME.fullmatch(name) or (at and not _USER.fullmatch(user)):
        raise problem
    return f"{user}{at}{name}", port
