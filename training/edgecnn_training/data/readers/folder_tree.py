"""The visible files of a folder or zip archive, as a tree that is looked through without touching the disk again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from edgecnn_runtime.sources import IMAGE_SUFFIXES
from edgecnn_training.data.readers.members import Members


@dataclass(frozen=True)
class FolderTree:
    """One folder with all that it holds; files are named as `Members` does, from the root on."""

    path: PurePosixPath
    folders: dict[str, "FolderTree"] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, members: Members) -> "FolderTree":
        """Return the tree of all members, sorted; without hidden ones, and without what macOS adds to archives."""
        root = cls(PurePosixPath())
        for name in sorted(filter(_is_visible, members.folders())):
            root._entered(PurePosixPath(name))
        for name in sorted(filter(_is_visible, members.files())):
            root._entered(PurePosixPath(name).parent).files.append(name)
        return root

    @property
    def name(self) -> str:
        """The folder's own name, empty at the root."""
        return self.path.name

    def all_files(self) -> Iterator[str]:
        """Yield the files of this folder and of those below it."""
        yield from self.files
        for folder in self.folders.values():
            yield from folder.all_files()

    def _entered(self, path: PurePosixPath) -> "FolderTree":
        """Return the folder at `path`, made where there is none yet."""
        folder = self
        for name in path.parts:
            folder = folder.folders.setdefault(name, FolderTree(folder.path / name))
        return folder


def is_image(name: str) -> bool:
    """Recognize an image file by its suffix.

    >>> is_image("cat/1.JPEG"), is_image("cat/notes.txt")
    (True, False)
    """
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def _is_visible(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
