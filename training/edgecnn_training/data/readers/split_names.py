"""The names of splits: how folders in the field are called, and what a prepared set calls them."""

TRAIN, VALID, TEST = "train", "valid", "test"

# In the order in which splits are listed.
SPLITS = (TRAIN, VALID, TEST)

_ALIASES = {
    "train": TRAIN,
    "training": TRAIN,
    "valid": VALID,
    "val": VALID,
    "validation": VALID,
    "test": TEST,
    "testing": TEST,
}


def split_of(folder: str) -> str | None:
    """Return which split a folder of that name holds, or None if it is no such name.

    >>> split_of("Validation")
    'valid'
    """
    return _ALIASES.get(folder.casefold())
