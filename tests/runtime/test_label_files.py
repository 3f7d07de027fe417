"""Lists of labels as the tools of the field write them: read in the order of the outputs, or refused by their name."""

import json
from pathlib import Path

import pytest

from edgecnn_runtime import InputError
from edgecnn_runtime.label_files import labels_of_properties, parse_labels
from edgecnn_runtime.labels import label_lines, read_labels

RGB = ("red", "green", "blue")

# Each of them is the list red, green, blue.
READ: dict[str, str | bytes] = {
    "plain.txt": "red\ngreen\nblue",
    "blank lines.txt": "\nred\n\ngreen\nblue\n\n\n",
    "comments.txt": "# my labels\n#\nred\ngreen\n# the last\nblue\n",
    "windows.txt": b"\xef\xbb\xbfred\r\ngreen\r\nblue\r\n\r\n",
    "utf16.txt": "red\ngreen\nblue\n".encode("utf-16"),
    "utf16be.txt": b"\xfe\xff" + "red\ngreen\nblue\n".encode("utf-16-be"),
    "one line.txt": "red, green, blue",
    "teachable machine.txt": "0 red\n1 green\n2 blue",
    "pycoral.txt": "2  blue\n0  red\n1  green\n",
    "colon.txt": "0: red\n1: green\n2: blue",
    "points.txt": "0. red\n1. green\n2. blue",
    "brackets.txt": "0) red\n1) green\n2) blue",
    "dashes.txt": "0 - red\n1 - green\n2 - blue",
    "padded.txt": "000 red\n001 green\n002 blue",
    "from one.txt": "1 red\n3 blue\n2 green",
    "behind.txt": "blue 2\nred 0\ngreen 1",
    "comma.txt": "red,0\nblue,2\ngreen,1",
    "table.csv": "id,label\n1,green\n0,red\n2,blue\n",
    "table behind.csv": "name,index\ngreen,1\nred,0\nblue,2\n",
    "quoted.csv": 'id,label\n0,"red"\n1,"green"\n2,"blue"\n',
    "audio set.csv": "index,mid,display_name\n0,/m/1,red\n1,/m/2,green\n2,/m/3,blue\n",
    "no header.csv": "0,red\n1,green\n2,blue\n",
    "one column.csv": "label\nred\ngreen\nblue\n",
    "semicolons.csv": "id;label\n0;red\n1;green\n2;blue\n",
    "tabs.tsv": "0\tred\n1\tgreen\n2\tblue\n",
    "synsets.txt": "n01440764 red\nn01443537 green\nn01484850 blue",
    "numbered synsets.txt": "0 n01440764 red\n1 n01443537 green\n2 n01484850 blue",
    "list.json": '["red", "green", "blue"]',
    "list over lines.txt": '[\n  "red",\n  "green",\n  "blue"\n]\n',
    "id2label.json": '{"2": "blue", "0": "red", "1": "green"}',
    "config.json": '{"model_type": "vit", "id2label": {"0": "red", "1": "green", "2": "blue"}, "label2id": {"red": 0}}',
    "label2id.json": '{"label2id": {"blue": "2", "green": "1", "red": "0"}}',
    "class_indices.json": '{"blue": 2, "green": 1, "red": 0}',
    "imagenet_class_index.json": '{"0": ["n1", "red"], "1": ["n2", "green"], "2": ["n3", "blue"]}',
    "categories.json": '[{"id": 1, "name": "green"}, {"id": 0, "name": "red"}, {"id": 2, "name": "blue"}]',
    "timm.json": '{"architecture": "x", "num_classes": 3, "label_names": ["red", "green", "blue"]}',
    "python.txt": "{0: 'red',\n 1: 'green',\n 2: 'blue'}",
    "data.yaml": "path: sets/colours\ntrain: images\nnames:\n  0: red\n  1: green  # as grass\n  2: 'blue'\nnc: 3\n",
    "list.yaml": 'names:\n- red\n- green\n- "blue"\nval: images\n',
    "flow.yaml": "nc: 3\nnames: [red, 'green', \"blue\"]\n",
    "flow over lines.yml": "names: ['red', 'green',\n        'blue']\n",
    "flow by number.yaml": "names: {0: red, 1: green, 2: blue}\n",
}


@pytest.mark.parametrize("name", READ)
def test_a_list_of_labels_is_read(tmp_path: Path, name: str) -> None:
    content = READ[name]
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    assert read_labels(tmp_path / name) == RGB


