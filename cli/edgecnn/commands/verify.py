"""`edgecnn verify MODEL…`: does this machine compute what the workstation computed?"""

from pathlib import Path
from typing import Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.model_options import ModelOptions
from edgecnn.options.option_group import takes_options


@takes_options(model_options=ModelOptions)
def verify(
    model_options: ModelOptions,
    models: Annotated[list[Path], typer.Argument(metavar="MODEL", help="Model files that edgecnn exported.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run the golden check inside model files.

    Each file holds a few generated images and the probabilities that the workstation computed for them. The check
    compares those of this machine. With --key it is first made sure who made the file.
    """
    from edgecnn_runtime.errors import GateError
    from edgecnn_runtime.golden import no_golden
    from edgecnn_runtime.model_formats import ModelFile, is_model_file

    console = Console(json=json, quiet=quiet)
    for path in models:
        # Of a third-party file nothing else need be known.
        if is_model_file(path) and ModelFile.read(path).manifest is None:
            raise no_golden(str(path))
    results = {path: model_options.open(console, path, threads=1).verify() for path in models}
    console.document(
        [
            {
                "model": str(path),
                "passed": result.passed,
                "largest_difference": result.largest_difference,
                "tolerance": result.tolerance,
            }
            for path, result in results.items()
        ]
    )
    console.table(
        ("model", "largest difference", "allowed", ""),
        [
            (str(path), f"{r.largest_difference:.2g}", f"{r.tolerance:.2g}", "passed" if r.passed else "FAILED")
            for path, r in results.items()
        ],
    )
    failed = [str(path) for path, result in results.items() if not result.passed]
    if failed:
        raise GateError(
            f"{', '.join(failed)}: expected the probabilities of the workstation, got others; compare the version of "
            "the interpreter here ('edgecnn doctor') with that in the file ('edgecnn inspect'), or export again"
        )
