"""Section headings inside abstracts: "CONCLUSION: Zinc shortened colds."."""

import re

_CAPITALS = r"[A-Z][A-Z &/,]{3,40}"
# To be put into other expressions.
HEADING = rf"{_CAPITALS}:"
# Where a sentence begins a record may have lost the colon: "OBJECTIVE To assess …".
OPTIONAL_HEADING = rf"(?:{_CAPITALS}:?\s*)?"
_AT_START = re.compile(rf"\A{HEADING}\s*")


def without_heading(sentence: str) -> str:
    """Remove the heading at the start of a sentence."""
    return _AT_START.sub("", sentence)
