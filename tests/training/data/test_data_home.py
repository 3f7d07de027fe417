"""Where edgecnn keeps prepared sets."""

from pathlib import Path

import pytest

from edgecnn_runtime.system import cache_folder as runtime_home
from edgecnn_training.data import home

CASES = [
    ("linux", {"EDGECNN_HOME": "/mine"}, "/mine"),
    ("linux", {"EDGECNN_HOME": "~/mine"}, "/home/ann/mine"),
    ("linux", {"XDG_CACHE_HOME": "/cache"}, "/cache/edgecnn"),
    ("linux", {}, "/home/ann/.cache/edgecnn"),
    ("darwin", {"XDG_CACHE_HOME": "/cache"}, "/home/ann/Library/Caches/edgecnn"),
    ("win32", {"LOCALAPPDATA": "/AppData"}, "/AppData/edgecnn"),
    ("win32", {}, "/home/ann/AppData/Local/edgecnn"),
]


@pytest.mark.parametrize(("platform", "variables", "expected"), CASES)
def test_home_folder(platform, variables, expected, monkeypatch):
    for name in ("EDGECNN_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ann")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(runtime_home.sys, "platform", platform)
    assert home.home_folder() == Path(expected)


def test_sets_that_are_being_written_are_not_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECNN_HOME", str(tmp_path))
    for name in ("mnist", ".mnist.17.partial", "empty"):
        (tmp_path / "sets" / name).mkdir(parents=True)
    for name in ("mnist", ".mnist.17.partial"):
        (tmp_path / "sets" / name / "dataset.json").write_text("{}")
    assert home.prepared_sets() == {"mnist": tmp_path / "sets" / "mnist"}
