"""The containers are known by their row alone, and load what they need when it is used."""

import subprocess
import sys

import pytest

from edgecnn_export.containers import CONTAINERS
from edgecnn_export.formats import FORMATS
from edgecnn_export.inspection.targets.boards import LINUX_INTERPRETERS

HEAVY = {"tensorflow", "keras", "onnx", "onnxruntime", "tf2onnx", "ai_edge_litert", "litert_quantizer"}


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
def test_a_format_is_named_after_its_container(fmt) -> None:  # type: ignore[no-untyped-def]
    container = CONTAINERS[fmt.suffix]
    assert fmt.suffix == container.format.suffix
    assert fmt.name == f"{container.format.name}-{fmt.form}"


def test_each_container_has_an_interpreter_for_boards_with_linux() -> None:
    assert set(LINUX_INTERPRETERS) == set(CONTAINERS)
    assert all(LINUX_INTERPRETERS[suffix].container is container for suffix, container in CONTAINERS.items())


def test_knowing_the_containers_loads_no_converter_and_no_interpreter() -> None:
    program = "import sys, edgecnn_export.containers; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "edgecnn_export" in done.stdout.split()
    assert HEAVY.isdisjoint(done.stdout.split())
