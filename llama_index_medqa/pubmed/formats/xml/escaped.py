"""Pieces of a record's XML as the texts that they stand for."""

import re
from collections.abc import Sequence

from llama_index_medqa.pubmed.formats.xml.text import raised

Part = bytes | None
"""A part of a record as it was cut out; None where the record has no such part."""

_ENTITIES = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "amp": "&"}
_ENTITY = re.compile(f"&(?:({'|'.join(_ENTITIES)})|#(x?)([0-9a-fA-F]{{1,7}}));|&")
_NO_XML_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TAG = re.compile("<[^>]*>")
# Keeps pieces apart that are worked on together. XML forbids it, so it stands in none of them.
_SEPARATOR = "\x00"
_BETWEEN = f" {_SEPARATOR} "
# What needs no work, if only no two spaces meet.
_ORDINARY = bytes(set(range(ord(" "), ord("~") + 1)) - set(b"&>"))
_ORDINARY_OR_BETWEEN = _ORDINARY + _SEPARATOR.encode()


class Unusual(Exception):  # noqa: N818 (no error: the record is read in another way)
    """A record that only the tree reads rightly."""


def decoded(part: Part) -> str:
    """Return the characters of a part; empty without one.

    Raises:
        Unusual: its UTF-8 is broken.
    """
    if not part:
        return ""
    try:
        return part.decode()
    except UnicodeDecodeError:
        raise Unusual from None


def is_ordinary(escaped: str) -> bool:
    """Return whether XML without tags is its own text.

    But for spaces at its ends.
    """
    return not escaped.encode().translate(None, _ORDINARY) and escaped.rfind("  ") < 0


def plain(escaped: str) -> str:
    """Return the folded text of XML without tags.

    Raises:
        Unusual: the piece has entities that XML does not define, or characters that it forbids.
    """
    # What is printable has no white space but the plain space, and nothing that XML forbids. The quickest test of
    # a short piece.
    if escaped.isprintable() and "&" not in escaped and ">" not in escaped and "  " not in escaped:
        return escaped.strip(" ")
    if _SEPARATOR in escaped:
        raise Unusual
    return _usual(escaped).strip(" ")


def plain_each(escaped: Sequence[str]) -> Sequence[str]:
    """Return the texts of many pieces, as :func:`plain`.

    Faster than one by one; pieces that need no work are returned themselves.
    """
    filled = list(filter(None, escaped))
    together = f" {_BETWEEN.join(filled)} "
    if together.count(_SEPARATOR) >= max(1, len(filled)):
        raise Unusual
    text = _usual(together)
    if text is together:
        return escaped
    rest = iter(text.split(_SEPARATOR))
    return [next(rest).strip(" ") if piece else "" for piece in escaped]


def marked_up(markup: str) -> str:
    """Return the text of XML with inline markup."""
    return plain(_without_tags(markup) if "<" in markup else markup)


def marked_up_each(markup: Sequence[str]) -> Sequence[str]:
    """Return the texts of many pieces with inline markup."""
    return plain_each([_without_tags(piece) if "<" in piece else piece for piece in markup])


def texts(pattern: re.Pattern[str], part: Part) -> tuple[str, ...]:
    """Return the texts of a pattern's matches in a part.

    Empty ones are left out.
    """
    if not part:
        return ()
    found = pattern.findall(decoded(part))
    # With an empty text, or one with a space at its end, two spaces meet.
    if is_ordinary(f" {' '.join(found)} "):
        return tuple(found)
    return tuple(filter(None, plain_each(found)))


def _usual(text: str) -> str:
    """Return the text without entities, with folded spaces.

    But for a space at its ends; the piece itself if it is so.
    """
    special = _special(text)
    if special:
        if ">" in special and "]]>" in text:
            raise Unusual
        if "&" in special:
            text = _ENTITY.sub(_character, text)
            special = _special(text)
        if not special.isprintable():
            if _NO_XML_CHARACTER.search(special):
                raise Unusual
            for space in filter(str.isspace, set(special)):
                text = text.replace(space, " ")
    # Finds two spaces in a third of the time of ``in``, which tries at every single one.
    while text.rfind("  ") >= 0:
        text = text.replace("  ", " ")
    return text


def _special(text: str) -> str:
    return text.encode().translate(None, _ORDINARY_OR_BETWEEN).decode()


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
    pieces = [""]
    pieces += filter(None, [_TAG.sub("", first)])
    for piece in others:
        superscript, end, rest = piece.partition("</sup>")
        if not end:
            raise Unusual  # a superscript in a superscript
        pieces += filter(None, [raised(pieces[-1], _TAG.sub("", superscript))])
        pieces += filter(None, [_TAG.sub("", rest)])
    return "".join(pieces)
