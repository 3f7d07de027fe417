import hashlib
import io
import json
import struct
import zlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edgecnn_runtime import preprocess, resampling
from edgecnn_runtime.errors import ImageError
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.image_files import MAX_SIDE
from edgecnn_runtime.json_dataclasses import read_dataclass
from edgecnn_runtime.manifest import Colour, Decode, InputSpec, Interpolation, Resize
from edgecnn_runtime.preprocess import read_image
from edgecnn_runtime.resampling import resample

# 3 rows, 2 columns, every pixel another.
PICTURE = np.arange(10, 28, dtype=np.uint8).reshape(3, 2, 3) * 9
RGB_3x2 = InputSpec(3, 2, Colour.RGB)
GREY_4x4 = InputSpec(4, 4, Colour.GREY)


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "png")
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["path", "string", "bytes", "pillow", "array"])
def test_every_kind_of_source_gives_the_same_pixels(tmp_path: Path, kind: str) -> None:
    image = Image.fromarray(PICTURE)
    path = tmp_path / "picture.png"
    image.save(path)
    source = {"path": path, "string": str(path), "bytes": path.read_bytes(), "pillow": image, "array": PICTURE}[kind]
    pixels = read_image(source, RGB_3x2)  # type: ignore[arg-type]
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, PICTURE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_followed(orientation: int) -> None:
    # The inverse of each of the eight orientations of the EXIF standard, table 6 of CIPA DC-008.
    stored = {
        1: PICTURE,
        2: PICTURE[:, ::-1],
        3: PICTURE[::-1, ::-1],
        4: PICTURE[::-1],
        5: PICTURE.transpose(1, 0, 2),
        6: np.rot90(PICTURE, 1),
        7: PICTURE[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(PICTURE, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(stored)).save(stream, "png", exif=exif)
    assert np.array_equal(read_image(stream.getvalue(), RGB_3x2), PICTURE)


def _sixteen_bit() -> bytes:
    return _png(Image.fromarray(np.full((4, 4), 0x80FF, np.uint16)))


def _palette_with_transparency() -> bytes:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([200, 200, 200])
    stream = io.BytesIO()
    image.save(stream, "png", transparency=0)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (_png(Image.new("1", (4, 4), 1)), 255),
        (_png(Image.new("L", (4, 4), 77)), 77),
        (_png(Image.new("LA", (4, 4), (0, 0))), 255),  # transparent: the background, white
        (_png(Image.new("RGBA", (4, 4), (0, 0, 0, 255))), 0),  # opaque
        (_png(Image.new("RGBA", (4, 4), (0, 0, 0, 127))), 128),  # half of it
        (_palette_with_transparency(), 255),
        (_sixteen_bit(), 0x80),
        (np.full((4, 4), 9, np.uint8), 9),
        (np.full((4, 4, 4), (0, 0, 0, 0), np.uint8), 255),
        (np.full((2, 7, 3), (90, 90, 90), np.uint8), 90),
        (Image.new("CMYK", (4, 4), (0, 0, 0, 0)), 255),
    ],
)
def test_every_mode_becomes_eight_bit_grey(source: bytes | NDArray[np.uint8], expected: int) -> None:
    assert np.array_equal(read_image(source, GREY_4x4), np.full((4, 4, 1), expected))


# The first 16 digits of the SHA-256 of the bytes. Pillow resizes in integer arithmetic, so a CPU must not matter.
GOLDEN_RESIZE = {
    (Resize.SQUASH, Colour.GREY): "5e4ede3707e1980f",
    (Resize.SQUASH, Colour.RGB): "381e944d90bb8742",
    (Resize.CROP, Colour.GREY): "785e0785b334034f",
    (Resize.CROP, Colour.RGB): "1ab4a9792d2ddb84",
    (Resize.PAD, Colour.GREY): "52d0f3a0e9184a1d",
    (Resize.PAD, Colour.RGB): "5413f576cde9df96",
}


