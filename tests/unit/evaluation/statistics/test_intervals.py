"""Intervals against scipy's bootstrap and against what they promise."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llama_index_medqa.errors import InputError, MissingExtraError
from llama_index_medqa.evaluation.statistics.intervals import (
    bootstrap_mean,
    paired_bootstrap,
    repeated_scores,
    require_scipy,
)

VALUES = np.random.default_rng(7).beta(2, 1, 60).tolist()


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_is_scipy_s(confidence):
    ours = bootstrap_mean(VALUES, confidence=confidence, resamples=20_000)
    scipy = stats.bootstrap(
        (VALUES,), np.mean, method="percentile", confidence_level=confidence, n_resamples=20_000, rng=1
    ).confidence_interval
    # Two independent draws of 20,000 resamples: their ends differ by chance, by far less than the interval is wide.
    assert (ours.low, ours.high) == pytest.approx(scipy, abs=0.03 * (scipy.high - scipy.low))
    assert ours.mean == pytest.approx(np.mean(VALUES))


def test_the_resamples_are_those_of_numpy_s_generator():
    random = np.random.default_rng(3)
    means = [np.mean([VALUES[number] for number in row]) for row in random.integers(0, len(VALUES), (400, len(VALUES)))]
    ours = bootstrap_mean(VALUES, resamples=400, seed=3)
    assert (ours.low, ours.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=1e-12)


def test_19_of_20_intervals_hold_the_true_mean():
    random = np.random.default_rng(5)
    samples = random.binomial(1, 0.7, (400, 200))
    held = sum(one.low <= 0.7 <= one.high for one in (bootstrap_mean(row, resamples=1_000) for row in samples))
    # The number of hits is binomial; 99.9 % of such counts lie in this range.
    low, high = stats.binom.interval(0.999, 400, 0.945)
    assert low <= held <= high


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30), st.integers(0, 9))
def test_pairs_are_the_bootstrap_of_their_differences(pairs, seed):
    first, second = zip(*pairs, strict=True)
    paired = paired_bootstrap(first, second, resamples=50, seed=seed)
    assert paired == bootstrap_mean([a - b for a, b in pairs], resamples=50, seed=seed)
    assert paired.low <= paired.mean + 1e-9 or math.isclose(paired.low, paired.mean)
    assert paired.cases == len(pairs)


def test_a_steady_difference_excludes_zero_and_noise_does_not():
    assert paired_bootstrap([value + 0.05 for value in VALUES], VALUES).excludes_zero
    assert paired_bootstrap(VALUES, [value + 0.05 for value in VALUES]).excludes_zero
    noise = np.random.default_rng(1).normal(0, 1, 60)
    assert not paired_bootstrap(VALUES, (np.array(VALUES) + noise - noise.mean()).tolist()).excludes_zero


@pytest.mark.parametrize(
    ("values", "message"),
    [([], "no values"), ([0.5, math.nan], "1 of 2 values are not finite"), ([math.inf], "not finite")],
)
def test_what_cannot_be_averaged_is_an_error(values, message):
    with pytest.raises(InputError, match=message):
        bootstrap_mean(values)


def test_unequal_pairs_and_a_wrong_confidence_are_errors():
    with pytest.raises(InputError, match="got 1 and 2"):
        paired_bootstrap([1.0], [1.0, 2.0])
    with pytest.raises(InputError, match=r"between 0 and 1, got 95"):
        bootstrap_mean([1.0], confidence=95)


def test_groups_are_drawn_whole():
    groups = [number // 3 for number in range(60)]
    random = np.random.default_rng(3)
    by_group = np.array(VALUES).reshape(20, 3)
    means = [by_group[row].mean() for row in random.integers(0, 20, (400, 20))]
    ours = bootstrap_mean(VALUES, groups=groups, resamples=400, seed=3)
    assert (ours.low, ours.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=1e-12)
    alone = bootstrap_mean(VALUES, groups=range(60), resamples=400, seed=3)
    assert alone == bootstrap_mean(VALUES, resamples=400, seed=3)


def test_only_clustered_intervals_hold_the_mean_of_clustered_cases():
    random = np.random.default_rng(11)
    groups = [number // 5 for number in range(200)]
    held = {"clustered": 0, "alone": 0}
    for _ in range(300):
        values = np.repeat(random.normal(0.5, 0.3, 40), 5) + random.normal(0, 0.1, 200)
        for name, told in (("clustered", groups), ("alone", None)):
            one = bootstrap_mean(values, groups=told, resamples=400)
            held[name] += one.low <= 0.5 <= one.high
    # 40 groups: a percentile interval holds a little less than 95 %. Alone, its width is short by a factor of two.
    low, high = stats.binom.interval(0.999, 300, 0.94)
    assert low <= held["clustered"] <= high
    assert held["alone"] < 0.8 * 300


def test_each_value_needs_its_group():
    with pytest.raises(InputError, match="2 values and 1 groups"):
        bootstrap_mean([1.0, 2.0], groups=["a"])


# Six targets rated by four judges: Shrout and Fleiss 1979, table 2. They give ICC(1,1) = .17, a mean square of 11.24
# between targets and of 6.26 within.
RATINGS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_repeated_scores_are_those_of_shrout_and_fleiss():
    found = repeated_scores(RATINGS)
    assert found.within == pytest.approx(6.26, abs=0.005)
    assert found.between == pytest.approx((11.24 - 6.26) / 4, abs=0.005)
    assert found.reliability == pytest.approx(0.17, abs=0.005)
    assert found.from_judging == pytest.approx(6.26 / 11.24, abs=0.002)
    assert found.standard_error == pytest.approx(stats.sem(np.mean(RATINGS, axis=1)), abs=1e-12)


def test_a_steady_judge_adds_nothing_and_too_few_scores_are_an_error():
    steady = repeated_scores([[0.2, 0.2], [0.9, 0.9]])
    assert (steady.within, steady.reliability, steady.from_judging) == (0.0, 1.0, 0.0)
    for few in ([[1.0, 2.0]], [[1.0], [2.0]], [[1.0, 2.0], [1.0]]):
        with pytest.raises(InputError, match="two or more"):
            repeated_scores(few)


def test_without_scipy_the_extra_is_named(monkeypatch):
    assert require_scipy("The gate") is stats
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtraError, match=r"(?s)The gate.*llama-index-medqa\[eval\]"):
        require_scipy("The gate")
