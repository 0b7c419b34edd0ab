"""The scores of one question; None where a measure does not apply."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.answering.failure_stages import Result, result_of
from benchmarks.answering.gold_answers import GoldAnswer, Kind
from llama_index_medqa.evaluation.measures.accuracy import parse_label
from llama_index_medqa.evaluation.measures.bioasq.exact_answers import (
    MOST_FACTOID_ITEMS,
    factoid_scores,
    list_scores,
    share_held,
)
from llama_index_medqa.evaluation.measures.bioasq.rouge import rouge_2_recall, rouge_su4_recall
from llama_index_medqa.evaluation.measures.citation import CitationPrecision, CitationRecall, VerdictShare

OUTCOMES = ("answer", "findings", "nothing_found")
_VERDICTS = tuple(map(VerdictShare, ("supported", "unsupported", "contradicted")))

Scores = dict[str, float | None]


class ScoredQuestion(NamedTuple):
    """A question with its scores.

    Attributes:
        set_name: of the set that it is of.
        case_id: its id there.
        gold_removed: whether it was asked as if the papers that hold its answer were not in the index.
        kind: of question.
        outcome: ``answer``, ``findings`` or ``nothing_found``.
        gold_label: its right label, if it has one.
        label: the label that was said; None for none.
        result: ``right``, ``not judged`` or the stage at which the answer was lost; None for unanswerable ones.
        scores: by name of the measure.
    """

    set_name: str
    case_id: str
    gold_removed: bool
    kind: Kind
    outcome: str
    gold_label: str | None
    label: str | None
    result: Result | None
    scores: Scores


def scored(row: Mapping[str, Any], gold: GoldAnswer, gold_texts: str) -> ScoredQuestion:
    """Return the scores of an answered question.

    Args:
        row: of :func:`benchmarks.answering.asking.ask_all`.
        gold: the right answer.
        gold_texts: of all papers that hold it.
    """
    response = row["response"]
    is_answered = response["outcome"] == "answer"
    label = stated_label(response) if gold.kind == "yesno" else None
    items = exact_items(response)
    result: Result | None = None
    if row["gold_removed"]:
        scores = _outcome(response["outcome"], "unanswerable")
    else:
        counted = items[:MOST_FACTOID_ITEMS] if gold.kind == "factoid" else items
        exact = share_held(gold.items, " ; ".join(counted)) or 0.0
        result = result_of(dict(row), gold, gold_texts, said=label, exact=exact)
        scores = {
            "a right paper was retrieved": float(not set(row["gold"]).isdisjoint(row["retrieved"])),
            **_outcome(response["outcome"], "answerable"),
            **_exact(
                gold,
                label,
                items,
                answer_text(response),
                is_answered=is_answered,
                is_model_reading=bool((response.get("exact_answer") or {}).get("is_model_reading")),
            ),
            **_verified(gold, items if is_answered else []),
            **_ideal(gold, response, is_answered=is_answered),
            **_citations(row, is_answered=is_answered),
        }
    name, case_id = row["set"], row["case"]
    return ScoredQuestion(
        name, case_id, row["gold_removed"], gold.kind, response["outcome"], gold.label, label, result, scores
    )


def stated_label(response: Mapping[str, Any]) -> str | None:
    """Return the yes, no or maybe of a response; None without one.

    Verified, or as the model reads it.
    """
    exact = response.get("exact_answer") or {}
    if label := exact.get("label"):
        return str(label)
    return parse_label(answer_text(response)) if response["outcome"] == "answer" else None


def exact_items(response: Mapping[str, Any]) -> list[str]:
    """Return the items of the exact answer, the best first.

    Those of quoted findings where there is no answer.
    """
    exact = response.get("exact_answer") or {}
    return [item["text"] for item in exact.get("items", ())]


def answer_text(response: Mapping[str, Any]) -> str:
    """Return the sentences of an answer without citation marks."""
    return " ".join(sentence["text"] for sentence in response["sentences"])


def _outcome(outcome: str, population: str) -> Scores:
    return {f"{population}: {name.replace('_', ' ')}": float(outcome == name) for name in OUTCOMES}


def _exact(
    gold: GoldAnswer, label: str | None, items: list[str], text: str, *, is_answered: bool, is_model_reading: bool
) -> Scores:
    if gold.kind == "yesno":
        right = float(label == gold.label)
        return {
            "yes/no: right": right,
            "yes/no: right, of those answered": right if is_answered else None,
            "yes/no: right, of those with a yes or no": right if label else None,
            "yes/no: right, of those that the verifier decided": None if is_model_reading or not label else right,
        }
    if gold.kind == "factoid":
        candidates = factoid_scores(items, gold.items)
        return {
            "factoid: strict accuracy": candidates.strict,
            "factoid: lenient accuracy": candidates.lenient,
            "factoid: MRR": candidates.reciprocal_rank,
            "factoid: a gold item in the sentences": float(bool(share_held(gold.items, text))),
        }
    if gold.kind == "list":
        found = list_scores(items, gold.items)
        return {
            "list: precision": found.precision,
            "list: recall": found.recall,
            "list: F1": found.f1,
            "list: gold items in the sentences": share_held(gold.items, text),
        }
    return {}


def _verified(gold: GoldAnswer, items: list[str]) -> Scores:
    """Return scores of the exact answers that do not stand in findings alone."""
    if gold.kind == "factoid":
        return {"factoid: lenient accuracy, of verified answers": factoid_scores(items, gold.items).lenient}
    return {"list: F1, of verified answers": list_scores(items, gold.items).f1} if gold.kind == "list" else {}


def _ideal(gold: GoldAnswer, response: Mapping[str, Any], *, is_answered: bool) -> Scores:
    if not gold.ideal:
        return {}
    text = answer_text(response)
    rouge_2, rouge_su4 = rouge_2_recall(text, gold.ideal), rouge_su4_recall(text, gold.ideal)
    return {
        "ideal answer: ROUGE-2 recall": rouge_2,
        "ideal answer: ROUGE-2 recall, of those answered": rouge_2 if is_answered else None,
        "ideal answer: ROUGE-SU4 recall": rouge_su4,
        "ideal answer: ROUGE-SU4 recall, of those answered": rouge_su4 if is_answered else None,
    }


def _citations(row: Mapping[str, Any], *, is_answered: bool) -> Scores:
    verdicts = drafted_verdicts(row["response"])
    scores: Scores = {f"draft: {share}": share.score(verdicts) for share in _VERDICTS}
    if not is_answered:
        return scores
    reachable = set(row["gold"]) & set(row["retrieved"])
    return {
        **scores,
        "sentences of an answer": float(len(row["response"]["sentences"])),
        "papers of an answer": float(len(row["cited"])),
        "citation precision": CitationPrecision.score(row["cited"], row["gold"]),
        "citation recall": CitationRecall.score(row["cited"], row["gold"]),
        "citation recall of what was retrieved": CitationRecall.score(row["cited"], reachable) if reachable else None,
    }


def drafted_verdicts(response: Mapping[str, Any]) -> list[str]:
    """Return the verdicts of all sentences drafted to their end.

    A cut one was not judged.
    """
    dropped = [
        sentence for sentence in response["dropped"] if all(why["kind"] != "cut_off" for why in sentence["findings"])
    ]
    return [sentence["verdict"] for sentence in [*response["sentences"], *dropped]]
