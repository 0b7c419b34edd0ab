"""Pieces of XML, cut out of a record, to the texts that they stand for."""

import re
from functools import lru_cache

from llama_index_medqa.pubmed.text import fold
from llama_index_medqa.pubmed.xml.text import raised

Part = bytes | None
"""A part of a record as it was cut out; None where the record has no such part."""

_ENTITIES = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "amp": "&"}
_ENTITY = re.compile(f"&(?:({'|'.join(_ENTITIES)})|#(x?)([0-9a-fA-F]{{1,7}}));|&")
_OTHER_ENTITY = re.compile(f"&(?!(?:{'|'.join(_ENTITIES)});)")
_NO_XML_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TAG = re.compile("<[^>]*>")
# The white space that papers are printed with; all of it folds to the plain space.
_USUAL_SPACES = "\n\xa0\u2009\u202f"


class Unusual(Exception):  # noqa: N818 (no error: the record is read in another way)
    """The record holds something that only the tree reads rightly."""


def decoded(part: Part) -> str:
    """The characters of a part; none where there is no part.

    Raises:
        Unusual: its UTF-8 is broken.
    """
    if not part:
        return ""
    try:
        return part.decode()
    except UnicodeDecodeError:
        raise Unusual from None


def plain(escaped: str) -> str:
    """The text that a piece of XML without tags stands for, folded.

    Raises:
        Unusual: the piece has entities that XML does not define, or characters that it forbids.
    """
    # What is printable has no white space but the plain space, and nothing that XML forbids.
    if escaped.isprintable() and "&" not in escaped and ">" not in escaped and "  " not in escaped:
        return escaped.strip(" ")
    if "]]>" in escaped:
        raise Unusual
    text = _without_entities(escaped)
    for space in _USUAL_SPACES:
        text = text.replace(space, " ")
    if not text.isprintable() and _NO_XML_CHARACTER.search(text):
        raise Unusual
    return fold(text)


def marked_up(markup: str) -> str:
    """The same for a piece with inline markup."""
    return plain(markup if "<" not in markup else _without_tags(markup))


def texts(pattern: re.Pattern[str], part: Part) -> tuple[str, ...]:
    """The texts that a pattern finds in a part, without those that are empty."""
    return tuple(filter(None, map(plain, pattern.findall(decoded(part))))) if part else ()


def names(pattern: re.Pattern[str], part: Part) -> tuple[str, ...]:
    """The same for texts that return from record to record, such as names of substances."""
    return tuple(filter(None, map(plain_name, pattern.findall(decoded(part))))) if part else ()


plain_name = lru_cache(1 << 14)(plain)
"""The same as :func:`plain` for texts that return from record to record."""


def _without_entities(escaped: str) -> str:
    if _OTHER_ENTITY.search(escaped):
        return _ENTITY.sub(_character, escaped)
    for name, character in _ENTITIES.items():  # the ampersand is the last: it begins no entity then
        escaped = escaped.replace(f"&{name};", character)
    return escaped


def _character(entity: re.Match[str]) -> str:
    name, is_hexadecimal, digits = entity.groups()
    if name:
        return _ENTITIES[name]
    try:
        number = int(digits or "", 16 if is_hexadecimal else 10)
    except ValueError:
        raise Unusual from None
    if not (0x20 <= number < 0xD800 or 0xE000 <= number < 0x110000):
        raise Unusual
    return chr(number)


def _without_tags(markup: str) -> str:
    first, *others = markup.split("<sup>")
    if others and "&#" in markup:
        raise Unusual  # the character may be a digit or a sign
    text = _TAG.sub("", first)
    for piece in others:
        superscript, end, rest = piece.partition("</sup>")
        if not end:
            raise Unusual  # a superscript in a superscript
        text += raised(text, _TAG.sub("", superscript)) + _TAG.sub("", rest)
    return text
