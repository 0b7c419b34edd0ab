"""What the package's attribution says of sentences, in the two ways that the grounded recipe asks it."""

from collections.abc import Sequence

from llama_index_medqa.attribution import AnswerSentence, Attributor
from llama_index_medqa.verification.passages import Passage

# Evidence that holds half of what a sentence says does not show that there is none.
_HALF = 0.5


def judged(sentences: Sequence[str], passages: Sequence[Passage]) -> list[AnswerSentence]:
    """The sentences of an answer as the query engine gives them, with the citations of what supports them.

    Words alone are compared: the answers stand in the passages word for word.
    """
    return Attributor().attribute_all(sentences, passages)


def speaks_of(sentence: str, passages: Sequence[Passage]) -> bool:
    """Whether a text of a passage holds at least half of a sentence's words, each weighed by its rarity in PubMed.

    Whatever the checks say: other numbers, or the contrary, are an answer too.
    """
    return any(item.words >= _HALF for item in Attributor().candidates(sentence, passages))
