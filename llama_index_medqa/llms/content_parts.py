"""The text of a chat message that some servers give as a list of parts."""

from collections.abc import Mapping
from typing import Any


def text_of(content: Any) -> str:
    """Return the text of a message's content.

    Args:
        content: a text; None; or a list of texts and of parts such as ``{"type": "text", "text": "Yes."}``, of which
            those without a text of the answer (thoughts, pictures) are passed over.
    """
    if isinstance(content, list):
        return "".join(map(_part_text, content))
    return content if isinstance(content, str) else ""


def _part_text(part: Any) -> str:
    if isinstance(part, Mapping):
        part = part.get("text") if part.get("type", "text") in ("text", "output_text") else ""
        if isinstance(part, Mapping):
            part = part.get("value")
    return part if isinstance(part, str) else ""
