"""Quantization-aware training: the network learns with the rounding of int8."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.quantization.keras import quant_ops
from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import (
    cluster_preserve_quantize_registry,
)
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
    default_8bit_quantize_configs,
    default_8bit_quantize_registry,
    default_8bit_quantize_scheme,
)
from tensorflow_model_optimization.python.core.quantization.keras.quantize_layer import QuantizeLayer

from edgecnn_export.optimized.flat_network import FlatNetwork
from edgecnn_export.optimized.plan import Plan
from edgecnn_export.optimized.tf_keras_process.fine_tuning import FineTuningData, TrainingArrays, fine_tune
from edgecnn_export.optimized.tf_keras_process.tf_keras_model import build_tf_keras_model
from edgecnn_export.optimized.trainable import (
    unchanged,
    with_fused_activations,
    with_softmax_head,
    without_dropout,
)
from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.errors import InputError

# Batches from which the ranges of the activations are measured before they are learnt.
_MEASURED_BATCHES = 8


def quantize(network: FlatNetwork, material: FineTuningData, plan: Plan) -> tuple[FlatNetwork, Accuracy, int]:
    """Train a network as int8 computes it.

    Ranges of activations are measured on training images first and learnt from there; tfmot would begin at -6…6 and
    need thousands of steps to forget that. Zeros and clusters of earlier steps stay.

    Returns:
        The network with the weights that came back, its accuracy on the validation images with the rounding, and the
        epoch that was best (0: ranges measured, nothing learnt). The ranges that were learnt with them stay behind:
        the exporter measures those of the new weights, as for every int8 file.

    Raises:
        InputError: a layer that the toolkit cannot quantize.
    """
    rewritten = unchanged(network).then(without_dropout).then(with_fused_activations).then(with_softmax_head)
    with _one_set_of_clusters_a_layer():
        trained = _quantized(rewritten.network, _training_scheme(plan))
    _measure_ranges(trained, material.training, plan)
    accuracy, epoch = fine_tune(trained, material, plan, step="qat")
    learnt = rewritten.network.with_weights(_weights_of(trained, rewritten.network))
    return network.with_weights(rewritten.way_back(learnt.weights)), accuracy, epoch


def _quantized(network: FlatNetwork, scheme: Any) -> Any:
    """Build the tf_keras model and put tfmot's rounding into it."""
    registry = scheme.get_quantize_registry()
    tf_keras_model = build_tf_keras_model(network)
    for layer in network.layers:
        front = next((front for front in network.layers if front.name in layer.inputs), None)
        behind_kernel = front is not None and front.kind in ("Conv2D", "DepthwiseConv2D", "Dense")
        if not registry.supports(tf_keras_model.get_layer(layer.name)) and not (
            layer.kind == "BatchNormalization" and behind_kernel
        ):
            raise InputError(
                f"{layer.name} ({layer.kind}): expected layers that tensorflow-model-optimization can quantize, got "
                "one that it cannot; export this model without --qat"
            )
    with warnings.catch_warnings(), tfmot.quantization.keras.quantize_scope():
        warnings.simplefilter("ignore")
        model = tfmot.quantization.keras.quantize_apply(
            tfmot.quantization.keras.quantize_annotate_model(tf_keras_model), scheme=scheme
        )
    (pixels,) = (layer for layer in model.layers if isinstance(layer, QuantizeLayer))
    # Whatever the images hold: the camera's byte is the quantized input, scale 1 and zero point 0.
    pixels.quantizer_vars["min_var"].assign(0.0)
    pixels.quantizer_vars["max_var"].assign(255.0)
    return model


def _training_scheme(plan: Plan) -> Any:
    """Return tfmot's scheme that keeps what was gained before: PQAT, CQAT or PCQAT, or the plain one."""
    combine = tfmot.experimental.combine
    if plan.optimization.clusters is not None:
        return _Scheme(
            combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=plan.optimization.sparsity is not None)
        )
    if plan.optimization.sparsity is not None:
        return _Scheme(combine.Default8BitPrunePreserveQuantizeScheme())
    return _Scheme(default_8bit_quantize_scheme.Default8BitQuantizeScheme())


class _Scheme(default_8bit_quantize_scheme.Default8BitQuantizeScheme):  # type: ignore[misc]
    """A scheme of tfmot, with those layers of our networks that it does not know."""

    def __init__(self, scheme: Any) -> None:
        self._scheme = scheme

    def get_quantize_registry(self) -> Any:
        return _Registry(self._scheme.get_quantize_registry())


