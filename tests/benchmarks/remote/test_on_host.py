import dataclasses
import json
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import needs
import pytest
from conftest import edgecnn
from needs import Need
from sshd import Sshd, sshd
from tiny_models import tiny_onnx

from edgecnn_benchmarks.measuring.device_estimates import DeviceEstimate, FileEstimate
from edgecnn_benchmarks.measuring.result import BenchResult
from edgecnn_benchmarks.remote.destination import Destination
from edgecnn_benchmarks.remote.on_host import HostOptions, bench_on_host
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.errors import GateError, InputError
from edgecnn_runtime.third_party_models.opening import Opening
from edgecnn_runtime.workstation.run_folder import RunFolder

# Other engines that may be installed are left out.
_OPENING = Opening(third_party_only=True, engine="onnxruntime")
_QUICK = BenchSettings(runs=3, warmup=1, rounds=1, starts=1, opening=_OPENING)
# As long as it is let.
_LONG = BenchSettings(runs=3, warmup=1, rounds=9999, max_secs=600, starts=1, opening=_OPENING)
# With the packages of this Python, so that nothing is downloaded.
_OPTIONS = HostOptions(python=sys.executable, see_packages=True)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@dataclass
class Client:
    """Runs benchmarks on the server and keeps what it is told."""

    far: Sshd
    cache: Path
    said: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def bench(
        self,
        *targets: Path,
        settings: BenchSettings = _QUICK,
        options: HostOptions = _OPTIONS,
        when: Callable[[str], None] = lambda text: None,
        destination: Destination | None = None,
        **more: Any,
    ) -> BenchResult:
        def progress(percent: int, text: str) -> None:
            assert 0 <= percent <= 100
            self.seen.append(text)
            when(text)

        return bench_on_host(
            destination or Destination.read("far", config=self.far.config),
            targets,
            settings=settings,
            options=options,
            cache=self.cache,
            progress=progress,
            say=self.said.append,
            **more,
        )


@pytest.fixture
def client(far: Sshd, tmp_path: Path) -> Client:
    return Client(far, tmp_path / "wheels")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_onnx(tmp_path / "it's a model; $(touch x).onnx")


def test_a_run_is_measured_there_and_its_result_is_here(tiny_run: RunFolder, client: Client, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(tiny_run.path, tmp_path / "tiny")))
    printed = edgecnn(
        *("bench", run.path, "--rounds", "1", "--runs", "3", "--warmup", "1", "--starts", "1"),
        *("--engine", "onnxruntime"),
        *("--host", "far", "--host-config", client.far.config, "--host-python", sys.executable, "--host-packages"),
    )
    assert "Ship tiny_" in printed
    assert printed.rstrip().endswith(str(run.bench / "far" / "report.html"))
    document = json.loads((run.bench / "far" / "bench.json").read_text())
    assert document["host"] == "far"
    assert document["command"].startswith("edgecnn bench ")
    assert {row["name"] for row in document["rows"]} == {path.name for path in run.export.glob("*.onnx")}
    assert all(row["accuracy"]["total"] == 100 for row in document["rows"])
    assert all(row["agreement"] is not None for row in document["rows"])
    assert "far, by SSH" in (run.bench / "far" / "report.html").read_text()
    assert client.far.left_running() == []


def test_the_folder_there_is_private_and_the_environment_is_made_once(
    client: Client, model: Path, tmp_path: Path
) -> None:
    estimates = (FileEstimate(model.name, 1024, True, ("ADD",), (DeviceEstimate("board", "A board", "yes", "fits"),)),)
    result = client.bench(model, output=tmp_path / "out", estimate=lambda candidates: estimates)
    assert result.rows[0].name == model.name
    assert result.device_estimates == estimates
    assert not list(model.parent.glob("x"))
    place = client.far.place
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in place.iterdir())
    assert list((place / "jobs").iterdir()) == []
    made = (place / "environment" / "pyvenv.cfg").stat().st_mtime_ns
    client.seen.clear()
    client.bench(model, output=tmp_path / "out")
    assert (place / "environment" / "pyvenv.cfg").stat().st_mtime_ns == made
    assert not [text for text in client.seen if "install" in text or "environment" in text or "sending" in text]
    assert client.far.left_running() == []


