"""Makes hard training pairs from open abstracts as balanced twins.

A generator makes several twins of one sentence that differ by changes which cancel out: the premise's statement is
changed in one half of them and the claim in one half, so that each claim is right as often as it is wrong, and neither
the claim alone nor the words that it shares with the premise give the label away.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from training.verifier.abstracts import Abstract
from training.verifier.contrasts import comparison, direction, negation, number, rate
from training.verifier.places import elsewhere, title
from training.verifier.rewording import reworded, shortened
from training.verifier.scopes import (
    aim,
    cause,
    certainty,
    entity,
    names_by_class,
    population,
    restrictions,
    subgroup,
)
from training.verifier.twin import Label, Twin, TwinSource

Generator = Callable[[TwinSource], Iterator[Twin]]

GENERATORS: dict[str, Generator] = {
    "comparison": comparison,
    "direction": direction,
    "negation": negation,
    "rate": rate,
    "number": number,
    "subgroup": subgroup,
    "aim": aim,
    "cause": cause,
    "population": population,
    "certainty": certainty,
    "entity": entity,
    "elsewhere": elsewhere,
}
_SENTENCE_WORDS = range(6, 61)
_PREMISE_WORDS = (30, 110)
_MOST_NEIGHBOURS = 3
# A set of twins is taken where, over all sets taken so far, right hypotheses share no more words with their premises
# than wrong ones do (with a slack that lets the first sets in).
_SLACK = 0.1
# Whole sentences that are told or not differ in overlap by nature: these kinds are not matched, and kept fewer.
_TRIES = 4
_UNMATCHED = frozenset({"elsewhere", "title"})
_MOST = {"elsewhere": 0.5}
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Pair:
    """A training pair; pairs of one abstract share the part of the data."""

    premise: str
    hypothesis: str
    label: Label
    kind: str
    group: str


def make_twins(abstracts: Iterable[Abstract], seed: int = 0, most_of_a_kind: int = 1600) -> list[Pair]:
    """Return training pairs of abstracts, reproducible by seed.

    Args:
        abstracts: The abstracts, without those kept for checking.
        seed: Decides which sentences are taken and how they are reworded.
        most_of_a_kind: Where a kind would have more pairs, whole sets of twins are left out.
    """
    known = sorted(abstracts, key=lambda abstract: abstract.pmid)
    pairs: list[Pair] = []
    for kind in (*GENERATORS, "title"):
        pairs += _pairs_of_kind(known, kind, random.Random(f"{seed} {kind}"), most_of_a_kind)  # noqa: S311
    random.Random(seed).shuffle(pairs)  # noqa: S311
    return pairs


def _pairs_of_kind(abstracts: Sequence[Abstract], kind: str, rng: random.Random, most: int) -> list[Pair]:
    taken: list[Pair] = []
    excess = 0.0
    for pmid, abstract_title, twins in _sets_of_twins(abstracts, kind, rng):
        tries = [[_pair(twin, kind, pmid, abstract_title, rng) for twin in twins] for _ in range(_TRIES)]
        drawn = min(tries, key=lambda pairs: abs(excess + _excess_overlap(pairs)))
        if len(taken) + len(drawn) > _MOST.get(kind, 1.0) * most:
            break
        added = _excess_overlap(drawn)
        matched = kind in _UNMATCHED or excess + added <= _SLACK
        if matched and all(len(pair.premise.split()) >= _PREMISE_WORDS[0] for pair in drawn):
            taken += drawn
            excess += added
    return taken


def overlap(pair: Pair) -> float:
    """Return the share of the hypothesis's words that the premise holds."""
    words = _WORD.findall(pair.hypothesis.lower())
    words_of_premise = set(_WORD.findall(pair.premise.lower()))
    return sum(word in words_of_premise for word in words) / len(words)


def _excess_overlap(pairs: Sequence[Pair]) -> float:
    """Return how much more words right hypotheses share than wrong ones.

    With their premises, within the same set.
    """
    right = [overlap(pair) for pair in pairs if pair.label == "entailment"]
    wrong = [overlap(pair) for pair in pairs if pair.label != "entailment"]
    return sum(right) / len(right) - sum(wrong) / len(wrong)


