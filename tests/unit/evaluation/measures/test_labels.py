"""Accuracy and macro F1 of labels, against scikit-learn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.evaluation.measures.labels import accuracy, codes_of, confusion, macro_f1, macro_f1_of_codes

LABELS = ("yes", "no", "maybe")
sklearn_metrics = pytest.importorskip("sklearn.metrics")


def test_by_hand():
    pairs = [("yes", "yes"), ("yes", "no"), ("yes", None), ("no", "no"), ("no", "no"), ("maybe", "yes")]
    # yes: 1 right, 2 said, 3 gold: F1 2/5; no: 2 right, 3 said, 2 gold: 4/5; maybe: 0.
    assert accuracy(pairs) == 0.5
    assert macro_f1(pairs, LABELS) == pytest.approx((2 / 5 + 4 / 5 + 0) / 3)
    assert confusion(pairs) == {
        "maybe": {"yes": 1},
        "no": {"no": 2},
        "yes": {"no": 1, "none": 1, "yes": 1},
    }


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, None])), min_size=1, max_size=12))
def test_scikit_learn_agrees(pairs):
    gold, said = [pair[0] for pair in pairs], [pair[1] or "none" for pair in pairs]
    expected = sklearn_metrics.f1_score(gold, said, labels=LABELS, average="macro", zero_division=0)
    assert macro_f1(pairs, LABELS) == pytest.approx(expected)
    assert macro_f1_of_codes(codes_of(pairs, LABELS), len(LABELS)) == pytest.approx(expected)
    assert accuracy(pairs) == pytest.approx(sklearn_metrics.accuracy_score(gold, said))


def test_nothing_is_said_of_no_questions():
    assert accuracy([]) is None
    assert macro_f1([], LABELS) is None
