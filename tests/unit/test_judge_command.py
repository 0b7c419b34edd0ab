"""`medqa judge calibrate`, and what reports tell of judges."""

import json

import pytest

from llama_index_medqa.evaluation.gate_output import judge_told
from llama_index_medqa.evaluation.results import MeasureInfo

PAIRS = [
    ("Green tea lowered the resting heart rate.", "supported"),
    ("Green tea raised the resting heart rate.", "refuted"),
    ("Vaccines prevent measles.", "neutral"),
]


@pytest.fixture
def labels(tmp_path):
    place = tmp_path / "tea.jsonl"
    evidence = ["Green tea lowered the resting heart rate by 3.5 beats per minute.", "Coffee was not studied."]
    rows = ({"claim": claim, "evidence": evidence, "label": label} for claim, label in PAIRS)
    place.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def test_a_judge_is_held_against_labels_beside_what_it_has_to_beat(medqa, labels, tmp_path):
    output = tmp_path / "quality.json"
    code, out, err = medqa("judge", "calibrate", labels, "--judge", "attribution", "--json", "--output", output)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found == json.loads(output.read_text())
    assert found["judge"]["judge"] == "attribution"
    assert list(found["sets"]["tea"]) == ["attribution", "word overlap", "length"]
    assert found["sets"]["tea"]["attribution"]["auroc"][0] == 1.0
    assert found["sets"]["tea"]["attribution"]["balanced_accuracy"][0] == 1.0
    # All words but "lowered" or "raised" stand there.
    assert found["sets"]["tea"]["word overlap"]["supported_against_refuted"][0] == 1.0
    assert found["sets"]["tea"]["length"]["calibration_error"] is None
    code, out, _ = medqa("judge", "calibrate", labels, "--judge", "attribution")
    assert code == 0
    assert "word overlap" in out


def test_mistakes_are_told_in_a_line(medqa, labels):
    code, _, err = medqa("judge", "calibrate", labels, "--judge", "oracle")
    assert (code, err.startswith("Error: There is no judge 'oracle'")) == (1, True)
    code, _, err = medqa("judge", "calibrate", labels, labels, "--judge", "attribution")
    assert (code, "Two files have the same name" in err) == (1, True)


def test_reports_tell_what_a_judge_is_worth_or_that_nobody_knows():
    def told(judge, quality=None):
        return judge_told(MeasureInfo("Faithfulness(x)", "share", True, True, judge, quality))

    assert told(None) == ""
    assert "not measured" in told({"judge": "x"})
    assert told({"judge": "x"}, {"SciFact": [0.8512, 0.8, 0.9]}) == (
        "Faithfulness(x): its judge against people's labels, AUROC: SciFact 0.85 (0.80 to 0.90)"
    )
