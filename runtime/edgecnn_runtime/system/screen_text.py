"""Names and labels from anywhere, as text that a screen shows as it is and that UTF-8 can hold."""

import json
import re
from typing import Any

# Half of a character of UTF-16. In a file name, a byte that is not UTF-8; in a label of a damaged file, anything.
_SURROGATE = re.compile("[\ud800-\udfff]")


def utf8_text(text: str) -> str:
    r"""Return text that UTF-8 can hold; the bytes of a file name that are not UTF-8 are shown as `\xff`.

    >>> utf8_text("caf\udce9.png")
    'caf\\xe9.png'
    """
    return _SURROGATE.sub(_escape, text)


def screen_text(text: str) -> str:
    r"""Return text for one line of a screen: what moves the cursor, or the text around it, is shown as an escape.

    These are control characters, the ESC of a terminal's commands among them, line breaks, and what turns the direction
    of writing.

    >>> screen_text("two\nlines \x1b[2J \u202egnp.exe")
    'two\\nlines \\x1b[2J \\u202egnp.exe'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def screen_json(content: Any, *, encoding: str, indent: int | None = None) -> str:
    r"""Return a JSON document for a screen or a pipe of this encoding; what it cannot show is escaped as `\u1b5f`.

    >>> screen_json({"label": "café"}, encoding="cp1252")
    '{"label": "café"}'
    >>> screen_json({"label": "一"}, encoding="cp1252")
    '{"label": "\\u4e00"}'
    """
    text = json.dumps(content, ensure_ascii=False, indent=indent)
    if text.replace("\n", "").isprintable():
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            pass
        else:
            return text
    # DEL is the one of ASCII that JSON lets through.
    return json.dumps(content, indent=indent).replace("\x7f", "\\u007f")


def _escape(character: str | re.Match[str]) -> str:
    code = ord(character if isinstance(character, str) else character[0])
    # Python keeps a file name's bytes of 128 and more, where they are not UTF-8, as these.
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else ascii(chr(code))[1:-1]