def _sets_of_twins(
    abstracts: Sequence[Abstract], kind: str, rng: random.Random
) -> Iterator[tuple[str, str, list[Twin]]]:
    """Yield the twins of one sentence after another, in random order."""
    if kind == "title":
        yield from _sets_of_titles(abstracts, rng)
        return
    names = names_by_class(abstracts) if kind == "entity" else {}
    parts = restrictions(abstracts) if kind == "subgroup" else ()
    twin_sources = [
        (abstract, index)
        for abstract in abstracts
        for index, sentence in enumerate(abstract.sentences)
        if len(sentence.split()) in _SENTENCE_WORDS and sentence.endswith(".") and sentence[0].isalnum()
    ]
    rng.shuffle(twin_sources)
    for abstract, index in twin_sources:
        if twins := list(GENERATORS[kind](TwinSource(abstract, index, rng, names, parts))):
            yield abstract.pmid, abstract.title, twins


def _sets_of_titles(abstracts: Sequence[Abstract], rng: random.Random) -> Iterator[tuple[str, str, list[Twin]]]:
    for abstract in rng.sample(abstracts, len(abstracts)):
        others = [other for other in rng.sample(abstracts, min(len(abstracts), 200)) if other is not abstract]
        if twins := list(title(abstract, others, TwinSource(abstract, 0, rng))):
            yield abstract.pmid, "", twins


def _pair(twin: Twin, kind: str, pmid: str, abstract_title: str, rng: random.Random) -> Pair:
    """Return a twin as a pair.

    Its premise is cut out of the abstract, and both sides are lightly reworded.
    """
    # A right claim would share more words with its premise than a wrong one. So both sides are reworded: a right one's
    # on their own, a wrong one's alike. Then neither side alone shows which it is.
    statement, claim = twin.sentences[twin.index], shortened(twin.claim, rng, twin.keep)
    first = rng.random()
    second = rng.random() if twin.label == "entailment" else first
    statement = reworded(statement, random.Random(first), twin.keep)  # noqa: S311
    claim = reworded(claim, random.Random(second), twin.keep)  # noqa: S311
    return Pair(_premise(twin, statement, abstract_title, rng), claim, twin.label, kind, pmid)


def _premise(twin: Twin, statement: str, abstract_title: str, rng: random.Random) -> str:
    """Return a statement with neighbours, and sometimes the title.

    Within the bounds of length.
    """
    least, most = _PREMISE_WORDS
    chosen, wanted = [statement], rng.randint(0, _MOST_NEIGHBOURS)
    first, last = twin.index, twin.index
    for _ in range(_MOST_NEIGHBOURS):
        length = sum(len(part.split()) for part in chosen)
        # What follows an altered statement often disputes it; what stands before seldom does.
        before = first > 0 and (
            twin.altered or last + 1 >= len(twin.sentences) or _prefers_before(twin, first, last, rng)
        )
        neighbour_index = first - 1 if before else last + 1
        if (wanted <= 0 and length >= least) or neighbour_index >= len(twin.sentences):
            break
        neighbour = twin.sentences[neighbour_index]
        if length + len(neighbour.split()) > most:
            break
        chosen = [neighbour, *chosen] if before else [*chosen, neighbour]
        first, last, wanted = min(first, neighbour_index), max(last, neighbour_index), wanted - 1
    if abstract_title and not twin.altered and rng.random() < 0.3:
        titled = abstract_title.rstrip(". ") + "."
        if sum(len(part.split()) for part in (titled, *chosen)) <= most:
            chosen = [titled, *chosen]
    return " ".join(chosen)


def _prefers_before(twin: Twin, first: int, last: int, rng: random.Random) -> bool:
    """Return whether to take the neighbour before.

    One that holds the changed words, so that these alone give nothing away.
    """
    holds = [any(part in twin.sentences[index] for part in twin.keep) for index in (first - 1, last + 1)]
    return holds[0] if holds[0] != holds[1] else rng.random() < 0.5
