"""Sentences that instruct the model instead of reporting something (prompt injection).

An order sets aside other orders or other texts, speaks to a model or to a reader of the record ("you", "the assistant",
"whoever summarises this") and asks for words, says what an answer must hold, or imitates the marks of a conversation.
What a paper claims, or recommends to clinicians, does none of this, however wrong: it stays a claim of that paper.

Three kinds of knowledge make one decision: wordings (:mod:`~llama_index_medqa.text.injection.patterns`), clues that
only together tell an order (:mod:`~llama_index_medqa.text.injection.clues`), and whether a sentence is about texts and
their readers at all (:mod:`~llama_index_medqa.text.metadiscourse`).
"""

import re
from functools import lru_cache
from typing import Literal

from llama_index_medqa.text.injection.clues import CLUES, COMBINATIONS
from llama_index_medqa.text.injection.disguises import undisguised
from llama_index_medqa.text.injection.patterns import ORDER_PATTERNS, RUN_TOGETHER
from llama_index_medqa.text.metadiscourse import imitates_output, is_metadiscourse

Suspicion = Literal["none", "possible", "plain"]
"""How surely a text gives orders. A possible order supports nothing; a plain one tells that its record was tampered
with."""

_SENTENCE_END = re.compile(
    r"(?:(?<=[.!?;])|(?<=[.!?][\"')\]]))(?<!\bdr\.)(?<!\bmr\.)(?<!\bms\.)(?<!\bvs\.)(?<!\bno\.) "
)
# Clues of which no sentence has one by chance: with any other, the sentence is no finding.
_RARE_CLUES = frozenset({"reader", "asker", "opening"})


# The sentences of a record are judged more than once on the way from retrieval to an answer.
@lru_cache(maxsize=4096)
def suspicion(text: str) -> Suspicion:
    """Return how surely a text instructs the model that reads it.

    Openly or disguised, it says what to answer or which rules to drop.

    Look-alike letters, invisible characters, accents, spacing and the escape sequences of terminals are undone first
    (:func:`~llama_index_medqa.text.injection.disguises.undisguised`).

    Args:
        text: a sentence, a title or a passage; of a passage, orders that only the start of a sentence tells are not
            all found in its middle.
    """
    readings = undisguised(text)
    if any(_is_worded_as_order(reading) or imitates_output(reading) for reading in readings):
        return "plain"
    found = [clues for reading in readings for sentence in _SENTENCE_END.split(reading) if (clues := _clues(sentence))]
    if any(combination <= clues for clues in found for combination in COMBINATIONS):
        return "plain"
    if any(len(clues) > 1 and clues & _RARE_CLUES for clues in found):
        return "possible"
    sentences = [sentence for reading in readings for sentence in _SENTENCE_END.split(reading)]
    return "possible" if any(map(is_metadiscourse, sentences)) else "none"


def gives_orders(text: str) -> bool:
    """Return whether a text plainly instructs the model.

    Arguments as for :func:`suspicion`.
    """
    return suspicion(text) == "plain"


def _is_worded_as_order(reading: str) -> bool:
    known = any(
        order.pattern.search(reading) for order in ORDER_PATTERNS if any(word in reading for word in order.words)
    )
    return known or bool(RUN_TOGETHER.search(re.sub(r"[\W_]", "", reading)))


def _clues(sentence: str) -> frozenset[str]:
    """Return the clues in a sentence; a question has none."""
    if sentence.endswith("?"):
        return frozenset()
    return frozenset(name for name, clue in CLUES.items() if clue.search(sentence))
