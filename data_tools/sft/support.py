"""Verification of sentences for the grounded recipe."""

from collections.abc import Sequence
from functools import cache

from llama_index_medqa.text.term_weights import idf, terms
from llama_index_medqa.verification.passages import Passage
from llama_index_medqa.verification.verdicts import AnswerSentence
from llama_index_medqa.verification.verifier import ClaimVerifier, Verifier

# Evidence that holds half of what a sentence says does not show that there is none.
_HALF = 0.5


@cache
def packaged_verifier() -> Verifier:
    """Return the query engine's verifier, loaded once."""
    return ClaimVerifier()


def judged(
    sentences: Sequence[str], passages: Sequence[Passage], verifier: Verifier | None = None
) -> list[AnswerSentence]:
    """Return the sentences of an answer with their citations.

    As the query engine gives them.

    Args:
        sentences: without citation marks.
        passages: the evidence.
        verifier: what decides; None takes the one of the package.
    """
    return (verifier or packaged_verifier()).verify(sentences, passages)


def speaks_of(sentence: str, passages: Sequence[Passage]) -> bool:
    """Return whether a passage covers half of a sentence's weighted words.

    One or two of its sentences must hold them; rare words weigh more.

    Whatever they say of them: other numbers, or the contrary, are an answer too. Two sentences follow one another.
    """
    wanted = terms(sentence)
    least = _HALF * sum(map(idf, wanted))
    if not least:
        return False
    for passage in passages:
        held = [wanted & terms(item.text) if item.states_something else frozenset() for item in passage.sentences]
        pairs = zip(held, [*held[1:], frozenset()], strict=True)
        if any(sum(map(idf, first | second)) >= least for first, second in pairs):
            return True
    return False
