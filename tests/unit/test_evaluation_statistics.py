"""Intervals against scipy's bootstrap and against what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.statistics import bootstrap_mean, paired_bootstrap

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
    means = [np.mean([VALUES[place] for place in row]) for row in random.integers(0, len(VALUES), (400, len(VALUES)))]
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
