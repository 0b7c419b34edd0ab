"""Text of XML elements without loss.

Inline markup, sub- and superscripts, formulas, tails.
"""

import re

from lxml import etree

from llama_index_medqa.pubmed.text import fold

_POWER = "{http://www.w3.org/1998/Math/MathML}msup"
_FRACTION = "{http://www.w3.org/1998/Math/MathML}mfrac"
_TWO_PART_FORMULAS = frozenset({_POWER, _FRACTION})
_IS_POWER = re.compile(r"\s*(?:\d|[-\u2212\u2013]\s*[\w(])")


def raised(before: str, superscript: str) -> str:
    """Return a superscript as plain text.

    A power keeps apart from its base.

    Without the caret, ``10<sup>9</sup>/L`` would read as 109/L, which is another number. Everything else is
    joined as it is: ``cm2``, ``Ca2+``, ``2nd``, ``CD4+``.

    Args:
        before: the text before the superscript; only its last character counts.
        superscript: the superscript's text.

    Returns:
        What to write after ``before``.
    """
    if before[-1:].isdigit() and _IS_POWER.match(superscript):
        return "^" + superscript
    return superscript


def text_of(element: etree._Element | None) -> str:
    """Return all text of an element, folded.

    Empty where there is no such element.

    Comments and processing instructions are no text; what follows them is.
    """
    return "" if element is None else fold(_plain(element))


def _plain(element: etree._Element) -> str:
    if len(element) == 2 and element.tag in _TWO_PART_FORMULAS:
        first, second = (_plain(child).strip() for child in element)
        return first + ("/" + second if element.tag == _FRACTION else raised(first, second))
    pieces: list[str] = []
    _append(pieces, element)
    return "".join(pieces)


def _append(pieces: list[str], element: etree._Element) -> None:
    """Append the text of an element to that before it.

    A power may follow a base inside other markup.
    """
    if element.text:
        pieces.append(element.text)
    for child in element:
        if child.tag == "sup":
            pieces += filter(None, [raised(pieces[-1] if pieces else "", _plain(child))])
        elif child.tag in _TWO_PART_FORMULAS:
            pieces += filter(None, [_plain(child)])
        elif isinstance(child.tag, str):
            _append(pieces, child)
        if child.tail:
            pieces.append(child.tail)
