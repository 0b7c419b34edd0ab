"""Measures of medical terms in an answer and its evidence."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.measures.measure import Measure, without_text
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.text.search_terms import lexical_terms

Term = tuple[str, ...]

# NLM's check tags and age groups: headings of nearly every record, which say nothing of what an answer is about
# (https://www.nlm.nih.gov/bsd/indexing/training/CHK_010.html).
_CHECK_TAGS = frozenset(
    "humans animals male female adult aged adolescent child infant mice rats cats dogs cattle rabbits pregnancy "
    "middle+aged young+adult child,+preschool infant,+newborn aged,+80+and+over".replace("+", "\0").split()
)


class MedicalTerms:
    """The MeSH headings to find in texts.

    A heading is found by the stems of its words, in its own order or, where it is inverted, in the natural one
    (``Diabetes Mellitus, Type 2`` as ``type 2 diabetes mellitus``). Of overlapping terms the longest counts. NLM's
    check tags (``Humans``, ``Adult`` …) are none.

    Args:
        headings: such as those of all records of an index.

    Raises:
        InputError: there is no heading.
    """

    def __init__(self, headings: Iterable[str]) -> None:
        specific = [heading for heading in headings if heading.lower().replace(" ", "\0") not in _CHECK_TAGS]
        self._terms = {form for heading in specific for form in forms(heading)}
        if not self._terms:
            raise InputError("There are no MeSH headings to look for: index records that carry some, or give --terms.")
        self._longest = max(map(len, self._terms))

    def found(self, text: str) -> frozenset[Term]:
        """Return the terms of a text, as stems.

        Of overlapping terms the longest counts.
        """
        words, found, position = lexical_terms(text), set(), 0
        while position < len(words):
            longest = next(reversed(self._starting_at(words, position)), ())
            if longest:
                found.add(longest)
            position += len(longest) or 1
        return frozenset(found)

    def held(self, words: Sequence[str]) -> frozenset[Term]:
        """Return all terms in the stems of a text.

        Terms within longer ones count too.
        """
        return frozenset(term for position in range(len(words)) for term in self._starting_at(words, position))

    def _starting_at(self, words: Sequence[str], position: int) -> list[Term]:
        """Return the terms that begin at a word, shortest first."""
        candidates = (
            tuple(words[position : position + n]) for n in range(1, min(self._longest, len(words) - position) + 1)
        )
        return [term for term in candidates if term in self._terms]


@lru_cache(maxsize=50_000)
def forms(heading: str) -> frozenset[Term]:
    """Return the ways in which a MeSH heading is written.

    As stems: as it is, and with an inverted heading turned round.
    """
    parts = heading.split(", ")
    ways = (heading, " ".join(reversed(parts)), f"{' '.join(parts[1:])} {parts[0]}")
    return frozenset(form for form in (tuple(lexical_terms(way)) for way in ways) if form)


def term_precision(terms: MedicalTerms) -> Measure:
    """Score the answer's terms that the evidence holds.

    It is their share; the evidence's text and its documents' headings count.

    A term that the answer brings along from elsewhere is what a hallucination is often made of.
    """

    def score(case: EvaluationCase, answer: Answer) -> Score:
        if missing := without_text(answer):
            return missing
        if not answer.evidence or not any(piece.text for piece in answer.evidence):
            return Score.not_applicable("no evidence text")
        said = terms.found(answer.text)
        if not said:
            return Score.not_applicable("no medical term")
        held: set[Term] = set()
        for piece in answer.evidence:
            held |= terms.held(lexical_terms(piece.text))
            held.update(term for heading in piece.mesh for form in forms(heading) for term in terms.held(form))
        return Score.of(len(said & held) / len(said))

    return Measure("TermPrecision", score)
