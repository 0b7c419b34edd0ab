"""Text made safe to show on a terminal or page.

Nothing in it moves a cursor, hides, links or turns the direction of other text.
"""

import json
import logging
import re
from typing import Any, Final

from llama_index_medqa.redaction import redacted

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands where a control character stood, so that what was changed can be seen."""

# C0 and C1 without tab and line feed, Unicode's directional and separating controls, tag characters, lone surrogates.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """Replace the control characters of a text but tab and line feed.

    Each becomes the replacement character, so that the length stays the same.
    """
    return _CONTROLS.sub(REPLACEMENT, text)


def printable_json(data: Any) -> str:
    """Write data as indented JSON with escaped control characters."""
    return _CONTROLS.sub(_escape, json.dumps(data, ensure_ascii=False, indent=2))


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found.group())[1:-1] if found.group() != "\x7f" else "\\u007f"


class PrintableFormatter(logging.Formatter):
    """Formats log records for a terminal, without control characters or keys."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        return printable(redacted(super().format(record)))
