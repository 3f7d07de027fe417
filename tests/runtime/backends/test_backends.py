"""Where a model runs: providers, delegates, tflite-runtime, threads."""

import contextlib
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import needs
import numpy as np
import pytest
from numpy.typing import NDArray
from own_models import OWN
from PIL import Image
from small_onnx import small_onnx
from third_party_models import ThirdParty, write_onnx, write_tflite

from edgecnn_runtime import Classifier, InputError, MissingExtraError, Mode, classifier
from edgecnn_runtime.backends import onnxruntime as backends_onnxruntime
from edgecnn_runtime.backends.delegate import Delegate
from edgecnn_runtime.backends.fake import FakeBackend
from edgecnn_runtime.backends.interface import out_of_memory
from edgecnn_runtime.manifest import Colour, InputSpec, Manifest, Scheme
from edgecnn_runtime.model_formats import ModelFile

PIXELS = np.random.default_rng(1).integers(0, 256, (2, 5, 4, 3), np.uint8)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_that_is_not_there_is_an_error_unless_the_cpu_will_do(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    path = small_onnx(tmp_path / "m.onnx")
    with pytest.raises(InputError, match=rf"--provider {provider}: .*pip install \"edgecnn\[onnx-gpu\]\".*allow-fallb"):
        Classifier.open(path, provider=provider)
    fallen_back = Classifier.open(path, provider=provider, allow_fallback=True)
    assert fallen_back.backend.provider == "CPUExecutionProvider"  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_is_built_in_and_does_not_load_is_no_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with a GPU build on a machine without CUDA: ONNX Runtime warns and takes the CPU.
    import onnxruntime

    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    path = small_onnx(tmp_path / "m.onnx")
    with pytest.raises(InputError, match="expected CUDAExecutionProvider to take the model, got CPUExecutionProvider"):
        Classifier.open(path, provider="cuda")
    assert Classifier.open(path, provider="cuda", allow_fallback=True).labels == ("dark", "bright")


GPU_BUILD = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("provider", "built_in", "loads_cuda"),
    [
        ("cpu", GPU_BUILD, False),
        ("cuda", GPU_BUILD, True),
        ("tensorrt", GPU_BUILD, True),
        ("cuda", GPU_BUILD[2:], False),
    ],
)
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_cuda_is_loaded_where_it_is_asked_for_and_nowhere_else(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    provider: str,
    built_in: list[str],
    loads_cuda: bool,
) -> None:
    import onnxruntime

    asked = []

    def preload_dlls() -> None:
        asked.append("CUDA")
        print("Failed to load libcublasLt.so.12: no such file\nPlease follow the guide.")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: built_in)
    monkeypatch.setattr(onnxruntime, "preload_dlls", preload_dlls, raising=False)
    path = small_onnx(tmp_path / "m.onnx")
    assert Classifier.open(path, provider=provider, allow_fallback=True).labels == ("dark", "bright")
    assert asked == ["CUDA"] * loads_cuda
    if loads_cuda:
        with pytest.raises(
            InputError, match=r"\(Failed to load libcublasLt.so.12: no such file\); 'edgecnn doctor' lo"
        ):
            Classifier.open(path, provider=provider)
    # Its words would stand in the middle of a command's answer.
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("built_in", [GPU_BUILD, GPU_BUILD[2:]])
def test_the_doctor_tries_a_provider_as_a_model_does(monkeypatch: pytest.MonkeyPatch, built_in: list[str]) -> None:
    import onnxruntime

    asked: list[str] = []
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: built_in)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: asked.append("CUDA"), raising=False)
    with pytest.warns(UserWarning, match="Specified provider") if len(built_in) > 1 else contextlib.nullcontext():
        names = backends_onnxruntime.probe()
    assert names == [*(f"{name} (built in, does not load)" for name in built_in[:-1]), "CPUExecutionProvider"]
    assert asked == ["CUDA"] * (len(built_in) > 1)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_an_onnx_runtime_that_cannot_load_cuda_finds_it_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: GPU_BUILD)
    monkeypatch.delattr(onnxruntime, "preload_dlls", raising=False)  # as before 1.21
    with pytest.raises(InputError, match=r"its libraries or its GPU are missing; 'edgecnn doctor' looks for them"):
        Classifier.open(small_onnx(tmp_path / "m.onnx"), provider="cuda")


