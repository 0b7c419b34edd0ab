"""Splitting a medical text into sentences."""

import re
from itertools import pairwise

from llama_index_medqa.text.headings import HEADING
from llama_index_medqa.text.words import FUNCTION_WORDS

# A full stop after one of these does not end a sentence: something always follows.
_ABBREVIATIONS = frozenset("e.g i.e cf vs al viz dr prof mr mrs ms st approx ca resp incl spp sp subsp var".split())
# Nor after these where a number or a letter follows ("Fig. 2", "no. 7"), as it does where "No." is an answer.
_COUNTED = frozenset("fig figs ref refs tab eq no nos vol min max wt sd p pp".split())
# Nor after these unless a new sentence plainly begins ("given i.v. The dose …").
_SELDOM_LAST = re.compile(r"(?:etc|inc|ltd|jr|(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}|[A-Z])", re.IGNORECASE)
_LETTERED = re.compile(
    r"\b(?:vitamins?|hepatitis|groups?|types?|factors?|class|arms?|cohorts?|stage|grade) [A-Z]\Z", re.I
)
# Some records have lost the space before the heading of a part: "… fell.RESULTS: We …".
_SENTENCE_END = re.compile(rf"""[.!?]+["'”’)\]]*(?=\s|{HEADING})|\n""")
_LAST_WORD = re.compile(r"[^\s(\[]+\Z")
# "mTOR", "p53" and "miR-21" begin a sentence too, in small letters.
_NEXT_SENTENCE = re.compile(rf"""\s+["'“‘(\[]*(?:[A-ZÀ-ÖØ-Þ0-9Α-Ω]|[a-z]{{1,3}}[A-Z0-9])|{HEADING}""")
_NEXT_WORD = re.compile(r"""\s+["'“‘(\[]*([^\W_]+)""")
_LIST_NUMBER = re.compile(r"\s*(?:\d{1,2}|[A-Za-z])")
_COUNTER = re.compile(r"[A-Z]?\d|[A-Z]\Z|[IVX]+\Z")
# With these words, but hardly with a name, a sentence opens after an abbreviation.
_OPENING = FUNCTION_WORDS | frozenset("however therefore thus results methods conclusions patients moreover".split())

_PARAGRAPH = re.compile(r"[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*")
# A heading, a quotation, a row of a table, a fence, or an item of a list.
_OWN_LINE = re.compile(r"\s*(?:[#>|]|```|(?:[-*+•–]|\d{1,3}[.)]|\(?[a-z]\))\s)")
# Nobody wraps lines that are shorter or longer.
_WRAPPED_AT = range(40, 201)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Split a text into sentences: ``text[start:end]``.

    The spans have no whitespace at their ends.

    A full stop ends a sentence when whitespace and an upper-case letter, digit or bracket follow, or a heading in
    capitals ("RESULTS:"), unless it belongs to an abbreviation ("e.g.", "Fig. 2"), an initial ("H. pylori") or the
    number of a list's item ("1. Aspirin"). A line end always ends one. Each sentence, split again, is one sentence.
    """
    spans, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        if match.group() == "\n" or _ends_sentence(text, start, match):
            spans.append((start, match.end()))
            start = match.end()
    spans.append((start, len(text)))
    stripped = ((first + len(text[first:last]) - len(text[first:last].lstrip()), last) for first, last in spans)
    return [(first, first + len(text[first:last].rstrip())) for first, last in stripped if text[first:last].strip()]


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    if not _NEXT_SENTENCE.match(text, match.end()):
        return False
    last_word = _LAST_WORD.search(text, start, match.start())
    if match.group() != "." or last_word is None:
        return True
    if _LIST_NUMBER.fullmatch(text, start, match.start()):
        return False
    return not _goes_on(last_word.group(), text[start : match.start()], _NEXT_WORD.match(text, match.end()))


def _goes_on(word: str, before: str, following: re.Match[str] | None) -> bool:
    """Return whether a full stop belongs to an abbreviation or initial."""
    next_word = following.group(1) if following else ""
    if word.lower() in _ABBREVIATIONS:
        return True
    if word.lower() in _COUNTED:
        return bool(_COUNTER.match(next_word))
    if _SELDOM_LAST.fullmatch(word) and not (len(word) == 1 and word.islower()):
        return next_word.lower() not in _OPENING and not _LETTERED.search(before)
    return False


def unwrapped(text: str) -> str:
    """Join the wrapped lines of a text, keeping all positions.

    Each line end becomes a space.

    A line end inside a paragraph is a wrap where the next line begins with a small letter; and so are all line ends of
    a paragraph whose lines, but for the last, have no room for the first word of the next one. Headings, items of
    lists, quotations and rows of tables, as Markdown has them, begin lines of their own.
    """
    return _PARAGRAPH.sub(lambda found: _unwrapped_paragraph(found.group()), text)


def _unwrapped_paragraph(paragraph: str) -> str:
    lines = paragraph.split("\n")
    widths = [len(line.rstrip()) for line in lines]
    width = max(widths)
    is_full = [
        taken + 1 + len(following.split()[0]) > width for taken, following in zip(widths, lines[1:], strict=False)
    ]
    is_wrapped = width in _WRAPPED_AT and all(is_full)
    joined = lines[0]
    for before, line in pairwise(lines):
        own_line = _OWN_LINE.match(line) or re.match(r"\s*#", before)
        is_wrap = not own_line and (is_wrapped or line.lstrip()[0].islower())
        joined += (" " if is_wrap else "\n") + line
    return joined
