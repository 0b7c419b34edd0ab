"""Intervals with the judge's error in them: the papers' formulas worked by hand, and what must hold of any labels."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.statistics.prediction_powered import (
    judge_errors,
    prediction_powered_mean,
    rogan_gladen,
    wilson_interval,
)

stats = pytest.importorskip("scipy.stats")
JUDGED = [1, 1, 0, 0, 1, 0, 1, 1, 0, 1]
READ = [1, 0, 0, 1, None, None, None, None, None, None]


def test_the_first_paper_s_formula_by_hand():
    # Errors of the judge on what was read: 0, -1, 0, 1; mean 0, variance 2/3, over 4 cases.
    # The judge on the rest: 4 of 6; variance 4/15, over 6 cases.
    found = prediction_powered_mean(JUDGED, READ, weight=1.0)
    assert found.mean == pytest.approx(4 / 6)
    half = stats.t.ppf(0.975, 3) * math.sqrt(2 / 3 / 4 + 4 / 15 / 6)
    assert (found.low, found.high) == (pytest.approx(4 / 6 - half), pytest.approx(4 / 6 + half))
    assert (found.cases, found.read, found.judged) == (10, 4, 0.6)


def test_a_judge_that_tells_nothing_is_not_followed():
    # On what was read, labels and judge do not go together: their covariance is 0.
    found = prediction_powered_mean(JUDGED, READ)
    # The squares around the mean add up to 1, over 4 - 2 degrees of freedom.
    half = stats.t.ppf(0.975, 2) * math.sqrt((1 / 2) / 4)
    assert found.weight == 0.0
    assert (found.mean, found.low, found.high) == (0.5, pytest.approx(0.5 - half), pytest.approx(0.5 + half))
    assert prediction_powered_mean([1, 1, 1, 1, 1], [1, 0, 1, None, None]).weight == 0.0


def test_the_best_weight_is_that_of_the_second_paper():
    random = np.random.default_rng(7)
    labels = random.random(400)
    judged = 0.5 * labels + 0.1 * random.random(400)
    read = [float(label) if number < 100 else None for number, label in enumerate(labels)]
    covariance = np.cov(labels[:100], judged[:100])[0, 1]
    expected = covariance / ((1 + 100 / 300) * judged.var(ddof=1))
    found = prediction_powered_mean(judged.tolist(), read)
    assert found.weight == pytest.approx(min(1.0, expected))
    # With another weight the interval is no narrower.
    for weight in (0.0, 0.25, 0.5, 1.0):
        other = prediction_powered_mean(judged.tolist(), read, weight=weight)
        assert found.high - found.low <= 1.02 * (other.high - other.low)


def test_sentences_of_one_answer_weigh_less_than_as_many_answers():
    # Each answer twice: as if there were half as many cases, with the same means.
    once = prediction_powered_mean(JUDGED, READ, weight=1.0)
    twice = prediction_powered_mean(
        [value for value in JUDGED for _ in "12"],
        [value for value in READ for _ in "12"],
        groups=[number for number in range(10) for _ in "12"],
        weight=1.0,
    )
    alone = prediction_powered_mean([v for v in JUDGED for _ in "12"], [v for v in READ for _ in "12"], weight=1.0)
    assert twice.mean == pytest.approx(once.mean)
    assert alone.high - alone.low < twice.high - twice.low <= once.high - once.low


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), min_size=8, max_size=60),
    st.floats(0.5, 0.99),
)
def test_a_perfect_judge_and_a_constant_shift(rows, confidence):
    rows = [(*row[:2], number % 2 == 0) for number, row in enumerate(rows)]
    truth = [label for label, _, _ in rows]
    read = [label if is_read else None for label, _, is_read in rows]
    perfect = prediction_powered_mean(truth, read, weight=1.0, confidence=confidence)
    rest = [label for label, _, is_read in rows if not is_read]
    assert perfect.mean == pytest.approx(np.mean(rest), abs=1e-9)
    # A judge that is wrong by the same everywhere is corrected altogether.
    shifted = prediction_powered_mean([label + 0.25 for label in truth], read, weight=1.0, confidence=confidence)
    assert (shifted.mean, shifted.low) == (pytest.approx(perfect.mean, abs=1e-9), pytest.approx(perfect.low, abs=1e-9))
    assert perfect.low <= perfect.mean <= perfect.high


def test_errors_by_condition():
    judged = [True, True, False, False, True, False]
    read = [True, True, True, False, False, None]
    conditions = ["RAG", "RAG", "RAG", "closed", "closed", "closed"]
    found = judge_errors(judged, read, conditions)
    assert found["RAG"].sensitivity.mean == pytest.approx(2 / 3)
    assert found["RAG"].specificity is None
    assert (found["closed"].sensitivity, found["closed"].specificity.mean) == (None, 0.5)
    assert list(judge_errors(judged, read)) == ["all"]


@given(st.integers(1, 60), st.integers(0, 60))
def test_wilson_s_interval_is_scipy_s(count, right):
    right = min(right, count)
    found = wilson_interval([True] * right + [False] * (count - right))
    expected = stats.binomtest(right, count).proportion_ci(method="wilson")
    assert (found.low, found.high) == (pytest.approx(expected.low, abs=1e-9), pytest.approx(expected.high, abs=1e-9))


def test_rogan_and_gladen_by_hand():
    # 100 cases, 60 called positive. Read: of 18 positive ones 16 are called so, of 18 negative ones 15 are not.
    judged = [True] * 16 + [False] * 2 + [False] * 15 + [True] * 3 + [True] * 41 + [False] * 23
    read = [True] * 18 + [False] * 18 + [None] * 64
    sensitivity, specificity = 17 / 20, 16 / 20
    share = (0.6 + specificity - 1) / (sensitivity + specificity - 1)
    variance = 0.6 * 0.4 / 100
    variance += (
        share**2 * sensitivity * (1 - sensitivity) / 20 + (1 - share) ** 2 * specificity * (1 - specificity) / 20
    )
    half = stats.norm.ppf(0.975) * math.sqrt(variance) / (sensitivity + specificity - 1)
    found = rogan_gladen(judged, read)
    assert found.mean == pytest.approx(share)
    assert (found.low, found.high) == (pytest.approx(share - half), pytest.approx(min(1.0, share + half)))
    assert rogan_gladen([True, False], [False, True]) is None


@pytest.mark.parametrize(
    ("judged", "read", "options", "message"),
    [
        ([1, 0], [1], {}, "got 2 judged and 1 read"),
        ([1, 0, 1], [1, 0, None], {}, "Three cases must be read and two not, got 2 and 1"),
        ([1, 0, float("nan"), 1, 1], [1, 0, 1, None, None], {}, "must be finite"),
        (JUDGED, READ, {"weight": 1.5}, "between 0 and 1, got 1.5"),
        (JUDGED, READ, {"confidence": 1.0}, "confidence must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_estimated_is_an_error(judged, read, options, message):
    with pytest.raises(InputError, match=message):
        prediction_powered_mean(judged, read, **options)


def test_labels_of_other_lengths_are_an_error():
    assert wilson_interval([]) is None
    with pytest.raises(InputError, match="got 1 judged"):
        rogan_gladen([True], [])
    with pytest.raises(InputError, match="2 conditions"):
        judge_errors([True], [True], ["a", "b"])
