"""The options of a benchmark on another machine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecnn.options.option_group import takes_options
from edgecnn_runtime.errors import InputError

if TYPE_CHECKING:
    from edgecnn_benchmarks.remote.destination import Destination
    from edgecnn_benchmarks.remote.on_host import HostOptions

_LIMIT_SECS = 3600.0


def _option(text: str, metavar: str) -> Any:
    return typer.Option(metavar=metavar, help=text)


@dataclass(frozen=True, kw_only=True)
class HostChoice:
    """What the command line says about another machine; None where nothing."""

    host: Annotated[
        str | None, _option("Measure on another machine, by SSH, as ~/.ssh/config knows it.", "USER@HOST|ssh://…")
    ] = None
    host_port: Annotated[int | None, _option("Its port, where it is not 22.", "PORT")] = None
    host_jump: Annotated[str | None, _option("Through this machine; several with commas.", "USER@HOST:PORT")] = None
    host_config: Annotated[Path | None, _option("In place of ~/.ssh/config.", "FILE")] = None
    host_python: Annotated[str | None, _option("The Python there, 3.11 or later; default: python3.", "PYTHON")] = None
    host_packages: Annotated[
        bool, typer.Option("--host-packages", help="Use that Python's packages, too: a Jetson's onnxruntime-gpu, say.")
    ] = False
    host_wheels: Annotated[
        str | None,
        _option("Packages for a machine without internet: fetched here for its platform, or yours.", "download|FOLDER"),
    ] = None
    host_limit: Annotated[float, _option("Seconds after which it is stopped there, installation included.", "SECS")] = (
        _LIMIT_SECS
    )

    def read(self) -> "tuple[Destination, HostOptions] | None":
        """Check the options; None where the benchmark runs here.

        Raises:
            InputError: one that cannot be used, or that needs --host.
        """
        from edgecnn_benchmarks.remote.destination import Destination
        from edgecnn_benchmarks.remote.on_host import HostOptions

        if self.host is None:
            if self != HostChoice():
                raise InputError("--host: expected the machine beside the other --host-… options, got none")
            return None
        destination = Destination.read(self.host, port=self.host_port, jump=self.host_jump, config=self.host_config)
        options = HostOptions(
            python=self.host_python,
            see_packages=self.host_packages,
            wheels=self.host_wheels,
            limit_secs=self.host_limit,
        )
        return destination, options


def takes_host_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `HostChoice` in place of its parameter `host_choice`."""
    return takes_options(command, HostChoice, "host_choice")