class _Registry:
    """How each layer is quantized: as `registry` says, and some that it does not know not at all."""

    # Their outputs have the range of their inputs, or (a scaling in front) exactly the 256 values of the pixels.
    _AS_THEY_ARE = (tf_keras.layers.Rescaling, tf_keras.layers.Resizing)

    def __init__(self, registry: Any) -> None:
        self._registry = registry
        self._layers = default_8bit_quantize_registry.Default8BitQuantizeRegistry()

    def supports(self, layer: Any) -> bool:
        return isinstance(layer, self._AS_THEY_ARE) or bool(self._layers.supports(layer))

    def get_quantize_config(self, layer: Any) -> Any:
        if isinstance(layer, self._AS_THEY_ARE):
            return default_8bit_quantize_configs.NoOpQuantizeConfig()
        config = self._registry.get_quantize_config(layer)
        if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
            config = _DepthwiseConfig(config.weight_attrs, config.activation_attrs, config.quantize_output)
        return config


class _DepthwiseConfig(default_8bit_quantize_registry.Default8BitQuantizeConfig):  # type: ignore[misc]
    """Depthwise kernels with a scale per channel, as TFLite has them; tfmot gives them one for all."""

    def __init__(self, weight_attrs: list[str], activation_attrs: list[str], quantize_output: bool) -> None:
        super().__init__(weight_attrs, activation_attrs, quantize_output)
        self.weight_quantizer = _DepthwiseQuantizer()


class _DepthwiseQuantizer(tfmot.quantization.keras.quantizers.LastValueQuantizer):  # type: ignore[misc]
    """Rounds a kernel `(height, width, channels, multiplier)` with a scale for each of its last two axes' values."""

    def __init__(self) -> None:
        super().__init__(num_bits=8, per_axis=True, symmetric=True, narrow_range=True)

    def build(self, tensor_shape: Any, name: str, layer: Any) -> Any:
        """Make the variables of the ranges."""
        return super().build(tf.TensorShape([tensor_shape[-2] * tensor_shape[-1]]), name, layer)

    def __call__(self, inputs: Any, training: Any, weights: Any, **options: Any) -> Any:
        """Round `inputs`."""
        channels = inputs.shape[-2] * inputs.shape[-1]
        rounded = super().__call__(tf.reshape(inputs, (-1, channels)), training, weights, **options)
        return tf.reshape(rounded, inputs.shape)


def _measure_ranges(model: Any, images: TrainingArrays, plan: Plan) -> None:
    """Set the ranges of the activations to the mean of those of some batches, drawn from all images."""
    order = np.random.default_rng(plan.seed).permutation(images.positions)
    drawn = TrainingArrays(images.images, images.labels, order)
    norms = [variable for variable in model.variables if "moving_" in variable.name]
    before = [variable.numpy() for variable in norms]
    for batch in range(min(_MEASURED_BATCHES, -(-len(images) // plan.batch_size))):
        start = batch * plan.batch_size
        with _forgetting(batch / (batch + 1)):
            model(drawn.read(start, start + plan.batch_size)[0], training=True)
    for variable, value in zip(norms, before, strict=True):
        variable.assign(value)


@contextlib.contextmanager
def _one_set_of_clusters_a_layer() -> Iterator[None]:
    """Keep tfmot from taking a layer for clustered by channel, as it does where all channels use as many clusters.

    Each channel would then learn clusters of its own, and a float file would have `channels` times as many.
    """
    usual = cluster_preserve_quantize_registry.get_centroids

    def of_layer(layer: Any, weight: Any, data_format: str | None) -> tuple[Any, Any, Any, bool]:
        del layer, data_format
        centroids, places = cluster_preserve_quantize_registry.get_unique(weight)
        return centroids, tf.size(centroids), places, False

    cluster_preserve_quantize_registry.get_centroids = of_layer
    try:
        yield
    finally:
        cluster_preserve_quantize_registry.get_centroids = usual


@contextlib.contextmanager
def _forgetting(decay: float) -> Iterator[None]:
    """Let tfmot's moving averages of ranges keep `decay` of what they were; its quantizers fix this at 0.999."""
    usual = quant_ops.MovingAvgQuantize

    def faster(*arguments: Any, **options: Any) -> Any:
        return usual(*arguments, **{**options, "ema_decay": decay})

    quant_ops.MovingAvgQuantize = faster
    try:
        yield
    finally:
        quant_ops.MovingAvgQuantize = usual


def _weights_of(model: Any, network: FlatNetwork) -> dict[str, Any]:
    """Read the weights that the layers had before they were wrapped."""
    wrapped = {getattr(layer, "layer", layer).name: getattr(layer, "layer", layer) for layer in model.layers}
    values = {variable.name: variable.numpy() for variable in model.variables}
    tf_keras_model = build_tf_keras_model(network)
    return {
        name: tuple(values[variable.name] for variable in tf_keras_model.get_layer(name).weights)
        for name in network.weights
        if name in wrapped
    }
