"""What can be told of a claim and its evidence without asking a language model, as numbers for a regression."""

from collections.abc import Sequence
from typing import NamedTuple

from llama_index_medqa.attribution import Alignment
from llama_index_medqa.text.term_weights import idf, terms
from llama_index_medqa.verification.passages import EvidenceSentence, Passage

# What a model is shown of long evidence.
_MOST_WORDS_SHOWN = 60


class Signals(NamedTuple):
    """How a claim meets its evidence.

    Attributes:
        coverage: share of the claim's words that stand anywhere in the evidence, each weighed by its rarity, 0 to 1.
        words: the same for the one or two sentences that hold most of them.
        meaning: the greatest cosine of the claim, as a query, and a sentence; see :class:`Meaning`.
        support: logit of the text that supports the claim best, as attribution sees it.
        contrary: by how much the nearest text that says the contrary is nearer than the nearest that does not;
            negative where it is not.
        number: 1 where the nearest text lacks a number or unit of the claim, else 0.
        entity: 1 where it lacks a name, else 0.
    """

    coverage: float
    words: float
    meaning: float
    support: float
    contrary: float
    number: float
    entity: float


def signals_of(claim: str, passages: Sequence[Passage], candidates: Sequence[Alignment], meaning: float) -> Signals:
    """The signals of a claim.

    Args:
        claim: a sentence.
        passages: the evidence.
        candidates: the nearest texts, as :meth:`Attributor.candidates` gives them.
        meaning: see :class:`Signals`.
    """
    coverage = _coverage(claim, passages)
    if not candidates:
        return Signals(coverage, 0.0, meaning, 0.0, -1.0, 0.0, 0.0)
    nearest = max(candidates, key=lambda item: item.nearness)
    kinds = {finding.kind for finding in nearest.findings}
    against = max((item.nearness for item in candidates if item.contrary), default=0.0)
    beside = max((item.nearness for item in candidates if not item.contrary), default=0.0)
    return Signals(
        coverage,
        max(item.words for item in candidates),
        meaning,
        max(item.support for item in candidates),
        against - beside,
        float(bool(kinds & {"number", "unit"})),
        float("entity" in kinds),
    )


def _coverage(claim: str, passages: Sequence[Passage]) -> float:
    wanted = terms(claim)
    total = sum(map(idf, wanted))
    there = frozenset[str]().union(*(terms(passage.text) for passage in passages))
    return sum(map(idf, wanted & there)) / total if total else 0.0


def shown_to_model(passages: Sequence[Passage], candidates: Sequence[Alignment]) -> str:
    """The sentences of long evidence that are nearest to a claim, in the order of the text; short evidence whole."""
    whole = " ".join(passage.text for passage in passages)
    if len(whole.split()) <= _MOST_WORDS_SHOWN or not candidates:
        return " ".join(whole.split()[: 2 * _MOST_WORDS_SHOWN])
    places = {passage: number for number, passage in enumerate(passages)}
    chosen: dict[tuple[int, int], EvidenceSentence] = {}
    words = 0
    for item in sorted(candidates, key=lambda item: -item.nearness):
        new = {(places[item.passage], one.start): one for one in item.part}
        words += sum(len(one.text.split()) for place, one in new.items() if place not in chosen)
        if chosen and words > _MOST_WORDS_SHOWN:
            break
        chosen |= new
    return " ".join(chosen[place].text for place in sorted(chosen))
