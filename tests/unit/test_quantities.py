"""Numbers and units; expected values were worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.quantities import quantities


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,234 of 5.50 (95% CI 0.5-1.0)", [(1234, None), (5.5, None), (95, "percent"), (0.5, None), (1, None)]),
        ("IL-6, COVID-19, H1N1, CD4 and p53", []),
        ("p<.001", [(0.001, None)]),
        ("250 mg", [(0.25, "mass")]),
        ("2 weeks", [(14, "days")]),
        ("5-year survival", [(60, "months")]),
        ("twenty-five patients", [(25, None)]),
        ("a two-fold rise", [(2, "fold")]),
        ("it doubled", [(2, "fold")]),
        ("half of them", [(50, "percent")]),
        ("double-blind, half-life", []),
        ("one of the first, 2nd", []),
        ("120/80 mmHg", [(120, None), (80, "pressure")]),
        ("0·8%", [(0.8, "percent")]),
    ],
)
def test_quantities(text, found):
    assert [(pytest.approx(value), dimension) for value, dimension in found] == [
        (quantity.value, quantity.dimension) for quantity in quantities(text)
    ]


def agree(one: str, other: str) -> bool:
    return quantities(one)[0].agrees_with(quantities(other)[0])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1,000 mg", "1 g", True),
        ("7 days", "1 week", True),
        ("12 months", "1 year", True),
        ("35%", "35 percent", True),
        ("two-fold", "2-fold", True),
        ("about 35%", "34.8%", True),
        ("35%", "34.8%", False),
        ("5 mg", "5 µg", False),
        ("5 mg", "5 g", False),
        ("12 weeks", "12 months", False),
        ("35%", "35 patients", True),  # a number without a unit that we know may be any
        ("half", "50%", True),
        ("1,234", "1234", True),
        ("two patients", "2 patients", True),
        ("5.0", "5", True),
    ],
)
def test_the_same_quantity(one, other, same):
    assert agree(one, other) == same
    assert agree(other, one) == same or "about" in one


@given(st.integers(2, 10**7), st.sampled_from(["", " mg", "%", " weeks", " mmHg"]))
def test_a_number_is_itself_with_and_without_separators(number, unit):
    assert agree(f"{number:,}{unit}", f"{number}{unit}")
    assert not agree(f"{number:,}{unit}", f"{number + 1}{unit}")
