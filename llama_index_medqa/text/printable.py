"""Text made safe to show: nothing in it moves a cursor, hides, links or turns the direction of other text."""

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
    """The text with the replacement character for every control character but tab and line feed; as long as before."""
    return _CONTROLS.sub(REPLACEMENT, text)


def printable_json(data: Any) -> str:
    """Data as indented JSON, in which control characters are escapes: the same data to whoever reads it."""
    return _CONTROLS.sub(_escape, json.dumps(data, ensure_ascii=False, indent=2))


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found.group())[1:-1] if found.group() != "\x7f" else "\\u007f"


class PrintableFormatter(logging.Formatter):
    """Formats log records for a terminal, whatever the texts that they quote: safe to show, and without keys."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's text."""
        return printable(redacted(super().format(record)))
