"""The commands of the README and of the guides exist as they are written."""

import functools
import re
import shlex
from pathlib import Path

import pytest
from conftest import edgecnn_here

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = {page: page.read_text() for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
BLOCKS = [block for text in PAGES.values() for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL)]
COMMANDS = [shlex.split(line, comments=True) for block in BLOCKS for line in block.splitlines() if line.strip()]


def test_the_order_is_the_promised_one() -> None:
    marks = [
        "docs/report.png",
        "make quickstart",
        "pip install",
        "edgecnn train mnist",
        "edgecnn export",
        "edgecnn bench",
    ]
    places = [README.index(mark) for mark in marks]
    assert places == sorted(places)


@functools.cache
def help_of(*names: str) -> str:
    return edgecnn_here(*names, "--help", env={"COLUMNS": "200"})


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[:1] == ["edgecnn"]], ids=" ".join)
def test_sub_command_and_options_exist(words: list[str]) -> None:
    below = words[1] == "data" or words[2:3] in (["compare"], ["recommend"])
    names = [word for word in words[1:3] if word.isalpha()] if below else words[1:2]
    shown = help_of(*names)
    for option in (word.partition("=")[0] for word in words if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", shown), f"{option} is not an option of edgecnn {names}"


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[:1] == ["make"]], ids=" ".join)
def test_make_target_exists(words: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(words[1:]) <= set(targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_linked_files_exist(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", PAGES[page]) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_links_every_guide() -> None:
    assert [page.name for page in PAGES if page.parent.name == "docs" and f"(docs/{page.name})" not in README] == []
