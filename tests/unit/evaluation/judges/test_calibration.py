"""The figures of a judge's quality, against scikit-learn's definitions counted by hand and against scipy."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.judges.calibration import (
    LabelledPair,
    auroc,
    balanced_accuracy,
    calibration_error,
    judge_pairs,
    length,
    load_pairs,
    mean_of,
    quality,
    word_overlap,
)
from llama_index_medqa.evaluation.score import Score

ROWS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(label for _, label in rows) < len(rows)
)


def arrays(rows):
    return np.array([score for score, _ in rows]), np.array([label for _, label in rows]), np.ones(len(rows))


def pair(label, group="g", claim="Tea helps.", evidence="Tea was drunk."):
    return LabelledPair(claim, evidence, label, group)


@given(ROWS)
def test_auroc_is_mann_whitney_s_statistic(rows):
    stats = pytest.importorskip("scipy.stats")
    up, down = ([score for score, label in rows if label is wanted] for wanted in (True, False))
    assert auroc(*arrays(rows)) == pytest.approx(stats.mannwhitneyu(up, down).statistic / len(up) / len(down), abs=1e-9)


@given(ROWS, st.data())
def test_a_weight_is_so_many_copies(rows, data):
    weights = data.draw(st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows)))
    copies = [row for row, weight in zip(rows, weights, strict=True) for _ in range(weight)]
    scores, labels, _ = arrays(rows)
    for figure in (auroc, balanced_accuracy, calibration_error):
        assert figure(scores, labels, np.array(weights, float)) == pytest.approx(figure(*arrays(copies)), abs=1e-9)


@given(ROWS)
def test_the_calibration_error_is_that_of_the_bins_one_by_one(rows):
    expected = 0.0
    for number in range(10):
        inside = [row for row in rows if min(int(row[0] * 10), 9) == number]
        if inside:
            confidence = math.fsum(score for score, _ in inside) / len(inside)
            accuracy = sum(label for _, label in inside) / len(inside)
            expected += len(inside) / len(rows) * abs(confidence - accuracy)
    assert calibration_error(*arrays(rows)) == pytest.approx(expected, abs=1e-9)


def test_figures_by_hand():
    rows = [(0.9, True), (0.8, False), (0.6, True), (0.5, True), (0.2, False), (0.1, True)]
    # Of 8 pairs of a supported and another claim: 0.9 beats both, 0.6 and 0.5 beat 0.2, 0.1 beats none.
    assert auroc(*arrays(rows)) == pytest.approx(4 / 8)
    # 3 of 4 supported at 0.5 or more, 1 of 2 others below.
    assert balanced_accuracy(*arrays(rows)) == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert calibration_error(*arrays(rows)) == pytest.approx((0.1 + 0.8 + 0.4 + 0.5 + 0.2 + 0.9) / 6)


def test_one_kind_of_label_has_no_area():
    assert math.isnan(auroc(np.array([0.1, 0.2]), np.array([True, True]), np.ones(2)))
    found = quality([Score.of(0.1), Score.of(0.2)], [pair("supported"), pair("supported")])
    assert (found.auroc, found.balanced_accuracy) == (None, None)
    assert found.calibration_error is not None


def test_neutral_claims_are_left_out_of_supported_against_refuted_and_failures_of_everything():
    pairs = [pair("supported", "1"), pair("neutral", "2"), pair("refuted", "3"), pair("refuted", "4")]
    scores = [Score.of(0.5), Score.of(0.9), Score.of(0.1), Score.unscored("judge timeout")]
    found = quality(scores, pairs, resamples=50)
    assert found.auroc.value == 0.5
    assert found.supported_against_refuted.value == 1.0
    assert (dict(found.unscored), dict(found.pairs)) == (
        {"judge timeout": 1},
        {"supported": 1, "neutral": 1, "refuted": 1},
    )
    assert json.loads(json.dumps(found.as_data()))["auroc"][0] == 0.5
    assert quality(scores, pairs, probabilities=False, resamples=50).calibration_error is None


def test_nothing_scored_is_an_error():
    with pytest.raises(InputError, match="No pair was scored"):
        quality([Score.unscored("judge timeout")], [pair("supported")])
    with pytest.raises(InputError, match="1 scores and 2 pairs"):
        quality([Score.of(1)], [pair("supported"), pair("neutral")])


def test_groups_widen_the_interval():
    random = np.random.default_rng(1)
    truth = np.repeat(random.random(40) < 0.5, 5)
    # Five claims of a group are as right or wrong as one.
    scores = [Score.of(float(value)) for value in np.clip(truth * 0.3 + np.repeat(random.random(40), 5) * 0.7, 0, 1)]
    labels = ["supported" if one else "refuted" for one in truth]
    alone = quality(scores, [pair(label, str(number)) for number, label in enumerate(labels)]).auroc
    grouped = quality(scores, [pair(label, str(number // 5)) for number, label in enumerate(labels)]).auroc
    assert alone.low < alone.value < alone.high
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


class Counting:
    name = "counting"

    def __init__(self):
        self.calls = []

    @property
    def identity(self):
        return {"judge": self.name}

    async def score_all(self, claims, evidence):
        self.calls.append((list(claims), list(evidence)))
        return [Score.unscored("judge timeout") if "fails" in claim else Score.of(len(claim) / 100) for claim in claims]


async def test_sentences_of_a_claim_are_judged_one_by_one_and_evidence_is_read_once():
    judge = Counting()
    pairs = [
        pair("supported", claim="Tea helps greatly. It does.", evidence="A."),
        pair("neutral", claim="Tea helps.", evidence="A."),
        pair("neutral", claim="It fails. Tea.", evidence="B."),
    ]
    told = []
    assert await judge_pairs(judge, pairs, lambda done, whole: told.append((done, whole))) == [
        Score.of((0.18 + 0.08) / 2),
        Score.of(0.1),
        Score.unscored("judge timeout"),
    ]
    assert judge.calls == [
        (["Tea helps greatly.", "It does.", "Tea helps."], ["A."]),
        (["It fails.", "Tea."], ["B."]),
    ]
    assert told == [(2, 3), (3, 3)]
    assert mean_of([Score.of(0.5), Score.of(0.25)]) == Score.of(0.375)


def test_baselines():
    one = pair("supported", claim="Green tea lowers pulses.", evidence="The pulse was lowered by coffee.")
    assert (word_overlap(one), length(one)) == (0.5, 4.0)


def test_pairs_are_read(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text(
        '{"claim": "Tea helps.", "evidence": ["Tea.", "Coffee."], "label": "neutral", "group": "7"}\n'
        # A line separator of Unicode's ends no line of JSON.
        '{"claim": "Tea.", "evidence": "Tea.\u2028", "label": "supported"}\n\n'
    )
    first, second = load_pairs(path)
    assert first == LabelledPair("Tea helps.", "Tea.\nCoffee.", "neutral", "7")
    assert second.supported
    assert first.group != second.group


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"claim": "Tea.", "evidence": "x", "label": "true"}', "line 1 has the label 'true'"),
        ('{"claim": "Tea.", "label": "neutral"}', "line 1 is no labelled pair"),
        ("[]", "line 1 is no labelled pair"),
        ("tea", "line 1: not JSON"),
        ("", "holds no labelled pair"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "labels.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        load_pairs(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_pairs(tmp_path / "missing.jsonl")
