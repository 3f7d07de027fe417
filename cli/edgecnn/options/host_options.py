"""The options of a benchmark on another machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.options.option_group import option
from edgecnn_runtime.errors import InputError

if TYPE_CHECKING:
    from edgecnn_benchmarks.remote.destination import Destination
    from edgecnn_benchmarks.remote.on_host import HostOptions

_LIMIT_SECS = 3600.0


@dataclass(frozen=True, kw_only=True)
class HostChoice:
    """What the command line says about another machine; None where nothing."""

    host: Annotated[
        str | None,
        option("USER@HOST|ssh://…", "Another machine to measure on, by SSH, as ~/.ssh/config names it."),
    ] = None
    host_port: Annotated[int | None, option("PORT", "Port of SSH on --host, if not 22.")] = None
    host_jump: Annotated[
        str | None, option("USER@HOST:PORT", "Machine to reach --host through; several with commas.")
    ] = None
    host_config: Annotated[Path | None, option("FILE", "Configuration of SSH in place of ~/.ssh/config.")] = None
    host_python: Annotated[
        str | None, option("PYTHON", "Python to use on --host, 3.11 or later; default: python3.")
    ] = None
    host_packages: Annotated[
        bool,
        typer.Option("--host-packages", help="Use the packages of that Python, too: a Jetson's GPU build."),
    ] = False
    host_wheels: Annotated[
        str | None,
        option("download|FOLDER", "Wheels for a --host without internet: downloaded here for it, or a folder of them."),
    ] = None
    host_limit: Annotated[
        float, option("SECS", "Seconds after which the work on --host is stopped, installation included.")
    ] = _LIMIT_SECS

    def read(self) -> "tuple[Destination, HostOptions] | None":
        """Check the options; None where the benchmark runs here.

        Raises:
            InputError: one that cannot be used, or that needs --host.
        """
        from edgecnn_benchmarks.remote.destination import Destination
        from edgecnn_benchmarks.remote.on_host import HostOptions

        if self.host is None:
            if self != HostChoice():
                raise InputError("--host: expected a machine for the other --host-… options, got none")
            return None
        destination = Destination.read(self.host, port=self.host_port, jump=self.host_jump, config=self.host_config)
        options = HostOptions(
            python=self.host_python,
            see_packages=self.host_packages,
            wheels=self.host_wheels,
            limit_secs=self.host_limit,
        )
        return destination, options
