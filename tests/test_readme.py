"""The README's commands exist as they are written."""

import re
import shlex
from pathlib import Path

import pytest
from conftest import edgecnn

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(?:sh|console)\n(.*?)```", README, re.DOTALL)
COMMANDS = [shlex.split(line, comments=True) for block in BLOCKS for line in block.splitlines() if line.strip()]


def test_the_order_is_the_promised_one() -> None:
    marks = ["make quickstart", "docs/report.png", "edgecnn train mnist", "edgecnn export", "edgecnn bench"]
    places = [README.index(mark) for mark in marks]
    assert places == sorted(places)


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[:1] == ["edgecnn"]], ids=" ".join)
def test_sub_command_and_options_exist(words: list[str]) -> None:
    below = words[1] == "data" or words[2:3] in (["compare"], ["recommend"])
    names = [word for word in words[1:3] if word.isalpha()] if below else words[1:2]
    shown = edgecnn(*names, "--help", env={"COLUMNS": "200"})
    for option in (word.partition("=")[0] for word in words if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", shown), f"{option} is not an option of edgecnn {names}"


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[:1] == ["make"]], ids=" ".join)
def test_make_target_exists(words: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(words[1:]) <= set(targets)


def test_linked_files_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
