"""The description of machines: this one, and the /proc and /sys of others."""

import dataclasses
import json
import subprocess
import sys

import needs
import pytest

from edgecnn_benchmarks.machine.description import describe_machine, installed_versions

XEON = """\
processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8481C
flags\t\t: fpu sse2 avx2 avx512f avx512_vnni amx_int8

processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8481C
flags\t\t: fpu sse2 avx2 avx512f avx512_vnni amx_int8
"""
RASPBERRY_PI_5 = """\
processor\t: 0
Features\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU part\t: 0xd0b

Revision\t: d04170
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""
RASPBERRY_PI_4 = """\
processor\t: 0
Features\t: fp asimd evtstrm crc32 cpuid
CPU part\t: 0xd08

Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""
JETSON = """\
processor\t: 0
Features\t: fp asimd asimddp
CPU implementer\t: 0x41
"""
# The large cores have i8mm and the small ones do not.
BIG_LITTLE = """\
processor\t: 0
Features\t: fp asimd asimddp
processor\t: 1
Features\t: fp asimd asimddp i8mm sve
"""

# /proc/cpuinfo, the device tree's model, and the processor and features read from them.
MACHINES = {
    "xeon": (XEON, None, "Intel(R) Xeon(R) Platinum 8481C", ("avx2", "avx512f", "avx512_vnni", "amx_int8")),
    "pi 5": (RASPBERRY_PI_5, None, "Raspberry Pi 5 Model B Rev 1.0", ("asimddp",)),
    "pi 4": (RASPBERRY_PI_4, None, "Raspberry Pi 4 Model B Rev 1.4", ()),
    "jetson": (JETSON, "NVIDIA Jetson Orin Nano\0", "NVIDIA Jetson Orin Nano", ("asimddp",)),
    "big.LITTLE": (BIG_LITTLE, "Board\0", "Board", ("asimddp",)),
}


@needs.linux
@pytest.mark.parametrize("name", MACHINES)
def test_processors_of_other_machines(name, tmp_path):
    cpuinfo, model, cpu, features = MACHINES[name]
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    if model:
        (tmp_path / "proc/device-tree/model").write_text(model)
    machine = describe_machine(tmp_path)
    assert (machine.cpu, machine.cpu_features) == (cpu, features)


@needs.linux
def test_cores_are_counted_without_their_hyper_threads(tmp_path):
    cpus = tmp_path / "sys/devices/system/cpu"
    for number, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        (cpus / f"cpu{number}/topology").mkdir(parents=True)
        (cpus / f"cpu{number}/topology/thread_siblings_list").write_text(f"{siblings}\n")
    (cpus / "cpufreq").mkdir()
    (cpus / "cpu0/cpufreq").mkdir()
    (cpus / "cpu0/cpufreq/scaling_governor").write_text("ondemand\n")
    machine = describe_machine(tmp_path)
    assert (machine.physical_cores, machine.governor) == (2, "ondemand")


@needs.linux
def test_a_system_that_does_not_tell(tmp_path):
    machine = describe_machine(tmp_path)
    assert (machine.cpu_features, machine.physical_cores, machine.governor) == (None, None, None)
    assert machine.cpu


def test_this_machine_can_be_written_as_json():
    machine = describe_machine()
    document = json.loads(json.dumps(dataclasses.asdict(machine)))
    assert document["available_cpus"] >= 1
    assert document["packages"]["edgecnn"]
    assert document["python"].startswith(f"{sys.version_info.major}.")


def test_versions_of_packages_that_are_not_there_are_left_out():
    assert set(installed_versions(["numpy", "no-such-package"])) == {"numpy"}


def test_nothing_heavy_is_imported():
    program = (
        "import sys; from edgecnn_benchmarks.machine.description import describe_machine; describe_machine();"
        "print([name for name in ('tensorflow', 'keras', 'onnxruntime', 'onnx', 'PIL') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
