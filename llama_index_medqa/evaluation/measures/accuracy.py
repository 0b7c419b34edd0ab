"""Measures of an answer's label and words against gold answers."""

import re
from collections import Counter

from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase, Label
from llama_index_medqa.evaluation.measures.choice_reading import read_choice
from llama_index_medqa.evaluation.measures.measure import Measure, without_text
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.text.search_terms import lexical_terms

_DECLARED = r"(?:the\s+)?(?:final\s+)?answer(?:\s+is|\s*[:=-])\s*"
# The word stands alone: a punctuation mark, a citation or the end follows. "No effect was seen" declares nothing.
_LABEL = r"[\"'*_(]*(yes|no|maybe)[\"'*_)]*(?=\s*(?:[.,;:!\n\[]|$|\s[-–—]\s))"
_AT_START = re.compile(rf"\A\W*(?:{_DECLARED})?{_LABEL}", re.IGNORECASE)
_ANYWHERE = re.compile(rf"\b{_DECLARED}{_LABEL}", re.IGNORECASE)
_LABELS: dict[str, Label] = {"yes": "yes", "no": "no", "maybe": "maybe"}


def parse_label(text: str) -> Label | None:
    """Return the label that an answer declares.

    It is the first word standing alone, or the word after "answer:" or "the answer is".

    Args:
        text: the answer.

    Returns:
        The label; None where none is declared, or different ones are.
    """
    found = [match.group(1) for match in (_AT_START.match(text), *_ANYWHERE.finditer(text)) if match]
    labels = {_LABELS[word.lower()] for word in found}
    return labels.pop() if len(labels) == 1 else None


def _accuracy(case: EvaluationCase, answer: Answer) -> Score:
    if case.gold_label is None:
        return Score.not_applicable("no gold label")
    if missing := without_text(answer):
        return missing
    label = parse_label(answer.text)
    if label is None:
        return Score.unscored("unparsable", answer.text[:80])
    return Score.of(label == case.gold_label)


def _choice_accuracy(case: EvaluationCase, answer: Answer) -> Score:
    if not case.choices:
        return Score.not_applicable("no choices")
    if missing := without_text(answer):
        return missing
    taken = read_choice(answer.text, dict(case.choices))
    return (
        Score.of(taken.letter == case.gold_choice) if taken.letter else Score.unscored(taken.reason, answer.text[:80])
    )


def _word_f1(case: EvaluationCase, answer: Answer) -> Score:
    if not case.gold_answers:
        return Score.not_applicable("no gold answer")
    if missing := without_text(answer):
        return missing
    said = Counter(lexical_terms(answer.text))
    return Score.of(max(_f1(said, Counter(lexical_terms(gold))) for gold in case.gold_answers))


def _f1(first: Counter[str], second: Counter[str]) -> float:
    shared = (first & second).total()
    return 2 * shared / (first.total() + second.total()) if shared else 0.0


def _answered(case: EvaluationCase, answer: Answer) -> Score:
    return Score.of(answer.abstained is None and not answer.is_empty)


Answered = Measure("Answered", _answered)
"""Whether there is an answer at all. Measures of answers leave abstentions out, so gate this one beside them."""

Accuracy = Measure("Accuracy", _accuracy)
"""Whether the declared label is the gold label (PubMedQA, Jin et al. 2019). An answer without a label that can be
parsed is unscored, never given a default."""

ChoiceAccuracy = Measure("ChoiceAccuracy", _choice_accuracy)
"""Whether the choice that the answer takes is the right one (as MIRAGE, Xiong et al. 2024, scores systems). An answer
that takes none, or several, is unscored, never given a default."""

WordF1 = Measure("WordF1", _word_f1)
"""F1 of the answer's words with those of the nearest gold answer (Rajpurkar et al. 2016), as stems without function
words. It sees words, not meaning."""
