"""Loading libraries in a process of their own: whatever they do, the doctor lives."""

import pytest

from edgecnn_benchmarks.machine.probes import probe_engines, run_alone
from edgecnn_runtime.backends.engines import ENGINES

PROGRAMS = {
    "works": ('print("loading"); print(\'["CPU", "CUDA"]\')', ("CPU", "CUDA"), None),
    "missing": ("import no_such_library", (), "ModuleNotFoundError: No module named 'no_such_library'"),
    "silent exit": ("raise SystemExit(3)", (), "it ended with exit code 3"),
    "prints nothing": ("", (), "it ended with exit code 0"),
    "prints no JSON": ("print('hello')", (), "it answered 'hello'"),
    "illegal instruction": (
        "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
        (),
        "it crashed with SIGILL",
    ),
    "hangs": ("while True: pass", (), "no answer after 1 s"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_run_alone(program):
    text, answer, error = PROGRAMS[program]
    assert run_alone(text, timeout=1 if program == "hangs" else 60) == (answer, error)


def test_every_engine_of_the_runtime_is_probed():
    """Where it is installed, it loads; the CPU is then among its providers, if it names any."""
    probes = {probe.name: probe for probe in probe_engines()}
    assert list(probes) == list(ENGINES)
    for name, probe in probes.items():
        assert probe.error is None
        assert not probe.providers or set(ENGINES[name].cpu_providers) & set(probe.providers)
