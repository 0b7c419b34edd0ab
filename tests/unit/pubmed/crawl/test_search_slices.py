"""Cutting a search into slices. Expected values: the calendar and interval arithmetic."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.crawl.search_slices import DateRange, SearchSlice, changed_since

DAYS = st.dates(date(1700, 1, 1), date(2100, 12, 31))


def test_clauses_are_pubmeds() -> None:
    days = DateRange("publication", date(2020, 1, 2), date(2020, 12, 31))
    assert SearchSlice(days).clause == "2020/01/02:2020/12/31[pdat]"
    assert SearchSlice(days, 5, 9).clause == "2020/01/02:2020/12/31[pdat] AND 5:9[uid]"
    assert DateRange("entry", date(900, 1, 2), date(2020, 1, 2)).clause.startswith("0900/01/02:")
    assert DateRange("modification", date(2020, 1, 2), date(2020, 1, 2)).clause.endswith("[mdat]")
    assert changed_since(date(2020, 1, 2)).count("2020/01/02:3000[") == 3


@settings(deadline=None)
@given(DAYS, DAYS)
def test_halves_meet_and_cover_the_days_newer_first(one: date, other: date) -> None:
    whole = DateRange("entry", min(one, other), max(one, other))
    if one == other:
        return
    newer, older = (half.days for half in SearchSlice(whole).halves())
    assert (older.first, newer.last) == (whole.first, whole.last)
    assert older.last + timedelta(days=1) == newer.first
    sizes = [(half.last - half.first).days for half in (newer, older)]
    assert abs(sizes[0] - sizes[1]) <= 1


@settings(deadline=None)
@given(st.integers(1, 99_999_999), st.integers(1, 99_999_999))
def test_halves_of_a_day_meet_and_cover_its_pmids_higher_first(one: int, other: int) -> None:
    low, high = min(one, other), max(one, other)
    day = DateRange("entry", date(2020, 1, 1), date(2020, 1, 1))
    if low == high:
        with pytest.raises(InputError, match="cannot be cut further"):
            SearchSlice(day, low, high).halves()
        return
    higher, lower = SearchSlice(day, low, high).halves()
    assert (lower.lowest, higher.highest) == (low, high)
    assert lower.highest + 1 == higher.lowest
    assert higher.days == lower.days == day


def test_everything_can_be_cut_to_a_single_record_in_bounded_steps() -> None:
    part, steps = SearchSlice.everything("entry"), 0
    while part.lowest != part.highest:
        part, steps = part.halves()[steps % 2], steps + 1
    assert steps <= 18 + 27  # days of 401 years and eight-digit PMIDs, in powers of two
