"""What the package's attribution says of sentences, in the two ways that the grounded recipe asks it."""

from collections.abc import Sequence

from llama_index_medqa.attribution import AnswerSentence, attribute
from llama_index_medqa.evidence import Passage

# Least support of an answer's sentences: the query engine's default.
_ENOUGH = 0.7
# Evidence that supports half of a sentence does not show that there is none.
_SOME = 0.5


def judged(sentences: Sequence[str], passages: Sequence[Passage]) -> list[AnswerSentence]:
    """The sentences of an answer as the query engine gives them, with the citations of what supports them."""
    return [attribute(sentence, passages, _ENOUGH) for sentence in sentences]


def speaks_of(sentence: str, passages: Sequence[Passage]) -> bool:
    """Whether a passage supports a sentence at least by half."""
    return attribute(sentence, passages, _SOME).supported
