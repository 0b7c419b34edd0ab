"""Scores of any system, read from JSON lines and CSV, compared by the gate and shown in a leaderboard."""

import json
import subprocess
import sys

import pytest

from llama_index_medqa.cli.command import main
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.gate.comparison import compare
from llama_index_medqa.evaluation.gate.html_report import as_html
from llama_index_medqa.evaluation.gate.junit_markdown import as_junit, as_markdown
from llama_index_medqa.evaluation.gate.leaderboard import leaderboard
from llama_index_medqa.evaluation.gate.margins import Margins
from llama_index_medqa.evaluation.gate.score_file import read_any_results
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.results import CaseResult, MeasureInfo, Results, write_results
from llama_index_medqa.evaluation.score import Score

HEAD = {"system": "theirs", "measures": {"Latency": {"unit": "seconds", "higher_is_better": False}}}


def written(path, rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def test_of_our_own_measures_a_file_need_not_say_whether_less_is_better(tmp_path):
    measures = [*measures_of(), *measures_of(["CitationSupport(verifier)", "CitationContradiction(verifier)"])]
    scores = {measure.name: 1 for measure in measures}
    found = read_any_results(written(tmp_path / "ours.jsonl", [{"id": "1", "scores": scores}]))
    assert {info.name: info.higher_is_better for info in found.measures} == {
        measure.name: measure.higher_is_better for measure in measures
    }


def rows(right, cases=100, **scores):
    return [{"id": str(one), "scores": {"Accuracy": int(one < right), **scores}} for one in range(cases)]


def test_json_lines_say_what_there_is(tmp_path):
    lines = [
        HEAD,
        {"id": 1, "scores": {"Accuracy": True, "Latency": 2.5}, "group": "g", "question": "Tea?"},
        {"id": "2", "scores": {"Accuracy": None, "Latency": {"unscored": "timeout", "detail": "60 s"}}},
        {"id": "3", "scores": {"Accuracy": {"not_applicable": "no label"}}},
        '{"id": "4", "scores": {"Accuracy": NaN, "Latency": 1}}',
    ]
    found = read_any_results(written(tmp_path / "theirs.jsonl", lines))
    assert found.system == {"scores": "theirs"}
    assert [(one.name, one.unit, one.higher_is_better) for one in found.measures] == [
        ("Accuracy", "share", True),
        ("Latency", "seconds", False),
    ]
    accuracy, latency = found.summary("Accuracy"), found.summary("Latency")
    assert (accuracy.values, accuracy.clusters) == ([1.0], ["g"])
    assert (accuracy.unscored, accuracy.not_applicable) == ({"not a number": 2}, {"no label": 1})
    assert (latency.values, latency.unscored) == ([2.5, 1.0], {"timeout": 1, "no score in the file": 1})
    assert found.cases[0].question == "Tea?"


def test_csv_has_a_column_for_each_measure(tmp_path):
    text = "id,group,Accuracy,BLEU,Seconds\n1,g,1,31.5,2\n2,g,,40,\n3,h,0.5,nan,4\n"
    found = read_any_results(written(tmp_path / "bleu.csv", [text]))
    assert [(one.name, one.unit, one.higher_is_better) for one in found.measures] == [
        ("Accuracy", "share", True),
        ("BLEU", "number", True),
        ("Seconds", "seconds", False),
    ]
    assert found.summary("Accuracy").clusters == ["g", "h"]
    assert found.summary("BLEU").values == [31.5, 40.0]
    assert found.summary("Seconds").unscored == {"not a number": 1}


def test_verdicts_say_better_not_worse_worse_or_nothing(tmp_path):
    paths = {count: written(tmp_path / f"{count}.jsonl", rows(count)) for count in (40, 75, 80, 100)}
    shown = {
        (before, after): compare(paths[before], paths[after]).comparisons[0].verdict
        for before, after in ((80, 100), (80, 80), (80, 75), (80, 40), (100, 80))
    }
    assert shown == {
        (80, 100): "better",
        (80, 80): "not worse",
        (80, 75): "not enough evidence",
        (80, 40): "worse",
        (100, 80): "worse",
    }
    few = [written(tmp_path / f"few{right}.jsonl", rows(right, cases=10)) for right in (4, 6)]
    assert compare(*few).comparisons[0].verdict == "not enough evidence"
    better = compare(paths[80], paths[100])
    # Twenty cases gained and none lost: by chance once in 2 ** 20, or once in 10,001 of the flips that are drawn.
    assert better.comparisons[0].p_better == pytest.approx(1 / 10_001, rel=1)
    assert (better.verdict, better.passed) == ("pass", True)
    before, after = read_any_results(paths[80]), read_any_results(paths[40])
    worse = compare(before, after)
    assert "❌ worse" in as_markdown(worse)
    assert 'failures="1"' in as_junit(worse)
    assert 'class="verdict worse"' in as_html(worse, before, after)


def test_better_is_corrected_for_the_number_of_measures(tmp_path):
    """Five cases gained, none lost: p = 1/32 alone, and 4/32 as the least of four measures."""
    steady = {"b": 1, "c": 1, "d": 1}
    alone = [written(tmp_path / f"a{right}.jsonl", rows(right)) for right in (90, 95)]
    among = [written(tmp_path / f"m{right}.jsonl", rows(right, **steady)) for right in (90, 95)]
    assert compare(*alone).comparisons[0].verdict == "better"
    report = compare(*among)
    assert report.comparisons[0].p_better == pytest.approx(4 / 32)
    assert report.comparisons[0].verdict == "not worse"


def test_scores_of_another_system_stand_beside_our_results_in_any_order(tmp_path):
    cases = [CaseResult(str(one), f"{one}?", str(one), None, "", {"Accuracy": Score.of(1.0)}) for one in range(100)]
    ours = Results({"engine": "x"}, "abc", [MeasureInfo("Accuracy", "share", True, True)], cases)
    write_results(tmp_path / "ours.json", ours)
    theirs = written(tmp_path / "theirs.jsonl", list(reversed(rows(60))))
    report = compare(tmp_path / "ours.json", theirs, Margins({"Accuracy": 0.05}))
    assert report.comparisons[0].verdict == "worse"
    assert report.comparisons[0].better_by.mean == pytest.approx(-0.4)
    with pytest.raises(InputError, match="1 only in the baseline"):
        compare(tmp_path / "ours.json", written(tmp_path / "less.jsonl", rows(60, cases=99)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no file of results"),
        ("hello\nworld\n", "is no file of results"),
        ('{"id": "1", "scores": {"A": 1}}\n{"id": "1", "scores": {"A": 0}}', "line 2: the case '1' has scores already"),
        ('{"id": "1", "scores": {"A": "good"}}', "line 1: A score must be a number"),
        ('{"id": "1", "scores": {"A": 1}}\n{"id": "2"}', "line 2: must have 'id', and 'scores'"),
        ('{"scores": {"A": 1}}', "line 1: must have 'id'"),
        ('{"id": "1", "scores": {}}', "holds no score"),
        ('{"id": "1", "scores": {"A": 1}}\n{"id":', "line 2: not JSON"),
        ('{"measures": {"B": {}}}\n{"id": "1", "scores": {"A": 1}}', "without a score: B"),
        ('{"measures": ["B"]}\n{"id": "1", "scores": {"A": 1}}', "'measures' must describe each measure"),
        ('{"measures": {"A": {"unit": "share"}}}\n{"id": "1", "scores": {"A": 3}}', "scores outside 0 to 1"),
        ('{"measures": {"A": {"unit": "miles"}}}\n{"id": "1", "scores": {"A": 3}}', "must be one of share"),
        ("id,A\n1,good\n", "line 2: A must be a number or empty"),
        ("id,A\n1,1\n1,0\n", "the case '1' has scores already"),
        ("id\n1\n", "is no file of results"),
        ('{"format": "other", "cases": []}', "is no file of results"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_says_why(tmp_path, text, message):
    path = tmp_path / "scores"
    path.write_text(text)
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        read_any_results(path)


def test_a_leaderboard_puts_the_best_first(tmp_path):
    systems = {name: read_any_results(written(tmp_path / name, rows(right))) for name, right in (("a", 50), ("b", 80))}
    table = leaderboard(systems)
    assert [name for name, _ in table.rows] == ["b", "a"]
    assert table.cells()[0][1].startswith("0.800 (0.7")
    lines = table.as_markdown().splitlines()
    assert lines[:2] == ["| system | Accuracy |", "| --- | --- |"]
    with pytest.raises(InputError, match="was not scored by BLEU"):
        leaderboard(systems, ["BLEU"])
    with pytest.raises(InputError, match="different cases"):
        leaderboard({**systems, "c": read_any_results(written(tmp_path / "c", rows(5, cases=10)))})
    slow = {
        name: read_any_results(written(tmp_path / name, rows(5, Seconds=time))) for name, time in (("s", 9), ("f", 2))
    }
    assert [name for name, _ in leaderboard(slow, ["Seconds"]).rows] == ["f", "s"]
    assert leaderboard(slow, ["Seconds"]).heads() == ["system", "Seconds (less is better)"]


def test_the_command_shows_and_writes_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, right in (("one", 50), ("two", 80)):
        written(tmp_path / f"{name}.jsonl", rows(right))
    monkeypatch.setattr(sys, "argv", ["medqa", "leaderboard", "one.jsonl", "two.jsonl", "--markdown", "board.md"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    shown = capsys.readouterr().out
    assert shown.index("two") < shown.index("one")
    assert (tmp_path / "board.md").read_text().startswith("| system | Accuracy |")
    monkeypatch.setattr(sys, "argv", ["medqa", "leaderboard", "one.jsonl", "one.jsonl"])
    with pytest.raises(SystemExit):
        main()
    assert "given twice" in capsys.readouterr().err


def test_reading_scores_loads_neither_a_store_nor_a_client(tmp_path):
    path = str(written(tmp_path / "scores.jsonl", rows(50)))
    program = (
        "import sys\nfrom llama_index_medqa.cli import main\n"
        f"for words in (['gate', {path!r}, {path!r}], ['leaderboard', {path!r}]):\n"
        "    sys.argv = ['medqa', *words]\n"
        "    try:\n        main()\n"
        "    except SystemExit as end:\n        assert not end.code, end.code\n"
        "print('loaded:', sorted({'chromadb', 'openai', 'llama_index.core', 'torch'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "loaded: []"