def test_providers_and_delegates_belong_to_their_formats(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a model file \(\.onnx\), .*; LiteRT takes a --delegate"):
        Classifier.open(write_tflite(tmp_path / "m.tflite", ThirdParty()), provider="cuda", trusted=True)
    with pytest.raises(InputError, match=r"expected a model file \(\.tflite\), .*; ONNX Runtime takes a --provider"):
        Classifier.open(write_onnx(tmp_path / "m.onnx", ThirdParty()), delegates=["x.so"], trusted=True)


# The interface of external delegates, in C: it writes into the file of its option `log` when a model is prepared,
# takes no operator, and refuses where its option `device` is `gone`.
_DELEGATE = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef struct Delegate {
  void* data;
  int (*prepare)(void* context, struct Delegate* delegate);
  void *copy_from, *copy_to, *release;
  int64_t flags;
  void* builder;
} Delegate;
static int prepare(void* context, Delegate* delegate) {
  FILE* log = fopen((const char*)delegate->data, "a");
  if (log) { fputs("prepared\n", log); fclose(log); }
  return 0;
}
Delegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count, void (*report)(const char*)) {
  Delegate* delegate = calloc(1, sizeof(Delegate));
  delegate->prepare = prepare;
  delegate->data = strdup("/dev/null");
  for (size_t i = 0; i < count; ++i) {
    if (!strcmp(keys[i], "log")) delegate->data = strdup(values[i]);
    if (!strcmp(keys[i], "device") && !strcmp(values[i], "gone")) { report("no such device: gone"); return 0; }
  }
  return delegate;
}
void tflite_plugin_destroy_delegate(Delegate* delegate) { free(delegate); }
"""


@pytest.fixture(scope="module")
def delegate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delegate compiled here."""
    compiler = needs.program("gcc")
    folder = tmp_path_factory.mktemp("delegate")
    (folder / "delegate.c").write_text(_DELEGATE)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", folder / "libtiny.so", folder / "delegate.c"], check=True, timeout=120
    )
    return folder / "libtiny.so"


def test_a_delegate_is_loaded_and_asked(tmp_path: Path, delegate: Path) -> None:
    path, log = write_tflite(tmp_path / "m.tflite", ThirdParty()), tmp_path / "log"
    with_it = Classifier.open(path, delegates=[f"{delegate},log={log}"], scale="1/255", trusted=True)
    assert log.read_text().startswith("prepared\n")
    plain = Classifier.open(path, scale="1/255", trusted=True)
    assert np.array_equal(with_it.predict_proba(PIXELS), plain.predict_proba(PIXELS))
    # Each worker's interpreter has one of its own.
    before = log.stat().st_size
    Image.fromarray(PIXELS[0]).save(tmp_path / "image.png")
    (item,) = with_it.predict_many([tmp_path / "image.png"], workers=1)
    assert item.prediction is not None
    assert log.stat().st_size > before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{delegate},device=gone", "no such device: gone"),
        ("./missing.so", "cannot open shared object"),
        ("{folder}/text.so", "invalid ELF header|file too short"),
        ("libc.so.6", "undefined symbol: tflite_plugin_create_delegate"),
        ("", "LIBRARY or LIBRARY,key=value"),
        ("{delegate},device", "LIBRARY or LIBRARY,key=value"),
    ],
)
def test_a_delegate_that_cannot_be_used_is_an_error(tmp_path: Path, delegate: Path, text: str, message: str) -> None:
    (tmp_path / "text.so").write_text("no library, whatever it is called\n" * 9)
    path = write_tflite(tmp_path / "m.tflite", ThirdParty())
    with pytest.raises(InputError, match=message):
        Classifier.open(path, delegates=[text.format(delegate=delegate, folder=tmp_path)], trusted=True)


def test_a_delegate_is_read_from_text() -> None:
    assert Delegate.read("a.so, x = 1 ,y=2") == Delegate("a.so", {"x": "1", "y": "2"})


