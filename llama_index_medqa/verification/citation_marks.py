"""Citation marks and quotations that a model writes into a sentence."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from llama_index_medqa.text.sentences import split_sentences

_IDENTIFIERS = r"PMIDs?[\s:#]*\d+(?:\s*(?:[,;/&]|and)\s*(?:PMIDs?[\s:#]*\d+|\d{2,}))*"
_MARK = re.compile(
    rf"\s*[\[(【{{]\s*(?:(?:see|cf\.?|source|ref\.?)[\s:]+)?(?:PMID|SHA\s*:|https?://\S*pubmed)[^\[\](){{}}【】]*[\])】}}]"
    rf"|\s*\b{_IDENTIFIERS}|\s*(?:https?://)?(?:www\.)?(?:pubmed\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pubmed)/\d+/?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\d.])\d{1,9}(?![\d.]\d)")
_SHA = re.compile(r"SHA\s*:\s*([0-9a-f]{6,})", re.IGNORECASE)
# "[3]" names a text by its number in a list that no reader sees; "[3–11]" is an interval.
_PLACE = re.compile(
    r"(?<!CI)(?<!CI,)(?<!interval)(?<!range)\s*\[(\d{1,2}(?:\s*[,;]\s*\d{1,2})*)\](?=\s*(?:[.,;!?]|\Z|\[))"
)
_LEADING_MARKS = re.compile(rf"(?=[\[(【{{])(?:{_MARK.pattern}|\s*\[\d[\d,; ]*\])+", re.IGNORECASE)
# The last may still be being written.
_ONLY_MARKS = re.compile(
    rf"(?:{_MARK.pattern}|\s*\[\d[\d,; ]*\]|[\s.,;])*(?:[\[(【{{]\s*(?:P(?:M(?:I(?:Ds?)?)?)?)?[\s:#,;\d]*)?",
    re.IGNORECASE,
)
_LIST_MARKER = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)]|\(?[a-z]\))\s+")
# "P = .02" keeps its space.
_SPACE_BEFORE_STOP = re.compile(r"\s+([.,;:!?])(?!\d)")

# "It fell. [PMID:1]." without its mark.
_STOP_TWICE = re.compile(r"(?<!\.)([.!?])\.$")

_QUOTED = re.compile(
    r"[“„«]([^“”„«»]*)[”“»]|\"([^\"]*)\"|(?<![\w’'])‘([^‘]*?)’(?!\w)|(?<![\w'])'((?:[^'\s]+\s+){2,}[^']*?)'(?!\w)"
)
_OPENED = re.compile(r"(?:[“„«]|(?<![\w\"])\")([^“”„«»\"]+)\Z")
_CLOSED = re.compile(r"\A([^“”„«»\"]+)(?:[”»]|(?<!\d)\"|(?<=[.!?])\")")
_OMISSION = re.compile(r"\s*(?:\.\s?\.\s?\.|…|\[[^\]]*\])\s*")
_SAME_SIGNS = str.maketrans("‘’‚‛′“”„″«»‐‑‒–—―−\u00a0\u2009\u202f", '\'\'\'\'\'""""""-------   ')


@dataclass(frozen=True)
class MarkedSentence:
    """A drafted sentence, separated from its marks.

    Attributes:
        text: without citation marks and list marker.
        claimed: ids of the documents that it cites, in order: ``PMID:123``, ``SHA:…``; ``[3]`` for a number in a list.
        quotes: what it puts in quotation marks.
    """

    text: str
    claimed: tuple[str, ...]
    quotes: tuple[str, ...]


def take_apart(sentence: str) -> MarkedSentence:
    """Separate a sentence from the citation marks in it."""
    claimed: list[str] = []
    for match in _MARK.finditer(sentence):
        hashes = _SHA.findall(match.group())
        claimed += [f"SHA:{value.lower()}" for value in hashes] or [
            f"PMID:{value}" for value in _NUMBER.findall(match.group())
        ]
    text = _MARK.sub("", sentence)
    claimed += [f"[{match.group(1)}]" for match in _PLACE.finditer(text)]
    text = _SPACE_BEFORE_STOP.sub(r"\1", _PLACE.sub("", text))
    text = _STOP_TWICE.sub(r"\1", _LIST_MARKER.sub("", text).strip())
    return MarkedSentence(text, tuple(dict.fromkeys(claimed)), tuple(_quotes(text)))


def sentences_with_marks(text: str) -> list[tuple[int, int]]:
    """Split a draft into sentences with their marks.

    Spans as of :func:`split_sentences`.

    Marks that follow a full stop ("It fell. [PMID:1] It rose.") belong to the sentence before them.
    """
    spans: list[tuple[int, int]] = []
    for start, end in split_sentences(text):
        own = start
        if spans:
            marks = _marks_end(text, start, end, is_marked=bool(_MARK.search(text, *spans[-1])))
            if marks > start:
                spans[-1] = (spans[-1][0], marks)
            own = marks + len(text[marks:end]) - len(text[marks:end].lstrip())
        if own < end:
            spans.append((own, end))
    return spans


def _marks_end(text: str, start: int, end: int, *, is_marked: bool) -> int:
    """Return where the marks end that belong to the previous sentence."""
    if _ONLY_MARKS.fullmatch(text, start, end):
        return end
    marks = None if is_marked else _LEADING_MARKS.match(text, start, end)
    return marks.end() if marks else start


def _quotes(text: str) -> Iterator[str]:
    for match in _QUOTED.finditer(text):
        yield next(group for group in match.groups() if group is not None)
    # A quotation of several sentences is cut where they are: "… fell." | "It rose again …".
    for pattern in (_OPENED, _CLOSED):
        rest = _QUOTED.sub("", text)
        if part := pattern.search(rest):
            yield part.group(1)


def find_quote(quote: str, text: str) -> tuple[int, int] | None:
    """Return where a text holds a quotation word for word.

    The kind of quotation marks, dashes and spaces does not matter, nor upper or lower case, nor a stop at its end.
    What is left out ("…", "[…]") may be anything; the pieces must follow one another.

    Returns:
        First character and the one after the last; None where the text does not hold it.
    """
    pieces = [_flat(piece).strip(" .,;:!?\"'") for piece in _OMISSION.split(quote)]
    pieces = [piece for piece in pieces if piece]
    if not pieces:
        return None
    # Each sign of the flat text is one sign of the text, and a run of spaces may be any run.
    pattern = ".*?".join(r"\s+".join(map(re.escape, piece.split())) for piece in pieces)
    found = re.search(rf"(?<!\w){pattern}(?!\w)", text.translate(_SAME_SIGNS), re.IGNORECASE | re.DOTALL)
    return found.span() if found else None


def _flat(text: str) -> str:
    return " ".join(text.translate(_SAME_SIGNS).split())
