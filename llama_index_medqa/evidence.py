"""Retrieved chunks as evidence: stretches of records, cut into sentences, each with its span in the record."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import snowballstemmer
from llama_index.core.schema import NodeWithScore, TextNode

# A full stop after one of these does not end a sentence.
_ABBREVIATIONS = frozenset(
    "e.g i.e cf vs etc al fig figs ref refs tab eq no nos vol dr prof mr mrs ms st approx ca resp incl "
    "spp sp subsp var wt min max sd".split()
)
_SENTENCE_END = re.compile(r"""[.!?]+["'”’)\]]*(?=\s)|\n""")
_LAST_WORD = re.compile(r"[^\s(\[]+\Z")
_NEXT_SENTENCE = re.compile(r"""\s+["'“‘(\[]*[A-Z0-9Α-Ω]""")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?")
FUNCTION_WORDS = frozenset(
    "a about after all also am an and any are as at be because been before being between both but by can could did do "
    "does doing during each for from further had has have having he her here hers him his how i if in into is it its "
    "itself may me might more most must my no nor not of off on once only or other our out over own same shall she "
    "should so some such than that the their them then there these they this those through to too under until up very "
    "was we were what when where whether which while who whom why will with would yes you your".split()
)
# What a study set out to do, or what was not known before it, is not what it found.
_PURPOSE = re.compile(
    r"^(?:\W*(?:in order )?to (?:evaluate|assess|investigate|examine|determine|explore|compare|study|describe|"
    r"analy[sz]e|identify|review|test|explain|characteri[sz]e|estimate|understand|develop|report|summari[sz]e|clarify|measure)\b"
    r"|.{0,40}\b(?:aims?|objectives?|purposes?|goals?)\b.{0,60}\b(?:was|were|is|are|of)\b"
    r"|.{0,40}\b(?:aim(?:s|ed)?|sought|intend(?:s|ed)?|set out)\s+to\b"
    r"|.{0,60}\b(?:few|no) (?:studies|trials|data|reports)\b|.{0,60}\blittle is known\b"
    r"|.{0,40}\bwe (?:evaluated|assessed|investigated|examined|explored|studied|compared) (?:whether|if)\b)",
    re.IGNORECASE,
)
_stemmer = snowballstemmer.stemmer("english")


@dataclass(frozen=True)
class EvidenceSentence:
    """A sentence of a retrieved record.

    Attributes:
        text: the sentence as the record has it.
        start: its first character in the record's text.
        end: the character after its last.
        complete: whether the retrieved stretch holds the whole sentence.
        in_title: whether it belongs to the record's title.
    """

    text: str
    start: int
    end: int
    complete: bool
    in_title: bool

    @property
    def states_something(self) -> bool:
        """Whether it can support a claim: a title, a question or a statement of purpose cannot."""
        is_question = self.text.rstrip("\"'”’)").endswith("?")
        return not (self.in_title or is_question or _PURPOSE.match(self.text))


@dataclass(frozen=True)
class Passage:
    """A contiguous stretch of one record, of one or more overlapping chunks.

    Attributes:
        document_id: ``PMID:123``, or ``SHA:…`` for a record without a PMID.
        title: title of the record.
        text: the stretch; ``record.text[start:start + len(text)]``.
        start: its first character in the record's text.
        sentences: the sentences of the stretch, in order.
    """

    document_id: str
    title: str
    text: str
    start: int
    sentences: tuple[EvidenceSentence, ...] = field(repr=False)

    @property
    def pmid(self) -> str | None:
        """PubMed identifier; None for a record without one."""
        kind, _, identifier = self.document_id.partition(":")
        return identifier if kind == "PMID" else None


def passages_of(nodes: Sequence[NodeWithScore]) -> list[Passage]:
    """Joins the overlapping chunks of each record; the record with the best chunk comes first.

    Args:
        nodes: retrieved chunks, the best first, with ``start_char_idx`` set. A chunk without it stands alone.
    """
    by_document: dict[str, list[TextNode]] = {}
    for item in nodes:
        if isinstance(item.node, TextNode):
            by_document.setdefault(item.node.ref_doc_id or item.node.node_id, []).append(item.node)
    return [
        _passage(document_id, chunks[0], text, start)
        for document_id, chunks in by_document.items()
        for start, text in _joined(chunks)
    ]


def _joined(chunks: Iterable[TextNode]) -> list[tuple[int, str]]:
    """Stretches ``(start, text)`` of overlapping or touching chunks of one record, in the order of the record."""
    stretches: list[tuple[int, str]] = []
    for chunk in sorted(chunks, key=lambda chunk: chunk.start_char_idx or 0):
        start, text = chunk.start_char_idx or 0, chunk.get_content()
        if stretches and start <= stretches[-1][0] + len(stretches[-1][1]):
            first, before = stretches[-1]
            stretches[-1] = (first, before + text[first + len(before) - start :])
        else:
            stretches.append((start, text))
    return stretches


def _passage(document_id: str, chunk: TextNode, text: str, start: int) -> Passage:
    spans = split_sentences(text)
    title = str(chunk.metadata.get("title", ""))
    title_end = len(title) if start == 0 and text.startswith(title) else 0
    sentences = tuple(
        EvidenceSentence(
            text=text[first:last],
            start=start + first,
            end=start + last,
            # A stretch may begin or end inside a sentence, because windows are cut between words.
            complete=(number > 0 or start == 0) and (number < len(spans) - 1 or text[last - 1] in ".!?)”\"'"),
            in_title=last <= title_end,
        )
        for number, (first, last) in enumerate(spans)
    )
    return Passage(document_id, title, text, start, sentences)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a medical text lie: ``text[start:end]``, without whitespace at their ends.

    A full stop ends a sentence when whitespace and an upper-case letter, digit or bracket follow, unless it belongs
    to an abbreviation ("e.g.", "Fig. 2") or an initial ("H. pylori"). A line end always ends one.
    """
    spans, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        if _ends_sentence(text, match):
            spans.append((start, match.end()))
            start = match.end()
    spans.append((start, len(text)))
    stripped = ((first + len(text[first:last]) - len(text[first:last].lstrip()), last) for first, last in spans)
    return [(first, first + len(text[first:last].rstrip())) for first, last in stripped if text[first:last].strip()]


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    if match.group() == "\n":
        return True
    if not _NEXT_SENTENCE.match(text, match.end()):
        return False
    last_word = _LAST_WORD.search(text, 0, match.start())
    if match.group() != "." or last_word is None:
        return True
    word = last_word.group()
    return word.lower() not in _ABBREVIATIONS and not (len(word) == 1 and word.isalpha() and word.isupper())


def content_words(text: str) -> frozenset[str]:
    """The stems of the words of a text that carry meaning; numbers are left to :func:`numbers`."""
    return frozenset(
        root
        for word in _WORD.findall(text.lower())
        for part in {word, *word.split("-")}
        if part not in FUNCTION_WORDS and not part.isdigit() and len(root := stem(part)) > 1
    )


def numbers(text: str) -> frozenset[str]:
    """The numbers of a text, without thousands separators and trailing zeros of the fraction."""
    plain = (number.replace(",", "") for number in _NUMBER.findall(text))
    return frozenset(number.rstrip("0").rstrip(".") if "." in number else number for number in plain)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The stem of a lower-case English word, by the Snowball stemmer."""
    return str(_stemmer.stemWord(word))
