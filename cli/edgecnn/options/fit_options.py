"""The options that say how an image is brought to the size of an input, where no manifest says it."""

from typing import Annotated

from edgecnn.options.option_group import option

ResizeOption = Annotated[
    str | None, option("squash|crop|pad", "Way to fit images to the input, where no manifest says it; default: squash.")
]
ResizeSizeOption = Annotated[
    int | None,
    option("N", "Pixels to which the shorter side is resized before --resize crop, as 256 for a crop of 224."),
]
InterpolationOption = Annotated[
    str | None,
    option(
        "NAME",
        "Filter of the resizing: bilinear and bicubic (antialiased, as Pillow and torchvision), bilinear-no-antialias "
        "(as Keras' loaders, tf.image.resize and TFLite), nearest or area; default: bilinear.",
    ),
]
BackgroundOption = Annotated[
    str | None,
    option("COLOUR", "Colour of transparent pixels and padding: white, #727272 or 114,114,114; default: white."),
]
