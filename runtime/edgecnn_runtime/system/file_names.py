"""File names as they are, on a screen and in files of text that must be UTF-8."""

import os


def utf8_name(name: str) -> str:
    r"""Return a file name as valid Unicode; bytes that are not UTF-8 are shown as `\xff`.

    >>> utf8_name("caf\udce9.png")
    'caf\\xe9.png'
    """
    return os.fsencode(name).decode(errors="backslashreplace")


def screen_name(name: str) -> str:
    r"""Return a file name for one line of a screen: what would move the cursor is shown as an escape, too.

    >>> screen_name("two\nlines.png")
    'two\\nlines.png'
    """
    shown = utf8_name(name)
    return shown if shown.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)
