"""One model file, looked into: its graph and what it says about itself."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edgecnn_export.containers import CONTAINERS, Container
from edgecnn_export.inspection.memory import Peak, peak_activations
from edgecnn_export.model_graph import FLOATS, FileMetadata, Graph, Operator
from edgecnn_runtime.backends.interface import TensorFacts
from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.manifest import Manifest
from edgecnn_runtime.model_formats import ModelFile, format_of, model_bytes
from edgecnn_runtime.third_party_models.given import Given
from edgecnn_runtime.third_party_models.image_layout import find_layout
from edgecnn_runtime.third_party_models.pixel_encoding import find_encoding
from edgecnn_runtime.third_party_models.pixel_ranges import PixelRangeError


@dataclass(frozen=True)
class InspectedModel:
    """A model file and everything that can be said of it without running it."""

    path: Path
    container: Container
    size: int  # bytes, of the files beside it that hold weights of it too
    graph: Graph
    manifest: Manifest | None = None
    metadata: FileMetadata | None = None
    manifest_problem: str | None = None  # why a manifest in the file cannot be read
    signed: bool = False  # by whom, only a key tells

    @cached_property
    def peak(self) -> Peak | None:
        """Where the activations of one image need most memory: an estimate, see `memory`."""
        return peak_activations(self.graph)

    @cached_property
    def float_operators(self) -> tuple[Operator, ...]:
        """The operators that compute on floating-point numbers."""
        graph = self.graph
        return tuple(
            operator
            for operator in graph.operators
            if operator.number not in graph.unpacking
            and any(tensor.dtype in FLOATS for tensor in graph.activations_of(operator))
        )

    @property
    def computes_in_float(self) -> bool:
        """Whether its products are float ones: not so where only the last layer or what is not a product is."""
        products = [operator for operator in self.graph.operators if operator.macs]
        inner = products[:-1] or products
        return any(not inner or operator in inner for operator in self.float_operators)

    @cached_property
    def pixels(self) -> str | None:
        """What a third-party file says of its pixels, or what has to be given; None of a file with a manifest."""
        tensors = [self.graph.tensors[number] for number in self.graph.inputs]
        if self.manifest is not None or self.manifest_problem is not None or len(tensors) != 1:
            return None
        (tensor,) = tensors
        scaled = tensor.quantization is not None and len(tensor.quantization.scales) == 1
        facts = TensorFacts(
            tensor.name,
            tensor.shape,
            tensor.dtype,
            scale=tensor.quantization.scales[0] if tensor.quantization and scaled else None,
            zero_point=tensor.quantization.zero_points[0] if tensor.quantization and scaled else 0,
        )
        given, file_format = Given(), self.container.format
        try:
            graph_facts = ModelFile.read(self.path).facts()
            layout = find_layout(
                facts,
                given,
                channels_first_by_default=file_format.channels_first,
                stated=graph_facts.metadata.imgsz,
            )
            encoding = find_encoding(facts, layout, given, graph_facts)
        except PixelRangeError as error:
            return str(error)
        except InputError:  # no image, which its targets need not mind
            return None
        return str(encoding.pixels_fact)


def inspect_model(path: Path) -> InspectedModel:
    """Read a model file, ours or anybody's.

    Raises:
        ModelError: missing, of another format or damaged.
        MissingExtraError: the package that reads this format is not installed.
    """
    if path.is_dir():
        raise ModelError(f"{path}: expected a model file, got a folder; name {_example(path)}")
    container = CONTAINERS[format_of(path).suffix]
    if not path.is_file():
        raise ModelError(f"{path}: not found; expected a model file")
    contents = container.read(path)
    manifest, problem = None, None
    if contents.manifest is not None:
        try:
            manifest = Manifest.from_json(contents.manifest)
        except ModelError as error:
            problem = str(error)
    return InspectedModel(
        path,
        container,
        model_bytes(path),
        contents.graph,
        manifest,
        contents.metadata,
        problem,
        ModelFile.read(path).is_signed,
    )


def _example(folder: Path) -> str:
    """Name a model file in a folder or in its `export`, where there is one."""
    for place in (folder, folder / "export"):
        for suffix in CONTAINERS:
            for file in sorted(place.glob(f"*{suffix}")):
                return f"a file such as {file}"
    return "a file in it"
