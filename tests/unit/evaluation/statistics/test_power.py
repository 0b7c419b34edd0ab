"""What a comparison can see: by hand, and by trying."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.statistics.power import Design, cases_needed, design_of, minimum_detectable_effect
from llama_index_medqa.evaluation.statistics.significance import sign_flip_test

# The quantiles of the normal distribution at 0.95 and 0.8, from tables.
Z = 1.6448536 + 0.8416212


def test_without_bounds_it_is_the_textbook_s():
    design = Design(cases=50, variance=4.0, jump=0.0)
    assert minimum_detectable_effect(design) == pytest.approx(Z * 2.0 / math.sqrt(50), abs=1e-6)
    assert minimum_detectable_effect(design, margin=0.3) == pytest.approx(0.3 + Z * 2.0 / math.sqrt(50), abs=1e-6)
    # (1.645 + 0.842)^2 * 4 / 0.5^2 = 98.9 cases, as in every book.
    assert cases_needed(design, 0.5) == 99


def test_the_variance_is_that_of_sums_over_groups():
    values = [1.0, 3.0, 2.0, 6.0]
    assert design_of(values, share=False).variance == pytest.approx(np.var(values))
    grouped = design_of(values, share=False, groups=["a", "a", "b", "b"])
    # Around the mean of 3 the groups sum to -2 and 2.
    assert grouped == Design(4, (4 + 4) / 4, math.sqrt((1 + 9 + 4 + 36) / 4), group_size=(4 + 4) / 4, largest_group=2)
    with pytest.raises(InputError, match="without a case"):
        design_of([], share=True)


def test_what_it_promises_of_equal_systems_is_kept():
    """Two systems that do not differ at all, then one in which a share of the cases falls from 1 to 0."""
    detectable = minimum_detectable_effect(design_of([0.0] * 60, share=True))
    random = np.random.default_rng(8)
    caught = [sign_flip_test(-(random.random(60) < detectable).astype(float)).below <= 0.05 for _ in range(200)]
    assert sum(caught) / 200 > 0.77


@given(st.integers(5, 500), st.floats(0, 0.3), st.floats(0, 0.1))
def test_more_cases_see_more_and_a_margin_hides(cases, variance, margin):
    few, many = (
        minimum_detectable_effect(Design(count, variance, 1.0, 1.0), margin=margin) for count in (cases, 2 * cases)
    )
    assert margin < many <= few
    assert few == math.inf or few <= 1.0


@given(st.floats(0, 0.3), st.floats(0.05, 0.9))
def test_the_cases_needed_are_enough_and_one_less_is_not(variance, worsening):
    number = cases_needed(Design(10, variance, 1.0, 1.0), worsening)
    assert minimum_detectable_effect(Design(number, variance, 1.0, 1.0)) <= worsening
    assert number == 2 or minimum_detectable_effect(Design(number - 1, variance, 1.0, 1.0)) > worsening


def test_what_the_margin_allows_no_number_of_cases_catches():
    assert cases_needed(Design(10, 0.1, 1.0, 1.0), 0.05, margin=0.05) is None
