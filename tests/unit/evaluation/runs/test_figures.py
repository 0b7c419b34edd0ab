"""Figures of a whole run: macro F1, shares of all questions, and risk against coverage, by hand."""

import asyncio
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase, load_mirage
from llama_index_medqa.evaluation.measures.abstention import area_under_risk_coverage, selective_risk
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.results import read_results, write_results
from llama_index_medqa.evaluation.runs.runner import Reply
from llama_index_medqa.evaluation.runs.scoring import score_all
from llama_index_medqa.evaluation.statistics.intervals import bootstrap_mean, bootstrap_statistic


def scored(cases, replies, *names):
    return asyncio.run(score_all(cases, replies, measures_of(names), system={}))


def test_labels_of_pubmedqa():
    gold = ["yes", "yes", "yes", "no", "no", "maybe"]
    said = ["Yes.", "No.", "Perhaps so.", "No.", "No.", "Yes."]
    cases = [EvaluationCase(str(number), f"{number}?", gold_label=label) for number, label in enumerate(gold)]
    found = scored(cases, [Reply(Answer(text)) for text in said], "Accuracy")
    # yes: F1 2/5, no: 4/5, maybe: 0, as in the test of macro_f1.
    assert found.figures["MacroF1"].mean == pytest.approx(0.4)
    assert found.summary("Accuracy").estimate.mean == pytest.approx(3 / 5)
    assert found.figures["Accuracy of all questions"].mean == pytest.approx(3 / 6)
    assert "MacroF1: 0.400" in str(found)


def test_a_published_table_of_choices_counts_what_cannot_be_read_as_wrong(tmp_path):
    question = {"question": "Which?", "options": {"A": "tea", "B": "coffee"}, "answer": "B"}
    (tmp_path / "benchmark.json").write_text(
        json.dumps({"mmlu": {"1": question, "2": question}, "medqa": {"1": question}})
    )
    cases = load_mirage(tmp_path / "benchmark.json")
    assert [case.case_id for case in cases] == ["mmlu/1", "mmlu/2", "medqa/1"]
    assert cases[0].prompt == "Which?\nA. tea\nB. coffee\nAnswer with the letter of one choice."
    replies = [Reply(Answer("B")), Reply(Answer("A or B")), Reply(failure="TimeoutError: no answer")]
    found = scored(cases, replies, "ChoiceAccuracy")
    assert found.summary("ChoiceAccuracy").values == [1.0]
    assert found.summary("ChoiceAccuracy").unscored == {"several choices": 1, "timeout": 1}
    means = {name: estimate.mean for name, estimate in found.figures.items()}
    assert means == {
        "ChoiceAccuracy of all questions": pytest.approx(1 / 3),
        "ChoiceAccuracy of all questions (medqa)": 0.0,
        "ChoiceAccuracy of all questions (mmlu)": 0.5,
    }
    write_results(tmp_path / "r.json", found)
    assert read_results(tmp_path / "r.json").figures == found.figures


def test_risk_rises_with_coverage_where_confidence_tells():
    # The two surest are right, the third is wrong: risks 0, 0, 1/3 at coverages 1/3, 2/3, 1.
    coverage, risk = selective_risk(np.array([0.2, 0.9, 0.5]), np.array([1.0, 0.0, 0.0]))
    assert (coverage.tolist(), risk.tolist()) == ([1 / 3, 2 / 3, 1.0], [0.0, 0.0, pytest.approx(1 / 3)])
    assert area_under_risk_coverage(np.array([0.2, 0.9, 0.5]), np.array([1.0, 0.0, 0.0])) == pytest.approx(1 / 9)
    cases = [EvaluationCase(str(number), f"{number}?", gold_label="yes") for number in range(3)]
    replies = [Reply(Answer(text, confidence=sure)) for text, sure in (("No.", 0.2), ("Yes.", 0.9), ("Yes.", 0.5))]
    assert scored(cases, replies, "Accuracy").figures["AURC(Accuracy)"].mean == pytest.approx(1 / 9)
    without = [Reply(Answer("Yes."))] * 3
    assert "AURC(Accuracy)" not in scored(cases, without, "Accuracy").figures
    with pytest.raises(InputError, match="Each answer needs a confidence"):
        selective_risk(np.array([0.5]), np.array([]))


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=20))
def test_answers_that_are_equally_sure_have_the_mean_risk(losses):
    assert area_under_risk_coverage(np.full(len(losses), 0.5), np.array(losses)) == pytest.approx(np.mean(losses))


def test_the_bootstrap_of_any_statistic_agrees_with_that_of_a_mean():
    values = np.random.default_rng(1).random(60)
    groups = [number // 3 for number in range(60)]
    found = bootstrap_statistic(lambda drawn: float(values[drawn].mean()), groups, resamples=4_000)
    mean = bootstrap_mean(values.tolist(), groups=groups)
    assert (found.mean, found.cases) == (pytest.approx(mean.mean), 60)
    assert (found.low, found.high) == (pytest.approx(mean.low, abs=0.01), pytest.approx(mean.high, abs=0.01))
    with pytest.raises(InputError):
        bootstrap_statistic(lambda drawn: 0.0, [])