def test_tflite_runtime_stands_in_for_litert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_edge_litert import interpreter

    path = write_tflite(tmp_path / "m.tflite", ThirdParty())
    expected = Classifier.open(path, scale="1/255", trusted=True).predict_proba(PIXELS)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(MissingExtraError, match=r"edgecnn\[litert\].*pip install tflite-runtime"):
        Classifier.open(path, engine="litert", trusted=True)
    stand_in = ModuleType("tflite_runtime")
    stand_in.interpreter = interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tflite_runtime", stand_in)
    opened = Classifier.open(path, scale="1/255", trusted=True)
    assert opened.backend.name == "tflite-runtime"
    assert np.array_equal(opened.predict_proba(PIXELS), expected)


class _Company(FakeBackend):
    """Answers when as many as are expected infer at the same time; counts the interpreters that a batch opens."""

    def __init__(self, *, expected: int) -> None:
        super().__init__(input_shape=(4, 4, 1), classes=2)
        self.opened, self._together = 0, threading.Barrier(expected, timeout=60)

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._together.wait()
        return super().infer(pixels)

    def another(self) -> "FakeBackend":
        self.opened += 1
        return self


@pytest.mark.parametrize(("mode", "threads", "workers"), [("throughput", 1, 6), ("latency", 6, 1)])
def test_the_modes_share_out_the_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, threads: int, workers: int
) -> None:
    monkeypatch.setattr(classifier, "available_cpus", lambda: 6)
    assert classifier.threads_of(Mode(mode)) == threads
    backend = _Company(expected=workers)
    opened: list[int] = []

    def open_fake(model: ModelFile, *, threads: int, **_: object) -> FakeBackend:
        opened.append(threads)
        return backend

    manifest = Manifest("grey", ("dark", "bright"), InputSpec(4, 4, Colour.GREY), Scheme.FLOAT32)
    backend.manifest_json = manifest.to_json().encode()
    monkeypatch.setattr(classifier, "open_backend", open_fake)
    Image.new("L", (4, 4), 255).save(tmp_path / "image.png")
    ready = Classifier.open(small_onnx(tmp_path / "m.onnx"), mode=mode)
    items = list(ready.predict_many([tmp_path / "image.png"] * 6))
    assert [item.prediction.label for item in items if item.prediction] == ["bright"] * 6
    assert (opened, backend.opened) == ([threads], workers)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc"), True),
        (RuntimeError("bfc_arena.cc: Failed to allocate memory for requested buffer of size 268435456"), True),
        (RuntimeError("failed to allocate 1048576 bytes for subgraph"), True),
        (RuntimeError("bad allocation"), True),
        (RuntimeError("Cannot allocate memory"), True),
        (RuntimeError("Invoke called before the tensors are allocated"), False),
        (ValueError("Model provided has model identifier 'oops'"), False),
    ],
)
def test_what_engines_say_without_memory_is_told_from_other_errors(error: Exception, expected: bool) -> None:
    assert out_of_memory(error) is expected


@pytest.mark.parametrize("engine", ["litert", "onnxruntime", "openvino"])
def test_an_engine_without_memory_is_no_broken_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """Its error is a MemoryError, which costs one image and not the job."""
    needs.package({"litert": "ai_edge_litert"}.get(engine, engine))
    suffix = ".tflite" if engine == "litert" else ".onnx"
    classifier = Classifier.open(OWN[suffix](tmp_path / f"own{suffix}"), engine=engine)
    name, call = {
        "litert": ("_interpreter", "invoke"),
        "onnxruntime": ("_session", "run"),
        "openvino": ("_request", "infer"),
    }[engine]

    class NoMemory:
        def __init__(self, real: object) -> None:
            self._real = real

        def __getattr__(self, name: str) -> object:
            return self._fail if name == call else getattr(self._real, name)

        def _fail(self, *_: object, **__: object) -> None:
            raise RuntimeError("std::bad_alloc")

    monkeypatch.setattr(classifier.backend, name, NoMemory(getattr(classifier.backend, name)))
    with pytest.raises(MemoryError, match="bad_alloc"):
        classifier.predict_proba(np.zeros(classifier.backend.input_shape, np.uint8))
