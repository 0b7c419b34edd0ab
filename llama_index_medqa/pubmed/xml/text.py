"""Text of XML elements without loss: inline markup, sub- and superscripts, formulas, tails."""

import re

from lxml import etree

_POWER = "{http://www.w3.org/1998/Math/MathML}msup"
_FRACTION = "{http://www.w3.org/1998/Math/MathML}mfrac"
_TWO_PART_FORMULAS = frozenset({_POWER, _FRACTION})
_ENDS_WITH_DIGIT = re.compile(r"\d$")
_IS_POWER = re.compile(r"\s*(?:\d|[-\u2212\u2013]\s*[\w(])")


def fold(text: str) -> str:
    """The text with every run of white space as one space, and none at its ends."""
    return " ".join(text.split())


def raised(before: str, superscript: str) -> str:
    """A superscript as it is written in plain text: a power keeps apart from its base.

    Without the caret, ``10<sup>9</sup>/L`` would read as 109/L, which is another number. Everything else is
    joined as it is: ``cm2``, ``Ca2+``, ``2nd``, ``CD4+``.

    Args:
        before: the text before the superscript; only its last character counts.
        superscript: the superscript's text.
    """
    if _ENDS_WITH_DIGIT.search(before) and _IS_POWER.match(superscript):
        return "^" + superscript
    return superscript


def text_of(element: etree._Element | None) -> str:
    """All text of an element, folded; empty where there is no such element.

    Comments and processing instructions are no text; what follows them is.
    """
    return "" if element is None else fold(_plain(element))


def _plain(element: etree._Element) -> str:
    if len(element) == 2 and element.tag in _TWO_PART_FORMULAS:
        first, second = (_plain(child).strip() for child in element)
        return first + ("/" + second if element.tag == _FRACTION else raised(first, second))
    text = element.text or ""
    for child in element:
        text += _of_child(child, text) + (child.tail or "")
    return text


def _of_child(child: etree._Element, before: str) -> str:
    if not isinstance(child.tag, str):
        return ""
    return raised(before, _plain(child)) if child.tag == "sup" else _plain(child)
