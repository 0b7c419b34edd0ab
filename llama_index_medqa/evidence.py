"""Retrieved chunks as evidence: stretches of records, cut into sentences, each with its span in the record."""

import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import snowballstemmer
from llama_index.core.schema import NodeWithScore, TextNode

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
_HEADING = r"[A-Z][A-Z &/]{3,40}:"
_SENTENCE_END = re.compile(rf"""[.!?]+["'”’)\]]*(?=\s|{_HEADING})|\n""")
_LAST_WORD = re.compile(r"[^\s(\[]+\Z")
# "mTOR", "p53" and "miR-21" begin a sentence too, in small letters.
_NEXT_SENTENCE = re.compile(rf"""\s+["'“‘(\[]*(?:[A-ZÀ-ÖØ-Þ0-9Α-Ω]|[a-z]{{1,3}}[A-Z0-9])|{_HEADING}""")
_NEXT_WORD = re.compile(r"""\s+["'“‘(\[]*([^\W_]+)""")
_LIST_NUMBER = re.compile(r"\s*(?:\d{1,2}|[A-Za-z])")
_COUNTER = re.compile(r"[A-Z]?\d|[A-Z]\Z|[IVX]+\Z")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
FUNCTION_WORDS = frozenset(
    "a about after all also am an and any are as at be because been before being between both but by can could did do "
    "does doing during each for from further had has have having he her here hers him his how i if in into is it its "
    "itself may me might more most must my no nor not of off on once only or other our out over own same shall she "
    "should so some such than that the their them then there these they this those through to too under until up very "
    "was we were what when where whether which while who whom why will with would yes you your".split()
)
# With these words, but hardly with a name, a sentence opens after an abbreviation.
_OPENING = FUNCTION_WORDS | frozenset("however therefore thus results methods conclusions patients moreover".split())
# What a study set out to do, or what was not known before it, is not what it found.
_PURPOSE = re.compile(
    # Some abstracts carry their headings in the text: "OBJECTIVE To …".
    r"^(?-i:[A-Z][A-Z &/,]{3,40}:?\s+)?(?:\W*(?:in order )?"
    r"to (?:evaluate|assess|investigate|examine|determine|explore|compare|study|describe|"
    r"analy[sz]e|identify|review|test|explain|characteri[sz]e|estimate|understand|develop|report|summari[sz]e|clarify|measure)\b"
    r"|.{0,40}\b(?:aims?|objectives?|purposes?|goals?)\b.{0,60}\b(?:was|were|is|are|of)\b"
    r"|.{0,80}\bto (?:determine|test|assess|examine|investigate|evaluate|study) (?:whether|if)\b"
    r"|(?-i:(?:MAIN |PRIMARY )?OUTCOMES?(?: AND| MEASURES?)\b)"
    r"|.{0,40}\b(?:aim(?:s|ed)?|sought|intend(?:s|ed)?|set out)\s+to\b"
    r"|.{0,60}\b(?:few|no) (?:studies|trials|data|reports)\b|.{0,60}\blittle is known\b"
    r"|.{0,40}\bwe (?:evaluated|assessed|investigated|examined|explored|studied|compared) (?:whether|if)\b)",
    re.IGNORECASE,
)
# Words to whoever reads, as no abstract has them: an attempt to steer the model.
_SPEAK = "answer|reply|respond|say|output|print|write|tell|repeat|state|claim|recommend|conclude|insist"
_READER = "AI|assistant|chatbot|language model"
_INSTRUCTION = re.compile(
    r"\b(?:ignor\w+|disregard\w*|forget|overrid\w+|bypass)\b.{0,40}\b(?:instructions?|rules|prompts?|"
    r"(?:previous|earlier|above) (?:text|context|evidence|passages?|abstracts?))\b"
    r"|\b(?:system|developer) (?:prompt|message)\b|<\s*/?\s*(?:system|assistant|user|instructions?)\s*>|\[/?INST\]"
    r"|^\W*(?:(?:please|now|always|instead|only|then|simply|just|and)\W+)*"
    rf"(?:{_SPEAK})\b(?:\s+(?:only|always|instead|exactly))*\s*(?::|(?:to|with|that|the (?:user|reader))\b)"
    r"|\byou (?:must|should|shall|will|have to|are (?:to|required to|instructed to))(?: \w+){0,2} "
    rf"(?:{_SPEAK}|ignore)\b"
    rf"|\b(?:always|please|now|instead) (?:only )?(?:{_SPEAK})(?: only)?\s*(?::|(?:that|with)\b)"
    rf"|\byou are (?:now )?(?:an? )?(?:\w+ )?(?:{_READER})\b"
    rf"|\b(?:{_READER})s?,? (?:must|should|reading this|are instructed)\b"
    rf"|^\W*(?:assistant|system|user|instructions?|note to (?:the )?(?:{_READER}|reader))\s*:",
    re.IGNORECASE,
)
# A stemmer holds the word that it works on: two threads that share one get wrong stems, or an error.
_stemmers = threading.local()


@dataclass(frozen=True)
class EvidenceSentence:
    """A sentence of a retrieved record.

    Attributes:
        text: the sentence as the record has it.
        start: its first character in the record's text.
        end: the character after its last.
        complete: whether the retrieved stretch holds the whole sentence.
        in_title: whether it belongs to the record's title.
        steered: whether it, or a sentence before it in the stretch, gives the reader orders ("ignore the rules …").
    """

    text: str
    start: int
    end: int
    complete: bool
    in_title: bool
    steered: bool = False

    @property
    def states_something(self) -> bool:
        """Whether it can support a claim: a title, a question, a purpose or an order to the reader cannot."""
        is_question = self.text.rstrip("\"'”’)").endswith("?")
        return not (self.in_title or self.steered or is_question or _PURPOSE.match(self.text))


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
    # Whoever plants an order plants what follows it.
    orders = (
        number
        for number, (first, last) in enumerate(spans)
        if last > title_end and _INSTRUCTION.search(text[first:last])
    )
    first_order = next(orders, len(spans))
    sentences = tuple(
        EvidenceSentence(
            text=text[first:last],
            start=start + first,
            end=start + last,
            # A stretch may begin or end inside a sentence, because windows are cut between words.
            complete=(number > 0 or start == 0) and (number < len(spans) - 1 or text[last - 1] in ".!?)”\"'"),
            in_title=last <= title_end,
            steered=number >= first_order,
        )
        for number, (first, last) in enumerate(spans)
    )
    return Passage(document_id, title, text, start, sentences)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a medical text lie: ``text[start:end]``, without whitespace at their ends.

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
    """Whether the full stop belongs to the abbreviation or initial that ends with it."""
    next_word = following.group(1) if following else ""
    if word.lower() in _ABBREVIATIONS:
        return True
    if word.lower() in _COUNTED:
        return bool(_COUNTER.match(next_word))
    if _SELDOM_LAST.fullmatch(word) and not (len(word) == 1 and word.islower()):
        return next_word.lower() not in _OPENING and not _LETTERED.search(before)
    return False


def content_words(text: str) -> frozenset[str]:
    """The stems of the words of a text that carry meaning; numbers are no words."""
    return frozenset(
        root
        for word in _WORD.findall(text.lower())
        for part in {word, *word.split("-")}
        if part not in FUNCTION_WORDS and not part.isdigit() and len(root := stem(part)) > 1
    )


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The stem of a lower-case English word, by the Snowball stemmer."""
    if not hasattr(_stemmers, "english"):
        _stemmers.english = snowballstemmer.stemmer("english")
    return str(_stemmers.english.stemWord(word))
