"""Tests of differences against scipy's and against calculations by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.statistics.significance import holm, mcnemar, sign_flip_test

UNEVEN = [-0.4, 0.1, -0.25, 0.3, -0.05, -0.6, 0.02, -0.11]


def test_few_differences_are_flipped_in_all_ways_as_scipy_does():
    for alternative, found in (("less", sign_flip_test(UNEVEN).below), ("greater", sign_flip_test(UNEVEN).above)):
        scipy = stats.permutation_test(
            (UNEVEN,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative=alternative
        )
        assert found == pytest.approx(scipy.pvalue, abs=1e-12)


def test_many_differences_come_near_the_normal_approximation():
    values = np.random.default_rng(4).normal(-0.02, 0.2, 400)
    expected = stats.norm.cdf(values.sum() / math.sqrt((values**2).sum()))
    assert sign_flip_test(values).below == pytest.approx(expected, abs=0.01)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=13))
def test_flips_of_right_and_wrong_are_mcnemar_s_test(differences):
    first = [1.0 if value < 0 else 0.0 for value in differences]
    second = [1.0 if value > 0 else 0.0 for value in differences]
    flips, exact = sign_flip_test(differences), mcnemar(first, second)
    assert min(1.0, 2 * min(flips)) == pytest.approx(exact.p_value, abs=1e-9)


def test_groups_are_flipped_whole():
    groups = ["a", "a", "b", "b", "c", "c", "d", "d"]
    sums = [UNEVEN[number] + UNEVEN[number + 1] for number in range(0, 8, 2)]
    assert sign_flip_test(UNEVEN, groups=groups) == sign_flip_test(sums)
    ways = [
        sum(sign * value for sign, value in zip(signs, sums, strict=True))
        for signs in itertools.product((1, -1), repeat=4)
    ]
    assert sign_flip_test(sums).below == sum(way <= sum(sums) + 1e-12 for way in ways) / 16


def test_another_mean_is_tested_by_shifting():
    assert sign_flip_test(UNEVEN, mean=-0.1) == sign_flip_test([value + 0.1 for value in UNEVEN])


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.floats(-0.5, 0.5))
def test_a_better_system_never_looks_worse(values, shift):
    found, better = sign_flip_test(values), sign_flip_test([value + abs(shift) for value in values])
    assert 0 < found.below <= 1
    assert found.below <= better.below + 0.03  # other flips are drawn where there are many


def test_mcnemar_by_hand():
    # 1 gained, 6 lost: 2 * (1 + 7) / 2 ** 7.
    first, second = [1] * 6 + [0] + [1] * 5, [0] * 6 + [1] + [1] * 5
    assert mcnemar(first, second) == (1, 6, pytest.approx(0.125, abs=1e-9))
    assert mcnemar([1, 0], [1, 0]) == (0, 0, 1.0)
    for wrong in (([1.0], [1.0, 0.0]), ([0.5], [1.0])):
        with pytest.raises(InputError, match="a 0 or 1 of both"):
            mcnemar(*wrong)


def test_holm_by_hand():
    # Sorted .005 .01 .03 .04 times 4 3 2 1, and never falling: .02 .03 .06 .06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], abs=1e-12)
    assert holm([0.7, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.2))
def test_holm_rejects_what_its_steps_reject(p_values, level):
    # Holm's own words: go up from the smallest, and stop at the first that is above level / (number left).
    rejected = set()
    for step, number in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[number] * (len(p_values) - step) > level:
            break
        rejected.add(number)
    assert {number for number, value in enumerate(holm(p_values)) if value <= level} == rejected


@pytest.mark.parametrize("values", [[], [math.nan]])
def test_what_cannot_be_tested_is_an_error(values):
    with pytest.raises(InputError, match="at least one difference"):
        sign_flip_test(values)