@pytest.mark.slow
def test_a_fresh_environment_comes_from_the_package_index(client: Client, model: Path, tmp_path: Path) -> None:
    options = HostOptions(python=sys.executable)
    try:
        result = client.bench(model, options=options, output=tmp_path / "out")
    except GateError as error:
        if "no way from there to the package index" in str(error):
            needs.skip(Need.NETWORK, f"a package index; {error}")
        raise
    assert {"edgecnn", "numpy", "onnxruntime"} <= set(result.machine.packages)
    assert "tensorflow" not in result.machine.packages
    assert client.far.left_running() == []


@pytest.mark.slow
def test_wheels_fetched_here_make_an_environment_there(client: Client, model: Path, tmp_path: Path) -> None:
    options = HostOptions(python=sys.executable, wheels="download")
    try:
        result = client.bench(model, options=options, output=tmp_path / "out")
    except InputError as error:
        if "No matching distribution found" in str(error):
            needs.skip(Need.NETWORK, f"a package index; {error}")
        raise
    assert {path.name.split("-")[0] for path in client.cache.rglob("*.whl")} >= {"numpy", "onnxruntime"}
    assert result.rows[0].name == model.name


@pytest.mark.slow
def test_another_python_gets_another_environment(client: Client, model: Path, tmp_path: Path) -> None:
    client.bench(model, output=tmp_path / "out")
    record = client.far.place / "environment.json"
    document = json.loads(record.read_text())
    record.write_text(json.dumps({**document, "made_by": [sys.executable, "3.11.0", True]}))
    client.seen.clear()
    client.bench(model, output=tmp_path / "out")
    assert "far: making a virtual environment" in client.seen
    assert json.loads(record.read_text()) == document


@pytest.mark.slow
def test_through_a_jump_host_and_a_port(client: Client, model: Path, tmp_path: Path) -> None:
    there = f"localhost:{client.far.port}"
    destination = Destination.read("127.0.0.1", port=client.far.port, jump=there, config=client.far.config)
    before = (client.far.folder / "log").read_text().count("Accepted publickey")
    result = client.bench(model, destination=destination, output=tmp_path / "out")
    assert result.host == "127.0.0.1"
    # Once for the jump, once for the machine behind it, whatever the number of commands.
    assert (client.far.folder / "log").read_text().count("Accepted publickey") == before + 2


def test_a_broken_connection_is_taken_up_again(client: Client, tmp_path: Path) -> None:
    large = tiny_onnx(tmp_path / "large.onnx", layers=400)
    sending: list[str] = []
    measuring: list[str] = []

    def break_twice(text: str) -> None:
        for words, seen, at in (("sending", sending, 8), ("round", measuring, 1)):
            if words in text:
                seen.append(text)
                if len(seen) == at:
                    client.far.break_connections()

    result = client.bench(large, output=tmp_path / "out", when=break_twice)
    assert [row.name for row in result.rows] == ["large.onnx"]
    assert len(client.said) == 2
    assert all("connection broke" in said and "connecting again in 1 s" in said for said in client.said)
    # The transfer went on where it was cut off: the second part of it is smaller than the whole.
    whole, rest = dict.fromkeys(float(text.split()[-2]) for text in sending)
    assert 0 < rest < whole
    assert client.far.left_running() == []


@pytest.mark.slow
def test_the_next_call_attaches_again(client: Client, model: Path, tmp_path: Path) -> None:
    settings = BenchSettings(runs=3, warmup=1, rounds=200, max_secs=8, starts=1, opening=_OPENING)

    def crash(text: str) -> None:
        if "round" in text:
            raise RuntimeError("this end is gone")

    with pytest.raises(RuntimeError, match="gone"):
        client.bench(model, settings=settings, output=tmp_path / "out", when=crash)
    assert client.far.running()
    result = client.bench(model, settings=settings, output=tmp_path / "out")
    assert client.said == ["This benchmark runs on far already: attached to it again."]
    assert result.settings == settings