@pytest.mark.parametrize(("policy", "colour"), GOLDEN_RESIZE)
def test_resizing_gives_the_golden_bytes(policy: Resize, colour: Colour) -> None:
    noise = golden_images(InputSpec(61, 97, Colour.RGB))[0]
    pixels = read_image(noise, InputSpec(32, 24, colour, policy))
    assert pixels.shape == (32, 24, 1 if colour is Colour.GREY else 3)
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == GOLDEN_RESIZE[policy, colour]


@pytest.mark.parametrize(
    ("policy", "edge", "middle"),
    # A wide picture, black left and right, white in the middle half, brought to a square.
    [(Resize.SQUASH, 0, 255), (Resize.CROP, 255, 255), (Resize.PAD, 7, 255)],
)
def test_the_policies_do_what_they_say(policy: Resize, edge: int, middle: int) -> None:
    picture = np.zeros((20, 60), np.uint8)
    picture[:, 15:45] = 255
    pixels = read_image(picture, InputSpec(30, 30, Colour.GREY, policy, background=(7, 7, 7)))
    assert pixels[15, 15, 0] == middle
    assert pixels[0, 0, 0] == edge


# By the function of TensorFlow, the filter that does the same.
OF_TENSORFLOW = {
    "bilinear": Interpolation.BILINEAR_NO_ANTIALIAS,
    "nearest": Interpolation.NEAREST,
    "area": Interpolation.AREA,
}


