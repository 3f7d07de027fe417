"""What a classifier takes for granted about its model file, and who said so."""

import enum
from dataclasses import dataclass, fields

from edgecnn_runtime.image_fit import ImageFit, shown_colour, shown_resize
from edgecnn_runtime.manifest import InputSpec, Manifest


class Origin(enum.StrEnum):
    """Where a fact comes from."""

    MANIFEST = "manifest"  # of edgecnn, inside the file
    METADATA = "metadata"  # inside the file, of another tool: TFLite Metadata, ONNX's metadata_props
    MODEL = "model"  # the graph itself: shapes, types, operators
    CALLER = "caller"  # said when the file was opened
    ASSUMED = "assumed"  # neither the file nor the caller says it


@dataclass(frozen=True)
class Fact:
    """One fact in words, where it comes from and, where that is not plain, why."""

    value: str
    origin: Origin
    why: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.why})" if self.why else self.value


@dataclass(frozen=True, kw_only=True)
class Contract:
    """Everything between an image and a label that could have been otherwise.

    A file with a manifest of edgecnn leaves nothing open; of a third-party file, `assumed` lists what it does.
    """

    labels: Fact
    size: Fact  # height x width
    layout: Fact  # of the input tensor
    colour: Fact
    pixels: Fact  # what becomes of 0…255
    resize: Fact
    interpolation: Fact  # the filter of the resizing
    background: Fact  # what shows through transparent pixels and around padded images
    output: Fact  # logits or probabilities

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> "Contract":
        """Say what holds for a file that edgecnn exported."""
        spec = manifest.input

        def told(value: str) -> Fact:
            return Fact(value, Origin.MANIFEST)

        return cls(
            labels=told(f"{len(manifest.labels)} labels"),
            size=told(f"{spec.height}x{spec.width}"),
            layout=told("NHWC, channels last"),
            colour=told(spec.colour.value),
            pixels=told("0…255; scaled inside the model"),
            resize=told(shown_resize(spec)),
            interpolation=told(spec.interpolation.value),
            background=told(shown_colour(spec.background)),
            output=told("probabilities"),
        )

    def said_fit(self, spec: InputSpec) -> ImageFit:
        """Return what of the input's policy is not assumed: of a third-party file, what the caller or it says."""
        names = ("resize", "interpolation", "background")
        said = {name: getattr(spec, name) for name in names if self.facts[name].origin is not Origin.ASSUMED}
        return ImageFit(**said, resize_size=spec.resize_size)

    @property
    def assumed(self) -> tuple[str, ...]:
        """What neither the file nor the caller says, in sentences."""
        return tuple(f"{name}: {fact}" for name, fact in self.facts.items() if fact.origin is Origin.ASSUMED)

    @property
    def facts(self) -> dict[str, Fact]:
        """The facts by name, in the order of the work."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
