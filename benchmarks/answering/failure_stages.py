"""The first stage at which the right answer to a question was lost."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

from benchmarks.answering.gold_answers import GoldAnswer
from llama_index_medqa.evaluation.measures.accuracy import parse_label
from llama_index_medqa.evaluation.measures.bioasq.exact_answers import share_held

Stage = Literal["retrieval", "gate", "evidence", "draft", "verification", "exact answer"]
STAGES: tuple[Stage, ...] = get_args(Stage)
Result = Stage | Literal["right", "not judged"]
RIGHT: Result = "right"
NOT_JUDGED: Result = "not judged"

_REFUSED_BEFORE_A_DRAFT = ("language", "no_evidence")
_NO_DRAFT = ("model_declined", "nothing_drafted")
# Of the gold items of a list question that a right answer holds; of a factoid question's, one.
_LEAST_OF_LIST = 0.5
_MOST_ITEM_WORDS = 4


def result_of(row: dict[str, Any], gold: GoldAnswer, gold_texts: str, *, said: str | None, exact: float) -> Result:
    """Return whether an answerable question got its right answer.

    Or else the first stage at which it was lost.

    - ``retrieval``: no paper that holds the answer was retrieved, or none of its text that does;
    - ``gate``: the question was refused before a draft;
    - ``evidence``: no sentence of such a paper, or none with the gold items, was among those that were shown;
    - ``draft``: the draft lacks the gold items, says another yes or no, or there is none;
    - ``verification``: the draft had them, and what was shown of it has not;
    - ``exact answer``: the sentences have them, and the exact answer has not.

    Of a list question a stage must hold half of the gold items, of a factoid question one, word for word; items of
    more than four words do not count, because answers put them in other words. Where not even the papers hold so many,
    and for questions without items, no code can say whether an answer is right: they are ``not judged`` when answered,
    and lost where there is no answer.

    Args:
        row: of :func:`benchmarks.answering.asking.ask_all`.
        gold: the right answer.
        gold_texts: of all papers that hold the answer.
        said: the yes, no or maybe of the answer; None where there is none.
        exact: share of the gold items that the exact answer has.
    """
    if gold.kind == "yesno":
        if said == gold.label:
            return RIGHT
        holds = None
    else:
        short = replace(gold, items=tuple(filter(_is_short, gold.items)))
        holds = short if _held(short, gold_texts) else None
        answer = " ".join(sentence["text"] for sentence in row["response"]["sentences"])
        if holds and _held(holds, answer):
            return RIGHT if _enough(gold, exact) else "exact answer"
    return _lost(row, gold, holds)


def _lost(row: dict[str, Any], gold: GoldAnswer, holds: GoldAnswer | None) -> Result:
    response, papers = row["response"], set(row["gold"])
    retrieved = " ".join(chunk["text"] for chunk in row["chunks"])
    shown = " ".join(part["text"] for part in row["shown"])
    if papers.isdisjoint(row["retrieved"]) or (holds and not _held(holds, retrieved)):
        return "retrieval"
    if response["abstained"] in _REFUSED_BEFORE_A_DRAFT:
        return "gate"
    if holds is None and gold.kind != "yesno" and response["outcome"] == "answer":
        return NOT_JUDGED
    if papers.isdisjoint(part["document_id"] for part in row["shown"]) or (holds and not _held(holds, shown)):
        return "evidence"
    if holds:
        return "verification" if _held(holds, response["draft"]) else "draft"
    if gold.kind == "yesno":
        return "verification" if parse_label(response["draft"]) == gold.label else "draft"
    return "draft" if response["abstained"] in _NO_DRAFT else "verification"


def _is_short(spellings: Sequence[str]) -> bool:
    return any(len(spelling.split()) <= _MOST_ITEM_WORDS for spelling in spellings)


def _held(gold: GoldAnswer, text: str) -> bool:
    return _enough(gold, share_held(gold.items, text))


def _enough(gold: GoldAnswer, share: float | None) -> bool:
    if not share:
        return False
    return gold.kind == "factoid" or share >= _LEAST_OF_LIST
