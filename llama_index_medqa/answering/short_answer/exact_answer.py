"""The short answer to a question, each item with its span.

Yes or no, up to five names or numbers, or a list.

Whatever it holds stands word for word in a text that supports a sentence of the answer, or in a quoted finding. Which
of the names answers is told by a logistic regression on how a name is written and what stands around it; its weights
are made by ``benchmarks.answering.exact_answers``.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

from llama_index_medqa.answering.short_answer.answer_type import AnswerType, answer_type
from llama_index_medqa.answering.short_answer.candidates import Asked, Candidate, asked, candidates
from llama_index_medqa.text.abbreviations import find_acronyms
from llama_index_medqa.text.words import stem
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation

Label = Literal["yes", "no"]
ExactAnswerKind = Literal["yes_no", "factoid", "list"]

MOST_FACTOID_ITEMS = 5
MOST_LIST_ITEMS = 20
# From which chance on a name is an item of a list; and the first name of a factoid answer is worth showing.
# Chosen on BioASQ's training questions.
LEAST_LIST_CHANCE = 0.22
LEAST_SHOWN_CHANCE = 0.3

_WORD = re.compile(r"[^\W_]+")
_BRACKETED = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")


@dataclass(frozen=True)
class ExactAnswerItem:
    """A name or number that answers.

    Attributes:
        text: as the record has it, ``record.text[start:end]``.
        document_id: ``PMID:123``, or ``SHA:…`` for a record without a PMID.
        start: its first character in the record's text.
        end: the character after its last.
        sentence: number of the sentence of the answer that has it, from 0; of the finding where there is no answer.
        chance: how likely it is right, 0 to 1, by a regression made on BioASQ's questions.
    """

    text: str
    document_id: str
    start: int
    end: int
    sentence: int
    chance: float


@dataclass(frozen=True)
class ExactAnswer:
    """The short answer to a question.

    Attributes:
        kind: ``yes_no``; ``factoid``: up to five candidates, the best first; ``list``: all items.
        label: ``yes`` or ``no``, as the verifier says it of the question, or as a model reads it; None for the other
            kinds.
        items: the names or numbers, the best first; empty for yes and no.
        citations: what says yes, or no.
        is_from_findings: whether the items stand in quoted findings alone, which nobody verified as an answer.
        is_model_reading: whether yes or no is what a model reads out of the evidence, which the verifier could not
            decide.
    """

    kind: ExactAnswerKind
    label: Label | None = None
    items: tuple[ExactAnswerItem, ...] = ()
    citations: tuple[Citation, ...] = ()
    is_from_findings: bool = False
    is_model_reading: bool = False

    @property
    def shown(self) -> str:
        """Return the answer in a line for people.

        A factoid's best candidate; empty where none is likely enough.
        """
        if self.label:
            return self.label.capitalize()
        if self.kind == "list":
            likely = [item for item in self.items if item.chance >= LEAST_LIST_CHANCE]
        else:
            likely = [item for item in self.items[:1] if item.chance >= LEAST_SHOWN_CHANCE]
        return "; ".join(" ".join(item.text.split()) for item in likely)


class Mention(NamedTuple):
    """A candidate in a sentence.

    Attributes:
        sentence: number of the sentence.
        candidate: what stands there.
        key: the same for all ways in which it is written, and for its abbreviation where a sentence defines it.
        features: those of the candidate, and those of all sentences together.
    """

    sentence: int
    candidate: Candidate
    key: str
    features: Mapping[str, float]


def exact_answer(
    question: str, sentences: Sequence[AnswerSentence], findings: Sequence[Citation]
) -> ExactAnswer | None:
    """Return the names or numbers that answer a question.

    None where it asks for none, or none is found.

    Args:
        question: what was asked.
        sentences: of the answer; those that nothing supports are passed over.
        findings: quotes, where there is no answer.
    """
    wanted = answer_type(question)
    if wanted.wanted not in ("one", "list"):
        return None
    texts = [sentence.text if sentence.supported else "" for sentence in sentences]
    spans = [sentence.citations for sentence in sentences]
    if not sentences:
        texts, spans = [finding.quote for finding in findings], [(finding,) for finding in findings]
    items = _items(wanted, mentions(question, texts), spans)
    if not items:
        return None
    kind: ExactAnswerKind = "list" if wanted.wanted == "list" else "factoid"
    return ExactAnswer(kind, items=items, is_from_findings=not sentences)


def yes_or_no(label: Label, citations: Sequence[Citation], *, is_model_reading: bool = False) -> ExactAnswer:
    """Return yes or no as the short answer.

    Args:
        label: what is said to the question.
        citations: the texts that say so; of a model's reading, those that are shown.
        is_model_reading: whether a model read it out of the evidence, and the verifier could not tell.
    """
    return ExactAnswer("yes_no", label, citations=tuple(citations), is_model_reading=is_model_reading)


def mentions(question: str, texts: Sequence[str]) -> list[Mention]:
    """Return the candidates of some sentences with their features."""
    held: Asked = asked(question, answer_type(question), texts)
    long_forms = {_key(short): _key(long) for text in texts for short, long in find_acronyms(text)}
    found = [(number, item) for number, text in enumerate(texts) for item in candidates(held, text)]
    keys = [long_forms.get(key, key) for key in (_key(item.text) for _, item in found)]
    holding = defaultdict[str, set[int]](set)
    for (number, _), key in zip(found, keys, strict=True):
        holding[key].add(number)
    return [
        Mention(number, item, key, {**item.features, "times": math.log(times), "share_times": times / len(texts)})
        for (number, item), key in zip(found, keys, strict=True)
        for times in [len(holding[key])]
    ]


def chance(features: Mapping[str, float]) -> float:
    """Return the chance that a candidate answers, 0 to 1."""
    constant, weights = _weights()
    score = constant + sum(weights.get(name, 0.0) * value for name, value in features.items())
    return 1 / (1 + math.exp(-score))


def _items(
    wanted: AnswerType, found: Iterable[Mention], spans: Sequence[Sequence[Citation]]
) -> tuple[ExactAnswerItem, ...]:
    """Return the best candidates that stand in a cited text.

    Of two that share words the better one.
    """
    best: dict[str, ExactAnswerItem] = {}
    for mention, likely in sorted(((item, chance(item.features)) for item in found), key=lambda pair: -pair[1]):
        if mention.key in best or any(_overlap(mention.key, other) for other in best):
            continue
        item = _located(mention, likely, spans[mention.sentence])
        if item:
            best[mention.key] = item
    ranked = list(best.values())
    if wanted.wanted != "list":
        return tuple(ranked[:MOST_FACTOID_ITEMS])
    likely_items = [item for item in ranked if item.chance >= LEAST_LIST_CHANCE] or ranked[:1]
    return tuple(likely_items[: wanted.number or MOST_LIST_ITEMS])


def _located(mention: Mention, likely: float, citations: Iterable[Citation]) -> ExactAnswerItem | None:
    """Return a candidate with its span in the first cited text that has it."""
    written = r"\s+".join(map(re.escape, mention.candidate.text.split()))
    pattern = re.compile(rf"(?<![^\W_]){written}(?![^\W_])", re.IGNORECASE)
    for citation in citations:
        if found := pattern.search(citation.quote):
            start, end = (citation.start + offset for offset in found.span())
            return ExactAnswerItem(found.group(), citation.document_id, start, end, mention.sentence, round(likely, 3))
    return None


def _key(text: str) -> str:
    """Return a text's words without brackets, in the singular.

    Other ways to write it have the same.
    """
    words = _WORD.findall(_BRACKETED.sub("", text).lower()) or _WORD.findall(text.lower())
    return " ".join([*words[:-1], stem(words[-1])]) if words else text


def _overlap(one: str, other: str) -> bool:
    return f" {one} " in f" {other} " or f" {other} " in f" {one} "


@cache
def _weights() -> tuple[float, dict[str, float]]:
    read = json.loads((files(__package__) / "exact_answer_weights.json").read_text(encoding="utf-8"))
    return float(read["constant"]), dict(read["weights"])
