"""Images of a source on all cores."""

import pytest

from edgecnn_training.data import decode


def test_members_that_unpack_to_much_are_not_all_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_BYTES_UNDER_WAY", 100)
    taken: list[int] = []

    def images():
        for number in range(50):
            taken.append(number)
            yield bytes([number]) * 30

    results = decode.map_images(lambda content: content[0], images())
    assert next(results) == 0
    assert len(taken) == 4
    assert list(results) == list(range(1, 50))


def test_images_that_are_paths_are_taken_in_whole_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_BYTES_UNDER_WAY", 1)
    assert list(decode.map_images(str, map(str, range(1000)))) == [str(number) for number in range(1000)]