# Labels that begin or end with numbers of their own; each is itself.
AS_THEY_ARE = {
    "digits": [str(digit) for digit in range(10)],
    "digits in another order": ["3", "1", "2", "0"],
    "cards": ["3 of clubs", "ace of spades"],
    "cards with numbers": ["3 of clubs", "7 of hearts", "10 of spades"],
    "cards from one": ["1 of clubs", "2 of clubs", "3 of clubs"],
    "fingers": ["0 fingers", "1 finger", "2 fingers", "3 fingers", "4 fingers", "5 fingers"],
    "coins": ["1 cent", "2 cent", "5 cent", "10 cent"],
    "decimals": ["0,5 mm", "1,5 mm", "2,5 mm"],
    "zones": ["zone 0", "zone 1", "zone 2"],
    "Class 1": ["Class 1", "Class 2"],
    "birds": ["001.Black_footed_Albatross", "002.Laysan_Albatross"],
    "synonyms": ["tench, Tinca tinca", "goldfish, Carassius auratus"],
    "tokens": ["[unk]", "red"],
    "hashtags": ["#red", "#green"],
    "all begin as comments": ["# 1", "# 2"],
    "one with a number": ["0 red", "green"],
}


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_a_number_that_belongs_to_the_label_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(AS_THEY_ARE[name]) + "\n")
    assert list(label_lines(tmp_path / "labels.txt")) == AS_THEY_ARE[name]


def test_class_indices_of_folders_that_are_called_by_numbers(tmp_path: Path) -> None:
    # Keras sorts the names of the folders as text.
    path = tmp_path / "class_indices.json"
    path.write_text(json.dumps({"0": 0, "1": 1, "10": 2, "2": 3}))
    assert read_labels(path) == ("0", "1", "10", "2")


def test_imagenets_names_that_occur_twice_stay_numbered() -> None:
    names = [f"name {letter}{number}" for number in range(100) for letter in "ab"]
    names[7] = names[3]
    text = "\n".join(f"{number} {name}" for number, name in reversed(list(enumerate(names))))
    assert list(parse_labels(text, source="labels")) == names


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "latin1.txt": ("rouge foncé\nvert".encode("latin-1"), "expected text in UTF-8.*Latin-1"),
    "utf16 without mark.txt": ("red\ngreen".encode("utf-16-le"), "UTF-16 without a byte order mark"),
    "classes.npy": (b"\x93NUMPY\1\0red", "got a NumPy array"),
    "labels.pkl": (b"\x80\4\x95red", "got a pickle"),
    "labels.xlsx": (b"PK\3\4red", "Excel"),
    "labels.xml": ("<labels><label>red</label></labels>", "got XML or HTML"),
    "label_map.pbtxt": ("item {\n  id: 1\n  name: 'red'\n}\n", "label map of TensorFlow's Object Detection API"),
    "gap.txt": ("0 red\n1 green\n3 blue", "expected the numbers 0…2 of the outputs, got 0…3 without 2"),
    "twice.txt": ("0 red\n1 green\n1 blue", "expected each number once, got 1 twice"),
    "gap.csv": ("id,label\n0,red\n2,green\n", "expected the numbers 0…1 of the outputs, got 0…2 without 1"),
    "names.csv": ("first,second\nred,r\ngreen,g\n", "expected columns of numbers and of names"),
    "rows.csv": ("id,label\n0,red\n1,green,grass\n", "rows of the same length"),
    "gap.json": ('{"0": "red", "2": "green"}', "without 1"),
    "twice.json": ('{"0": "red", "0": "green"}', "expected each key once, got '0' twice"),
    "cut.json": ('["red", "gre', "expected JSON with a list of labels"),
    "other.json": ('{"learning_rate": 0.1}', "got the keys learning_rate"),
    "twice.yaml": ("names:\n  0: red\n  0: green\n", "expected each number once, got 0 twice"),
    "nested.yaml": ("names:\n  colours:\n    - red\n", "expected a YAML list of labels, or labels by number"),
    "other.yaml": ("path: sets\ntrain: images\n", "expected a YAML list of labels, or labels by number"),
    "mixture.yaml": ("names:\n  - red\n  1: green\n", "got a mixture"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_list_of_labels_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    content, message = REFUSED[name]
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError, match=f"(?s)^--labels .*{name}: .*{message}"):
        label_lines(tmp_path / name)


def test_lists_in_place_of_a_file() -> None:
    assert read_labels('["red", "green", "blue"]') == read_labels("{0: 'red', 1: 'green', 2: 'blue'}") == RGB


def test_a_file_that_is_no_list_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "video.txt"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(InputError, match=r"expected a list of labels, got a file of 17,179,869,184 bytes"):
        label_lines(path)
    # A line of many spaces must not be searched again from each of them.
    path.write_text(f"0 red\n1 {' ' * 1_000_000}x y")
    assert len(label_lines(path)) == 2


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, None),
        ({"names": "{0: 'red', 1: 'green', 2: 'blue'}"}, RGB),
        ({"names": "{0: 'red', 2: 'green'}"}, None),
        ({"labels": "red,green,blue"}, RGB),
        ({"classes": "red\ngreen\nblue"}, RGB),
        # The characters of PaddleOCR are what they are, one per line.
        ({"character": "#\n0 \n[\n"}, ("#", "0 ", "[")),
    ],
)
def test_the_properties_of_a_model_file(properties: dict[str, str], expected: tuple[str, ...] | None) -> None:
    assert labels_of_properties(properties) == expected
