"""`medqa judge calibrate`, and what reports tell of judges."""

import json

import pytest

from llama_index_medqa.evaluation.gate.junit_markdown import describe_judge
from llama_index_medqa.evaluation.results import MeasureInfo
from llama_index_medqa.testing import ScriptedEntailment
from llama_index_medqa.verification import verifier
from llama_index_medqa.verification.entailment import Entailment

PAIRS = [
    ("Green tea lowered the resting heart rate.", "supported"),
    ("Green tea raised the resting heart rate.", "refuted"),
    ("Vaccines prevent measles.", "neutral"),
]


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "tea.jsonl"
    evidence = ["Green tea lowered the resting heart rate by 3.5 beats per minute.", "Coffee was not studied."]
    rows = ({"claim": claim, "evidence": evidence, "label": label} for claim, label in PAIRS)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def scripted(monkeypatch):
    """A verifier that goes by shared words, but knows what was raised and what was lowered."""
    told = {("lowered", PAIRS[1][0]): Entailment(0.25, 0.05, 0.7)}
    monkeypatch.setattr(verifier, "EntailmentEncoder", lambda: ScriptedEntailment(told))


@pytest.mark.usefixtures("scripted")
def test_a_judge_is_held_against_labels_beside_what_it_has_to_beat(medqa, labels, tmp_path):
    output = tmp_path / "quality.json"
    code, out, err = medqa("judge", "calibrate", labels, "--judge", "verifier", "--json", "--output", output)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found == json.loads(output.read_text())
    assert found["judge"]["judge"] == "verifier"
    assert list(found["sets"]["tea"]) == ["verifier", "word overlap", "length"]
    assert found["sets"]["tea"]["verifier"]["auroc"][0] == 1.0
    assert found["sets"]["tea"]["verifier"]["balanced_accuracy"][0] == 1.0
    # Chances of 1, 1/4 and 0: 1/4 over a third of the pairs, in its bin alone.
    assert found["sets"]["tea"]["verifier"]["calibration_error"][0] == pytest.approx(0.25 / 3, abs=1e-4)
    # All words but "lowered" or "raised" stand there.
    assert found["sets"]["tea"]["word overlap"]["supported_against_refuted"][0] == 1.0
    assert found["sets"]["tea"]["length"]["calibration_error"] is None
    code, out, _ = medqa("judge", "calibrate", labels, "--judge", "verifier")
    assert code == 0
    assert "word overlap" in out


def test_mistakes_are_told_in_a_line(medqa, labels):
    code, _, err = medqa("judge", "calibrate", labels, "--judge", "oracle")
    assert (code, err.startswith("Error: There is no judge 'oracle'")) == (2, True)
    code, _, err = medqa("judge", "calibrate", labels, "--judge", "attribution")
    assert (code, err) == (2, "Error: The judge 'attribution' is no more: choose 'verifier', which took its place.\n")
    code, _, err = medqa("judge", "calibrate", labels, labels, "--judge", "verifier")
    assert (code, "Two files have the same name" in err) == (2, True)


def test_reports_tell_what_a_judge_is_worth_or_that_nobody_knows():
    def told(judge, quality=None):
        return describe_judge(MeasureInfo("Faithfulness(x)", "share", True, True, judge, quality))

    assert told(None) == ""
    assert "not measured" in told({"judge": "x"})
    assert told({"judge": "x"}, {"SciFact": [0.8512, 0.8, 0.9]}) == (
        "Faithfulness(x): its judge against people's labels, AUROC: SciFact 0.85 (0.80 to 0.90)"
    )
