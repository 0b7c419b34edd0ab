"""BioASQ's measures of task B as measures of answers."""

import json
import re
from collections.abc import Callable, Sequence

from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase, Kind
from llama_index_medqa.evaluation.measures.bioasq.exact_answers import factoid_scores, list_scores
from llama_index_medqa.evaluation.measures.bioasq.rouge import rouge_2_recall, rouge_su4_recall
from llama_index_medqa.evaluation.measures.measure import Measure, without_text
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.verification.citation_marks import take_apart

# A text without any list is read as items only where it is no sentence.
_MOST_WORDS = 8
_LISTED = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,2}[.)])\s+(.+)$", re.MULTILINE)
_LEAD = re.compile(r"^(?:the\s+)?(?:final\s+|correct\s+)?answers?(?:\s+(?:is|are)|\s*[:=-])\s*:?\s*", re.IGNORECASE)
_JOINTS = re.compile(r"\s*(?:[,;]\s*and\b|[,;]|\band\b)\s*")


def items_of(answer: Answer, kind: Kind) -> list[str] | None:
    """Return the items of an answer, best first.

    They are what the system gives as such; else a list in JSON or by lines; else a text of a few words, which is cut at
    commas where the question asks for a list. None where the answer has the form of a sentence.

    Args:
        answer: with a text.
        kind: of the question.
    """
    if answer.items is not None:
        return list(answer.items)
    text = answer.text.strip()
    if (listed := _json_items(text)) is not None:
        return listed
    plain = _LEAD.sub("", take_apart(text).text)
    if lines := _LISTED.findall(text):
        return [take_apart(line).text for line in lines]
    parts = _JOINTS.split(plain.rstrip(". ")) if kind == "list" else [plain.rstrip(". ")]
    kept = [part for part in parts if part]
    return kept if kept and all(len(part.split()) <= _MOST_WORDS for part in kept) else None


def _json_items(text: str) -> list[str] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, list):
        return None
    # As BioASQ's own files have it, an item may be a list of its spellings.
    return [str(item[0] if isinstance(item, list) and item else item) for item in value]


def _exact(name: str, kind: Kind, formula: Callable[[Sequence[str], EvaluationCase], float]) -> Measure:
    def score(case: EvaluationCase, answer: Answer) -> Score:
        if case.kind != kind or not case.gold_items:
            return Score.not_applicable(f"no {kind} question")
        if missing := without_text(answer):
            return missing
        items = items_of(answer, kind)
        return Score.unscored("unparsable", answer.text[:80]) if items is None else Score.of(formula(items, case))

    return Measure(name, score)


def _ideal(name: str, formula: Callable[[str, Sequence[str]], float]) -> Measure:
    def score(case: EvaluationCase, answer: Answer) -> Score:
        if not case.gold_answers:
            return Score.not_applicable("no gold answer")
        if missing := without_text(answer):
            return missing
        return Score.of(formula(take_apart(answer.text).text, case.gold_answers))

    return Measure(name, score)


FactoidStrict = _exact("FactoidStrict", "factoid", lambda items, case: factoid_scores(items, case.gold_items).strict)
"""Whether the first item is right."""

FactoidLenient = _exact("FactoidLenient", "factoid", lambda items, case: factoid_scores(items, case.gold_items).lenient)
"""Whether one of the first five items is right."""

FactoidMRR = _exact("FactoidMRR", "factoid", lambda items, case: factoid_scores(items, case.gold_items).reciprocal_rank)
"""1 divided by the rank of the first right item among five; its mean is BioASQ's MRR."""

ListPrecision = _exact("ListPrecision", "list", lambda items, case: list_scores(items, case.gold_items).precision)
"""Share of the items that are right."""

ListRecall = _exact("ListRecall", "list", lambda items, case: list_scores(items, case.gold_items).recall)
"""Share of the right items that are given."""

ListF1 = _exact("ListF1", "list", lambda items, case: list_scores(items, case.gold_items).f1)
"""Harmonic mean of the two."""

Rouge2 = _ideal("ROUGE-2", rouge_2_recall)
"""Recall of the ideal answer's word pairs."""

RougeSU4 = _ideal("ROUGE-SU4", rouge_su4_recall)
"""Recall of the ideal answer's words and skip-bigrams."""
