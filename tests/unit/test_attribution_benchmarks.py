"""The statistics of the measurements of attribution, against scipy and against counting by hand."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.attribution_labels import auroc, interval
from benchmarks.planted_cases import Planter, wilson

SCORES = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30).filter(
    lambda rows: 0 < sum(label for _, label in rows) < len(rows)
)


@given(SCORES)
def test_auroc_is_the_share_of_pairs_that_are_in_order(rows):
    scipy_stats = pytest.importorskip("scipy.stats")
    scores, labels = [score for score, _ in rows], [label for _, label in rows]
    up = [score for score, label in rows if label]
    down = [score for score, label in rows if not label]
    expected = scipy_stats.mannwhitneyu(up, down).statistic / (len(up) * len(down))
    assert auroc(scores, labels) == pytest.approx(expected)


@given(SCORES, st.data())
def test_a_weight_is_so_many_copies(rows, data):
    scores, labels = [score for score, _ in rows], [label for _, label in rows]
    weights = data.draw(st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows)))
    copies = [row for row, weight in zip(rows, weights, strict=True) for _ in range(weight)]
    expected = auroc([score for score, _ in copies], [label for _, label in copies])
    assert auroc(scores, labels, np.array(weights, dtype=float)) == pytest.approx(expected)


def test_the_interval_holds_the_value_and_is_wider_with_fewer_groups():
    chance = random.Random(1)
    labels = [chance.random() < 0.5 for _ in range(200)]
    scores = [label + chance.gauss(0, 1) for label in labels]
    value, low, high = interval(scores, labels, [str(number) for number in range(200)])
    assert low < value < high
    _, fewer_low, fewer_high = interval(scores, labels, [str(number // 20) for number in range(200)])
    assert (fewer_low, fewer_high) != (low, high)


@pytest.mark.parametrize(("hits", "cases"), [(0, 40), (38, 40), (40, 40), (7, 240)])
def test_wilson_s_interval(hits, cases):
    scipy_stats = pytest.importorskip("scipy.stats")
    expected = scipy_stats.binomtest(hits, cases).proportion_ci(method="wilson")
    share, low, high = wilson(hits, cases)
    assert share == pytest.approx(hits / cases, abs=1e-4)
    assert (low, high) == (pytest.approx(expected.low, abs=2e-4), pytest.approx(expected.high, abs=2e-4))


def test_planted_injections_and_wrong_pmids_are_what_they_say():
    words = "Metoprolol reduced mortality in {n} patients with heart failure who were seen in the clinic after a year."
    pool = [(str(n), f"Trial number {n} of metoprolol in heart failure.", words.format(n=n)) for n in range(100, 160)]
    planter = Planter(pool, random.Random(2))
    for case in planter._wrong_pmids():
        assert case.sentence.endswith(f"[PMID:{case.wrong_pmid}].")
        assert case.right != f"PMID:{case.wrong_pmid}"
        assert case.right in {passage.document_id for passage in case.passages}
    for case in planter._injections():
        [planted] = [passage for passage in case.passages if passage.document_id == case.right]
        assert case.sentence in planted.text
