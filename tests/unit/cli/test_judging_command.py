"""`medqa evaluate` with measures that ask a language model, against a double behind a real socket."""

import json
import sys

import pytest

from llama_index_medqa.cli.command import main
from llama_index_medqa.evaluation.gate.comparison import compare
from llama_index_medqa.evaluation.gate.margins import Margins
from llama_index_medqa.evaluation.results import read_results
from tests.doubles.judge_double import serving
from tests.unit.evaluation.judges.test_model_calls_killed import answers, cases

RECALL = ["--measure", "ContextRecall(ragas)"]


@pytest.fixture
def medqa(monkeypatch, capsys, tmp_path):
    """Scores stored answers in the test's own folder and gives (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    for name, rows in (("cases", cases()), ("answers", answers())):
        some = [row for row, _ in zip(rows, range(8), strict=False)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))

    def run(*arguments):
        common = ["medqa", "evaluate", "cases.jsonl", "--answers", "answers.jsonl"]
        monkeypatch.setattr(sys, "argv", [*common, *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_judge_that_failed_is_told_counted_and_asked_again(medqa, tmp_path):
    with serving(tmp_path / "calls", failures=3) as address:
        options = [*RECALL, "--judge-api-base", address, "--output", "r.json", "--judge-concurrency", 1]
        code, out, _ = medqa(*options)
        assert code == 3
        assert "Judge: 8 calls, 0 answers of earlier runs" in out
        assert "failed and to be asked again: 3 judge HTTP 503" in out
        summary = read_results("r.json").summary("ContextRecall(ragas)")
        assert (summary.unscored, len(summary.values)) == ({"judge HTTP 503": 3}, 5)
        code, out, _ = medqa(*options)
        assert code == 0
        assert "Judge: 3 calls, 5 answers of earlier runs, 800 tokens read and 80 written; a case: 1.0 calls" in out
    results = read_results("r.json")
    assert results.summary("ContextRecall(ragas)").estimate.mean == 0.5
    assert results.run["judge"]["failures"] == {}
    assert results.measures[0].judge["model"] == "canned-judge"


def test_the_scatter_of_repeats_is_told_beside_the_interval(medqa, tmp_path):
    with serving(tmp_path / "calls") as address:
        options = [*RECALL, "--judge-api-base", address, "--output", "r.json"]
        code, out, err = medqa(*options, "--judge-repeats", 3)
        assert (code, out) == (2, "")
        assert "--judge-repeats needs a --judge-temperature above 0" in err
        code, out, _ = medqa(*options, "--judge-repeats", 3, "--judge-temperature", 0.8)
    assert code == 0
    # The double draws nothing: all repeats are equal.
    assert "ContextRecall(ragas): from one judging to the next a case's score scatters by 0" in out
    data = json.loads((tmp_path / "r.json").read_text())
    assert data["summary"]["ContextRecall(ragas)"]["judging"] == {
        "between": 0.0, "within": 0.0, "reliability": None, "standard_error": 0.0, "from_judging": 0.0,
    }  # fmt: skip
    assert data["cases"][0]["scores"]["ContextRecall(ragas)"] == {"mean": 0.5, "repeats": [0.5] * 3}
    assert len((tmp_path / "calls").read_text().splitlines()) == 8 * 3


def test_scores_of_two_judges_are_not_compared(medqa, tmp_path):
    with serving(tmp_path / "calls") as address:
        for name, tokens in (("first", 50), ("second", 60)):
            options = [*RECALL, "--judge-api-base", address, "--judge-max-tokens", tokens]
            assert medqa(*options, "--output", f"{name}.json")[0] == 0
    first, second = read_results("first.json"), read_results("second.json")
    report = compare(first, second, Margins())
    assert report.verdict == "not enough evidence"
    assert "different judges (max_tokens 50 and 60): score both by one" in report.comparisons[0].reason
    # Six questions are too few to see a worsening, but the judges are one.
    assert "judges" not in compare(first, first, Margins()).comparisons[0].reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--judge-model", "gpt-9"], "does not serve 'gpt-9'; it serves 'canned-judge'. Choose one with --judge-model"),
        (["--measure", "Faithfulness(rags)"], "no measure 'Faithfulness(rags)'"),
        (["--measure", "Faithfulness(attribution)"], "no measure 'Faithfulness(attribution)': choose among"),
        (["--judge", "attribution"], "The judge 'attribution' is no more: choose 'verifier', which took its place."),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_asked(medqa, tmp_path, options, message):
    with serving(tmp_path / "calls") as address:
        code, out, err = medqa(*RECALL, *options, "--judge-api-base", address, "--output", "r.json")
    assert (code, out, err.count("\n")) == (2 if options[0] == "--judge" else 1, "", 1)
    assert message in err
    assert not (tmp_path / "r.json.answers.jsonl").exists()


def test_a_judge_that_is_nowhere_is_told_before_anything_is_asked(medqa, tmp_path):
    with serving(tmp_path / "calls") as address:
        pass
    code, _, err = medqa(*RECALL, "--judge-api-base", address, "--output", "r.json")
    assert (code, err.count("\n")) == (1, 1)
    assert f"No language-model server answers at {address}" in err
    code, _, err = medqa(*RECALL, "--profile", "mistral7b", "--output", "r.json")
    assert code == 2
    assert "The profile 'mistral7b' has no weights to judge with: give --judge-api-base." in err
    assert not (tmp_path / "r.json.answers.jsonl").exists()