@pytest.mark.parametrize("method", OF_TENSORFLOW)
def test_the_filters_without_antialiasing_are_those_of_tensorflow(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tf.image.resize`, which Keras' loaders and its layer Resizing call, for sizes up, down and to one pixel."""
    tensorflow = needs.package("tensorflow")
    generator = np.random.default_rng(0)
    for size in ((61, 97), (5, 7), (300, 20), (1, 1), (24, 24)):
        picture = generator.integers(0, 256, (*size, 3), np.uint8)
        for height, width in ((24, 24), (7, 33), (1, 1), (150, 61)):
            spec = InputSpec(height, width, Colour.RGB, interpolation=OF_TENSORFLOW[method])
            expected = tensorflow.image.resize(picture, (height, width), method=method).numpy().astype(np.float64)
            found = read_image(picture, spec)
            # Rounded; TensorFlow computes in float32, of which the areas lose most.
            assert np.abs(found - expected).max() < 0.505
            with monkeypatch.context() as patch:
                patch.setattr(resampling, "_STRIP_PIXELS", 500)
                assert np.array_equal(read_image(picture, spec), found)


@pytest.mark.parametrize(
    ("interpolation", "pixels", "expected"),
    # By hand. Middles of 2 outputs of 5 pixels: 0.75 and 3.25; of 4 of 2: -0.25, 0.25, 0.75, 1.25.
    [
        (Interpolation.NEAREST, [10, 20, 30, 40, 60], [20, 40]),
        (Interpolation.BILINEAR_NO_ANTIALIAS, [10, 20, 30, 40, 60], [18, 45]),  # 17.5 and 45, a half to the even one
        (Interpolation.AREA, [10, 20, 30, 40, 60], [18, 46]),  # (10 + 20 + 30 / 2) / 2.5, (30 / 2 + 40 + 60) / 2.5
        (Interpolation.NEAREST, [0, 100], [0, 0, 100, 100]),
        (Interpolation.BILINEAR_NO_ANTIALIAS, [0, 100], [0, 25, 75, 100]),
        (Interpolation.AREA, [0, 100], [0, 0, 100, 100]),
    ],
)
def test_the_filters_do_what_their_names_say(
    interpolation: Interpolation, pixels: list[int], expected: list[int]
) -> None:
    row = np.array([pixels], np.uint8)
    spec = InputSpec(1, len(expected), Colour.GREY, interpolation=interpolation)
    assert read_image(row, spec).ravel().tolist() == expected
    turned = read_image(np.ascontiguousarray(row.T), replace(spec, height=len(expected), width=1))
    assert turned.ravel().tolist() == expected


@pytest.mark.parametrize("interpolation", [Interpolation.BILINEAR, Interpolation.BICUBIC])
@pytest.mark.parametrize("size", [(61, 97), (120, 40), (33, 33), (500, 20)])
def test_a_resize_before_the_crop_is_that_of_torchvision(
    interpolation: Interpolation, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Resize(40)`, `CenterCrop((32, 24))`: the longer side is rounded down, where the crop begins to the even one."""
    height, width = size
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8))
    method = Image.Resampling.BICUBIC if interpolation is Interpolation.BICUBIC else Image.Resampling.BILINEAR
    wide, high = (int(40 * width / height), 40) if height <= width else (40, int(40 * height / width))
    left, top = round((wide - 24) / 2.0), round((high - 32) / 2.0)
    expected = np.asarray(image.resize((wide, high), method).crop((left, top, left + 24, top + 32)))
    spec = InputSpec(32, 24, Colour.RGB, Resize.CROP, interpolation=interpolation, resize_size=40)
    assert np.array_equal(read_image(image, spec), expected)
    monkeypatch.setattr(preprocess, "_WHOLE_PIXELS", 1)
    # Nearly: Pillow rounds where the crop begins, and may begin with the other axis.
    assert np.abs(read_image(image, spec).astype(int) - expected).mean() < 0.5


@pytest.mark.parametrize("interpolation", OF_TENSORFLOW.values())
def test_a_part_of_a_resized_image_is_that_part(interpolation: Interpolation) -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (61, 97, 3), np.uint8))
    whole = resample(image, (63, 40), interpolation)
    spec = InputSpec(32, 24, Colour.RGB, Resize.CROP, interpolation=interpolation, resize_size=40)
    assert np.array_equal(read_image(image, spec), whole[4:36, 20:44])


@pytest.mark.parametrize("shape", [(2, 10_000), (10_000, 2)])
@pytest.mark.parametrize("interpolation", list(Interpolation))
def test_a_strip_costs_no_more_memory_than_its_crop(
    interpolation: Interpolation, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its shorter side resized to 256, it would have 1,280,000 pixels on the longer."""
    made: list[int] = []
    resize = Image.Image.resize
    monkeypatch.setattr(
        Image.Image,
        "resize",
        lambda image, size, *a, **k: made.append(size[0] * size[1]) or resize(image, size, *a, **k),
    )
    spec = InputSpec(224, 224, Colour.GREY, Resize.CROP, interpolation=interpolation, resize_size=256)
    assert np.array_equal(read_image(np.full(shape, 90, np.uint8), spec), np.full((224, 224, 1), 90))
    assert max(made, default=0) < 1 << 24


@pytest.mark.parametrize("interpolation", list(Interpolation))
def test_crop_and_pad_keep_the_proportions_with_every_filter(interpolation: Interpolation) -> None:
    picture = np.zeros((20, 60), np.uint8)
    picture[:, 20:40] = 255
    spec = InputSpec(30, 30, Colour.GREY, Resize.CROP, (7, 7, 7), interpolation=interpolation)
    # Pillow lets its filters look beyond the crop.
    assert np.array_equal(read_image(picture, spec)[:, 2:-2], np.full((30, 26, 1), 255))
    padded = read_image(picture, replace(spec, resize=Resize.PAD))
    assert np.unique(padded[[*range(10), *range(20, 30)]]).tolist() == [7]
    assert np.array_equal(padded[10:20, 12:18], np.full((10, 6, 1), 255))
    assert padded[10:20, :8].max() == 0


def _bomb() -> bytes:
    """A PNG that claims 60,000 x 60,000 pixels in 70 bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


WHOLE = _png(Image.fromarray(np.arange(4096, dtype=np.uint32).reshape(64, 64).astype(np.uint8)))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "whole JPEG, PNG"),
        (b"<html>not found</html>", "whole JPEG, PNG"),
        (WHOLE[:60], "whole JPEG, PNG"),
        (WHOLE[: len(WHOLE) // 2], "truncated"),
        (_bomb(), "at most 200,000,000 pixels, got 60000 x 60000 pixels"),
        (np.zeros((4, 4), np.float32), "expected uint8 pixels 0…255, got float32"),
        (np.zeros((4, 4, 1), np.float32), "expected uint8 pixels 0…255, got float32"),  # the input's own shape
        (Image.fromarray(np.full((4, 4), -1, np.int32)), "image: expected "),
        (np.zeros((4, 4, 2), np.uint8), r"got \(4, 4, 2\)"),
        (np.zeros((0, 4), np.uint8), r"got \(0, 4\)"),
        (np.zeros(4, np.uint8), r"got \(4,\)"),
        (np.zeros((2, MAX_SIDE + 1), np.uint8), f"image array: .* pixels per side, got {MAX_SIDE + 1} x 2 pixels"),
        (np.zeros((MAX_SIDE + 1, 2), np.uint8), f"image array: .* pixels per side, got 2 x {MAX_SIDE + 1} pixels"),
        (Image.new("F", (4, 4)), "32-bit values"),
    ],
)
def test_what_is_no_image_is_an_image_error(source: bytes | NDArray[np.uint8], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        read_image(source, GREY_4x4)


@pytest.mark.parametrize(("name", "message"), [("missing.png", "not found"), ("folder.png", "got a folder")])
def test_a_path_that_cannot_be_read_is_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageError, match=f"{name}: .*{message}"):
        read_image(tmp_path / name, GREY_4x4)


def test_a_caller_may_allow_less() -> None:
    assert read_image(WHOLE, GREY_4x4, max_pixels=4096).shape == (4, 4, 1)
    with pytest.raises(ImageError, match="an image of at most 4,095 pixels, got 64 x 64 pixels"):
        read_image(WHOLE, GREY_4x4, max_pixels=4095)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
@pytest.mark.parametrize("colour", list(Colour))
def test_what_is_laid_on_the_background_in_strips_is_as_if_it_were_in_one(
    mode: str, colour: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (61, 97, 4), np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    spec = InputSpec(61, 97, colour, background=(10, 200, 30))
    whole = read_image(image, spec)
    monkeypatch.setattr(preprocess, "_STRIP_PIXELS", 1000)
    assert np.array_equal(read_image(image, spec), whole)
    ground = Image.new("RGBA", image.size, (10, 200, 30, 255))
    expected = Image.alpha_composite(ground, image.convert("RGBA")).convert("L" if spec.channels == 1 else "RGB")
    assert np.array_equal(whole.squeeze(), np.asarray(expected))


def _photo(width: int, height: int, *, orientation: int = 1) -> bytes:
    """A JPEG with shapes and noise, as a camera would give it."""
    generator = np.random.default_rng(3)
    coarse = Image.fromarray(generator.integers(0, 256, (9, 12, 3), np.uint8)).resize((width, height))
    noisy = np.asarray(coarse, np.int16) + generator.integers(-9, 10, (height, width, 3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(stream, "jpeg", quality=90, exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("policy", list(Resize))
@pytest.mark.parametrize("colour", list(Colour))
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_photo_decoded_at_a_fraction_gives_nearly_the_same_pixels(
    policy: Resize, colour: Colour, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = _photo(1600, 1200, orientation=orientation)
    full = InputSpec(96, 128, colour, policy)
    decoded: list[tuple[int, int]] = []
    fit = preprocess._fit
    monkeypatch.setattr(preprocess, "_fit", lambda image, spec: decoded.append(image.size) or fit(image, spec))
    expected = read_image(photo, full).astype(int)
    found = read_image(photo, replace(full, decode=Decode.SCALED)).astype(int)
    assert decoded == [(1600, 1200), (400, 300)]
    assert np.abs(found - expected).mean() < 1
    assert np.abs(found - expected).max() < 16


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"interpolation": Interpolation.AREA}, (400, 300)),
        ({"interpolation": Interpolation.BICUBIC}, (400, 300)),
        # Twice the shorter side that the crop is taken of.
        ({"resize": Resize.CROP, "resize_size": 250}, (800, 600)),
    ],
)
def test_a_large_photo_is_decoded_as_the_policy_permits(
    changes: dict[str, Any], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[tuple[int, int]] = []
    fit = preprocess._fit
    monkeypatch.setattr(preprocess, "_fit", lambda image, spec: decoded.append(image.size) or fit(image, spec))
    read_image(_photo(1600, 1200), replace(InputSpec(96, 128, Colour.RGB, decode=Decode.SCALED), **changes))
    assert decoded == [size]


@pytest.mark.parametrize(
    ("source", "spec"),
    [
        # Half the photo would be less than twice the input.
        (_photo(380, 400), InputSpec(96, 96, Colour.RGB)),
        (_png(Image.new("RGB", (900, 900), (9, 90, 200))), InputSpec(64, 64, Colour.RGB)),
        (PICTURE, InputSpec(32, 32, Colour.GREY)),
    ],
)
def test_what_is_not_much_larger_than_the_input_or_no_jpeg_stays_the_same_to_the_byte(
    source: bytes | NDArray[np.uint8], spec: InputSpec
) -> None:
    assert np.array_equal(read_image(source, spec), read_image(source, replace(spec, decode=Decode.SCALED)))


def test_the_decoding_is_told_and_is_full_where_nothing_is() -> None:
    spec = InputSpec(8, 8, Colour.RGB, decode=Decode.SCALED)
    document = json.loads(json.dumps(asdict(spec)))
    assert read_dataclass(InputSpec, document, name="input") == spec
    del document["decode"]
    assert read_dataclass(InputSpec, document, name="input") == InputSpec(8, 8, Colour.RGB)


def _encoded(kind: str, pixels: NDArray[np.uint16]) -> bytes:
    """Encode 16-bit values `(H, W)` or `(H, W, 3)`, which Pillow writes in grey only."""
    height, width = pixels.shape[:2]
    big = pixels.astype(">u2").tobytes()
    if kind == "png":
        header = struct.pack(">IIBBBBB", width, height, 16, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
        packed = (struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
                  for name, data in chunks)  # fmt: skip
        return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
    if kind == "pnm":
        return f"P{5 if pixels.ndim == 2 else 6} {width} {height} 65535\n".encode() + big
    return _tiff(
        pixels.astype("<u2").tobytes(), bits=16, size=(width, height), photometric=1 if pixels.ndim == 2 else 2
    )


def _tiff(content: bytes, *, bits: int, size: tuple[int, int], photometric: int) -> bytes:
    samples = 3 if photometric == 2 else 1
    behind = 8 + len(content)
    depths = struct.pack("<3H", bits, bits, bits) + bytes(2)
    # Width, height, bits, compression, what white is, place, samples, rows, bytes.
    tags = {256: size[0], 257: size[1], 258: bits, 259: 1, 262: photometric, 273: 8, 277: samples, 278: size[1],
            279: len(content)}  # fmt: skip
    entries = b"".join(
        struct.pack("<HHII", tag, 3, 3, behind)
        if tag == 258 and samples == 3
        else struct.pack("<HHII", tag, 4, 1, value)
        for tag, value in tags.items()
    )
    return b"II*\0" + struct.pack("<I", behind + 8) + content + depths + struct.pack("<H", 9) + entries + bytes(4)


# By the largest value of an image of 16 bits: what is left of it, or None where that is not known.
DEEP = {65535: 255, 60000: 234, 4096: 16, 4095: None, 1023: None, 255: None, 200: None}


@pytest.mark.parametrize("highest", DEEP)
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("kind", ["png", "tiff", "pnm", "pillow I", "pillow I;16B"])
def test_sixteen_bits_are_read_where_it_is_known_what_is_white(kind: str, colour: bool, highest: int) -> None:
    values = np.full((4, 4, 3) if colour else (4, 4), highest, np.uint16)
    if kind.startswith("pillow"):
        if colour:
            return
        source = Image.fromarray(values.astype(np.int32 if kind == "pillow I" else ">u2"))
        assert source.mode == kind.removeprefix("pillow ")
    else:
        source = _encoded(kind, values)
    expected = DEEP[highest]
    # Pillow scales the three channels of a PPM, rather than to take the high bytes.
    if kind == "pnm" and colour and highest in (60000, 4095):
        expected = {60000: 233, 4095: 16}[highest]
    if expected is None:
        with pytest.raises(ImageError, match="expected 16-bit values with white near 65,535, got none above"):
            read_image(source, GREY_4x4)
    else:
        assert read_image(source, GREY_4x4).tolist() == np.full((4, 4, 1), expected).tolist()


@pytest.mark.parametrize("kind", ["png", "tiff", "pnm"])
def test_black_is_black_in_sixteen_bits_of_grey(kind: str) -> None:
    assert read_image(_encoded(kind, np.zeros((4, 4), np.uint16)), GREY_4x4).max() == 0


OTHER_DEPTHS = {
    "12 bits, packed": (_tiff(bytes([0xF0, 0x0F, 0x00]), bits=12, size=(2, 1), photometric=1), [0xF0, 0xF0]),
    "12 bits, dark": (_tiff(bytes([0x08, 0x00, 0x80]), bits=12, size=(2, 1), photometric=1), [8, 8]),
    "white is zero": (_tiff(struct.pack("<2H", 0, 0xFFFF), bits=16, size=(2, 1), photometric=0), [255, 0]),
    "maxval 1023": (b"P5 2 1 1023\n" + struct.pack(">2H", 1023, 0), [255, 0]),
}


@pytest.mark.parametrize("case", OTHER_DEPTHS)
def test_what_a_file_says_of_its_depth_is_followed(case: str) -> None:
    content, expected = OTHER_DEPTHS[case]
    assert read_image(content, InputSpec(1, 2, Colour.GREY)).ravel().tolist() == expected


@pytest.mark.parametrize("value", [0.5, 200.0, -1, 70000])
def test_values_of_32_bits_are_refused_with_their_range(value: float) -> None:
    image = Image.fromarray(np.full((4, 4), value, np.float32 if isinstance(value, float) else np.int32))
    with pytest.raises(ImageError, match=f"got 32-bit values \\({value:g}…{value:g}\\); save it with 8 bits"):
        read_image(image, GREY_4x4)


def _cut() -> Image.Image:
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(whole, "jpeg")
    return Image.open(io.BytesIO(whole.getvalue()[:-500]))


def _closed() -> Image.Image:
    image = Image.open(io.BytesIO(_png(Image.new("RGB", (4, 4)))))
    image.close()
    return image


NO_IMAGES = {
    "None": (lambda: None, "expected a path, the bytes of an image file, a Pillow image or an array .*, got NoneType"),
    "a number": (lambda: 3, "got int"),
    "a list": (lambda: [[1, 2], [3, 4]], "got list"),
    "a stream": (lambda: io.BytesIO(b"x"), "got BytesIO"),
    "a bytearray": (lambda: bytearray(b"x"), "got bytearray"),
    "no bytes": (lambda: b"", "got no bytes"),
    "an empty crop": (lambda: Image.new("L", (9, 9)).crop((5, 5, 5, 9)), "with pixels, got 0 x 4 pixels"),
    "a file cut short": (_cut, "expected a whole Pillow image, .* truncated"),
    "a closed file": (_closed, "expected a whole Pillow image, still open"),
    "a name that no file can have": (lambda: "a\0b", "null"),
}


@pytest.mark.parametrize("case", NO_IMAGES)
def test_whatever_else_comes_is_an_image_error(case: str) -> None:
    make, message = NO_IMAGES[case]
    with pytest.raises(ImageError, match=message):
        read_image(make(), GREY_4x4)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(20_000, 10), (1, 5000), (4000, 1)])
def test_what_is_thinner_than_a_pixel_stays_one_between_the_background(size: tuple[int, int]) -> None:
    pixels = read_image(Image.new("L", size, 30), InputSpec(28, 28, Colour.GREY, Resize.PAD))
    assert np.count_nonzero(pixels == 30) == 28
    assert np.count_nonzero(pixels == 255) == 27 * 28


@pytest.mark.parametrize("size", [(37, 21), (21, 37), (5, 5), (300, 299), (28, 56), (55, 100)])
def test_padding_is_that_of_pillow(size: tuple[int, int]) -> None:
    image = Image.effect_noise(size, 90)
    padded = ImageOps.pad(image, (28, 20), Image.Resampling.BILINEAR, color=255)
    assert np.array_equal(read_image(image, InputSpec(20, 28, Colour.GREY, Resize.PAD))[..., 0], np.asarray(padded))


@pytest.mark.parametrize(("height", "width"), [(28, 56), (56, 28), (56, 56), (28, 28)])
def test_height_and_width_are_not_taken_for_one_another(height: int, width: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    pixels = read_image(noise, InputSpec(56, 28, Colour.GREY))
    expected = Image.fromarray(noise).resize((28, 56), Image.Resampling.BILINEAR)
    assert np.array_equal(pixels[..., 0], np.asarray(expected))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBa"])
@pytest.mark.parametrize("background", [(0, 0, 0), (9, 9, 9), (255, 255, 255)])
def test_what_is_transparent_shows_the_background(mode: str, background: tuple[int, int, int]) -> None:
    clear = Image.new("RGBA" if mode.startswith("RGB") else "LA", (4, 4), 0).convert(mode)
    for colour in Colour:
        assert (read_image(clear, InputSpec(4, 4, colour, background=background)) == background[0]).all()


@pytest.mark.parametrize(("height", "width"), [(40, 250), (250, 40)])
def test_a_photo_is_decoded_large_enough_for_the_longer_side(
    height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EXIF may turn it, so that either side may be the longer one: 1600 x 1200 at half, not at an eighth."""
    decoded: list[tuple[int, int]] = []
    fit = preprocess._fit
    monkeypatch.setattr(preprocess, "_fit", lambda image, spec: decoded.append(image.size) or fit(image, spec))
    read_image(_photo(1600, 1200), InputSpec(height, width, Colour.RGB, decode=Decode.SCALED))
    assert decoded == [(800, 600)]


MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK")


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    target=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    mode=st.sampled_from(MODES),
    orientation=st.integers(1, 8),
    colour=st.sampled_from(Colour),
    policy=st.sampled_from(Resize),
    background=st.tuples(*[st.integers(0, 255)] * 3),
    seed=st.integers(0, 2**16),
)
def test_any_picture_is_read_as_pillow_does_it_step_by_step(
    size: tuple[int, int],
    target: tuple[int, int],
    mode: str,
    orientation: int,
    colour: Colour,
    policy: Resize,
    background: tuple[int, int, int],
    seed: int,
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 4), np.uint8)
    image = Image.fromarray(pixels).convert("RGB" if mode in ("1", "P", "CMYK") else mode).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    image.save(stream, "tiff" if mode == "CMYK" else "png", exif=exif)
    height, width = target

    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(stream.getvalue()))) or image
    if mode in ("LA", "RGBA"):
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, (*background, 255)), upright.convert("RGBA"))
    upright = upright.convert("L" if colour is Colour.GREY else "RGB")
    if policy is Resize.SQUASH or upright.size == (width, height):
        fitted = upright.resize((width, height), Image.Resampling.BILINEAR)
    elif policy is Resize.CROP:
        fitted = ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR)
    else:
        # Of a narrow strip Pillow leaves nothing, we a line.
        assume(min(ImageOps.contain(upright, (width, height)).size) > 0)
        border = Image.new("RGB", (1, 1), background).convert(upright.mode).getpixel((0, 0))
        fitted = ImageOps.pad(upright, (width, height), Image.Resampling.BILINEAR, color=border)  # type: ignore[arg-type]
    spec = InputSpec(height, width, colour, policy, background)
    found = read_image(stream.getvalue(), spec)
    assert found.shape == spec.shape
    assert found.dtype == np.uint8
    assert np.array_equal(found.reshape(np.asarray(fitted).shape), np.asarray(fitted))