def test_an_interrupt_ends_it_there(client: Client, model: Path, tmp_path: Path) -> None:
    def interrupted(text: str) -> None:
        if text.startswith("far: "):  # "starting", unless the first round has begun before anybody looked
            raise KeyboardInterrupt

    first_round_without_end = dataclasses.replace(_LONG, runs=10**9)
    with pytest.raises(KeyboardInterrupt):
        client.bench(model, settings=first_round_without_end, output=tmp_path / "out", when=interrupted)
    assert client.said == ["Stopping the benchmark on far."]
    assert client.far.left_running() == []
    assert list((client.far.place / "jobs").iterdir()) == []
    assert list((tmp_path / "out").iterdir()) == []


def test_one_benchmark_at_a_time_and_an_interrupt_fetches_what_it_has_measured(
    client: Client, model: Path, tmp_path: Path
) -> None:
    other = tiny_onnx(tmp_path / "other.onnx", layers=2)

    def refused_then_interrupted(text: str) -> None:
        if re.search("round ([3-9]|[1-9][0-9])", text):
            with pytest.raises(InputError, match="another benchmark runs there"):
                Client(client.far, client.cache).bench(other, output=tmp_path / "other")
            raise KeyboardInterrupt

    result = client.bench(model, settings=_LONG, output=tmp_path / "out", when=refused_then_interrupted)
    assert result.partial is not None
    assert len(result.rows[0].rounds) >= 2
    assert (tmp_path / "out" / "report.html").exists()
    assert client.far.left_running() == []


def test_a_time_limit_ends_it_there(client: Client, model: Path, tmp_path: Path) -> None:
    options = HostOptions(python=sys.executable, see_packages=True, limit_secs=3)
    with pytest.raises(InputError, match="host limit: expected more than the 600 s of --max-secs, got 3"):
        client.bench(model, settings=_LONG, options=options, output=tmp_path / "out")
    endless = dataclasses.replace(_LONG, max_secs=2.9, starts=999)
    with pytest.raises(GateError, match=r"far: .*longer than its time limit \(--host-limit\)"):
        client.bench(model, settings=endless, options=options, output=tmp_path / "out")
    assert client.far.left_running() == []


def test_what_fails_there_is_told_here(client: Client, model: Path, tmp_path: Path) -> None:
    model.write_bytes(model.read_bytes()[:40])
    with pytest.raises(GateError, match=r"far: expected at least one model that runs"):
        client.bench(model, output=tmp_path / "out")
    assert client.far.left_running() == []


def test_a_machine_that_cannot_be_used_is_refused_with_the_reason(client: Client, model: Path, tmp_path: Path) -> None:
    def problem(destination: Destination, options: HostOptions = _OPTIONS) -> str:
        with pytest.raises(InputError) as caught:
            client.bench(model, destination=destination, options=options, output=tmp_path / "out")
        return str(caught.value)

    keys = tmp_path / "host_key", tmp_path / "key"
    for folder in keys:
        folder.mkdir()
    at_port = Destination.read("127.0.0.1", port=client.far.port, config=client.far.with_host_key(keys[0]))
    assert "its host key is not the one in known_hosts" in problem(at_port)
    unknown = Destination.read("far", config=client.far.without_key(keys[1]))
    assert "ssh-copy-id" in problem(unknown)
    assert "(--host-port)" in problem(Destination.read("127.0.0.1", port=1, config=client.far.config))
    unknown = Destination.read("no-such-host.invalid", config=client.far.config)
    assert "expected a host that is known" in problem(unknown)
    without_python = HostOptions(python="no-such-python")
    assert "expected Python 3.11 or later there, got none" in problem(
        Destination.read("far", config=client.far.config), without_python
    )
