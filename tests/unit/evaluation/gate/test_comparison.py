"""The gate on files of results: what passes, what fails, and what it tells of it."""

import asyncio
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from llama_index_medqa.cli.command import main
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.gate.comparison import compare
from llama_index_medqa.evaluation.gate.html_report import as_html
from llama_index_medqa.evaluation.gate.junit_markdown import as_junit, as_markdown
from llama_index_medqa.evaluation.gate.margins import Margins, read_margins
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.results import read_results, write_results
from llama_index_medqa.evaluation.runs.runner import Reply
from llama_index_medqa.evaluation.runs.scoring import score_all
from tests.conftest import REPOSITORY

CASES = [
    EvaluationCase(str(number), f"Does drug {number} help <b>anyone</b>?", (f"PMID:{number}",), (), "yes")
    for number in range(100)
]
MEASURES = measures_of(["Recall@5", "Accuracy", "RetractedEvidence", "Seconds"])
NASTY = "<script>document.title='owned'</script> & \x00 “α”"


def results(*, wrong=(), missing=(), unparsable=(), failed=(), retracted=(), seconds=1.0, adapter=None):
    """Results in which everything is right but for the cases named."""
    replies = []
    for number, case in enumerate(CASES):
        text = "Perhaps." if number in unparsable else f"No. {NASTY}" if number in wrong else "Yes."
        found = "PMID:999" if number in missing else case.gold_documents[0]
        status = "retracted" if number in retracted else "current"
        answer = Answer(text, (Evidence(found, "text", status),), seconds=seconds)
        replies.append(Reply(failure="TimeoutError: no answer") if number in failed else Reply(answer))
    told = {"adapter": adapter, "run": lambda: {"started": f"at {seconds}"}}
    return asyncio.run(score_all(CASES, replies, MEASURES, system={"engine": "x"}, **told))


def verdicts(report):
    return {one.measure.name: one.verdict for one in report.comparisons}


def test_an_equal_candidate_passes_also_without_any_margin():
    report = compare(results(), results(seconds=2.0), Margins({"Recall@5": 0.0, "Accuracy": 0.05}))
    assert (report.verdict, report.passed) == ("pass", True)
    assert verdicts(report)["Seconds"] == "not gated"
    assert report.comparisons[0].reason == "no case changed"


def test_a_worse_candidate_fails_and_a_better_one_passes():
    worse, better = results(missing=range(20)), results()
    report = compare(better, worse, Margins())
    assert verdicts(report)["Recall@5"] == "worse"
    assert not report.passed
    [recall] = [one for one in report.comparisons if one.measure.name == "Recall@5"]
    assert recall.better_by.mean == pytest.approx(-0.2)
    assert (recall.changed.gained, recall.changed.lost) == (0, 20)
    assert compare(worse, better, Margins()).verdict == "pass"


def test_less_is_better_where_it_is():
    report = compare(results(), results(retracted=range(20)), Margins({"RetractedEvidence": 0.05}))
    assert verdicts(report)["RetractedEvidence"] == "worse"
    assert compare(results(retracted=range(20)), results(), Margins({"RetractedEvidence": 0.0})).verdict == "pass"
    slower = compare(results(), results(seconds=3.5), Margins({"Seconds": 2.0}))
    assert (verdicts(slower)["Seconds"], slower.comparisons[-1].margin) == ("worse", 2.0)
    assert compare(results(), results(seconds=2.5), Margins({"Seconds": 2.0})).verdict == "pass"


def test_what_can_be_told_neither_way_is_said_and_is_the_file_s_to_decide():
    before, after = results(missing=range(10)), results(missing=range(5, 18))
    report = compare(before, after, Margins({"Recall@5": 0.05}))
    [recall] = [one for one in report.comparisons if one.measure.name == "Recall@5"]
    assert (recall.verdict, report.verdict, report.passed) == ("not enough evidence",) * 2 + (True,)
    assert f"with {recall.cases_for} such cases" in recall.reason
    assert recall.cases_for > 100
    strict = compare(before, after, Margins({"Recall@5": 0.05}, not_enough_evidence="fail"))
    assert not strict.passed


def test_too_many_unscored_cases_fail_and_failures_are_among_them():
    few = compare(results(), results(unparsable=range(2)), Margins({"Accuracy": 0.05}))
    assert verdicts(few)["Accuracy"] == "not worse"
    assert len(few.comparisons[1].differences) == 98
    many = compare(results(), results(unparsable=range(2), failed=[50]), Margins({"Accuracy": 0.05}))
    assert verdicts(many)["Accuracy"] == "not scored"
    assert "3.0% of the candidate's cases could not be scored (2 unparsable, 1 timeout)" in many.comparisons[1].reason


def test_the_gate_of_a_file_with_itself_never_fails():
    broken = results(unparsable=range(10), failed=range(10, 20))
    report = compare(broken, broken, Margins())
    assert (report.verdict, report.passed) == ("not enough evidence", True)
    [accuracy] = [one for one in report.comparisons if one.measure.name == "Accuracy"]
    assert "20.0% of the candidate's cases could not be scored" in accuracy.reason
    assert accuracy.reason.endswith("and the baseline has no fewer")
    # One more than the baseline has, and it fails as before.
    worse = compare(broken, results(unparsable=range(10), failed=range(10, 21)), Margins({"Accuracy": 0.05}))
    assert worse.verdict == "fail"


def first(made, count):
    return replace(made, cases=made.cases[:count])


def test_a_few_cases_that_did_not_change_show_nothing():
    # (1 - 0.05) ** 58 = 0.0510 and (1 - 0.05) ** 59 = 0.0485; (1 - 0.4) ** 6 = 0.047.
    expected = {
        (6, 0.05): False,
        (6, 0.4): True,
        (58, 0.05): False,
        (59, 0.05): True,
        (58, 0.0): False,
        (59, 0.0): True,
    }
    for (count, margin), passes in expected.items():
        report = compare(first(results(), count), first(results(), count), Margins({"Accuracy": margin}))
        assert report.verdict == ("pass" if passes else "not enough evidence"), (count, margin)
    six = compare(first(results(), 6), first(results(), 6), Margins({"Accuracy": 0.05}, not_enough_evidence="fail"))
    assert not six.passed
    assert "no case changed, but 6 independent cases could not show it: it takes 59" in as_markdown(six)


def test_a_baseline_without_scores_shows_nothing():
    report = compare(results(unparsable=range(100)), results(), Margins({"Accuracy": 0.05}))
    [accuracy] = [one for one in report.comparisons if one.measure.name == "Accuracy"]
    assert (accuracy.verdict, accuracy.reason) == ("not enough evidence", "the baseline has no score")
    assert accuracy.better_by is None
    [row] = [line for line in as_markdown(report).splitlines() if line.startswith("| Accuracy ")]
    assert "| – |" in row


def test_cases_that_are_answered_no_more_are_shown():
    before, after = results(failed=[7]), results(failed=[7, 8])
    page = as_html(compare(before, after, Margins()), before, after)
    lost = page.partition("<h3>No answer any more</h3>")[2].partition("<h3>")[0]
    assert "Does drug 8 help &lt;b&gt;anyone&lt;/b&gt;?" in lost
    assert "TimeoutError: no answer" in lost
    assert "Does drug 7 help" not in lost


def test_copies_of_one_case_are_one_case():
    made = results()
    copies = replace(made, cases=[replace(case, cluster="the same") for case in made.cases])
    assert compare(copies, copies, Margins({"Accuracy": 0.05})).verdict == "not enough evidence"


def test_an_adapter_that_was_not_proved_fails():
    unproved = {"name": "medqa", "verified": False, "gap": "no manifest", "checks": []}
    report = compare(results(), results(adapter=unproved), Margins())
    assert (report.verdict, report.problems) == (
        "fail",
        ["the LoRA adapter was not proved to be the one that answered: no manifest"],
    )
    assert compare(results(), results(adapter={"verified": True}), Margins()).verdict == "pass"
    required = Margins(adapter="required")
    assert compare(results(), results(adapter={"verified": True}), required).verdict == "pass"
    assert "one is required" in compare(results(), results(), required).problems[0]


def test_a_gated_measure_that_the_candidate_lacks_fails():
    candidate = results()
    cases = [replace(case, scores={"Accuracy": case.scores["Accuracy"]}) for case in candidate.cases]
    report = compare(results(), replace(candidate, cases=cases), Margins({"Recall@5": 0.05}))
    assert report.verdict == "fail"
    assert "no case of the baseline's was scored" in report.comparisons[0].reason


def test_what_cannot_be_compared_is_an_error():
    other = replace(results(), cases_fingerprint="other")
    with pytest.raises(InputError, match="of different cases"):
        compare(results(), other, Margins())
    with pytest.raises(InputError, match="margin is given for BLEU"):
        compare(results(), results(), Margins({"BLEU": 0.1}))
    with pytest.raises(InputError, match="No measure is gated"):
        compare(results(), results(), Margins({}))


def test_five_in_a_hundred_equal_candidates_fail_at_most():
    """A small cut of benchmarks/evaluation/gate_simulation.py: three measures that change at random, no margin."""
    random, failed = np.random.default_rng(6), 0
    names = ["Recall@5", "Accuracy", "RetractedEvidence"]
    for _ in range(100):
        before, after = (
            results(**{name: np.flatnonzero(random.random(100) < 0.2) for name in ("missing", "wrong", "retracted")})
            for _ in range(2)
        )
        failed += compare(before, after, Margins(dict.fromkeys(names, 0.0))).verdict == "fail"
    # 99.9 % of such counts are below, if 5 % is true.
    assert failed <= 13


def test_two_runs_give_the_same_file_but_for_the_run_block(tmp_path):
    for name, seconds in (("a", 1.0), ("b", 2.0)):
        write_results(tmp_path / name, results(wrong=range(3), seconds=seconds))
    first, second = (json.loads((tmp_path / name).read_text()) for name in "ab")
    assert first.pop("run") != second.pop("run")
    assert json.dumps(first) == json.dumps(second)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_file_of_results_comes_back(tmp_path):
    made = results(unparsable=[1], failed=[2], adapter={"verified": True})
    write_results(tmp_path / "a.json", made)
    back = read_results(tmp_path / "a.json")
    assert back.as_data() == made.as_data()
    assert compare(made, back, Margins()).verdict == "pass"


def test_a_number_that_is_none_leaves_the_rest_of_a_file(tmp_path):
    data = results().as_data()
    for number, value in enumerate([float("nan"), float("inf"), None, {"mean": 0.5, "repeats": [1.0, float("nan")]}]):
        data["cases"][number]["scores"]["Accuracy"] = value
    (tmp_path / "a.json").write_text(json.dumps(data))
    back = read_results(tmp_path / "a.json").summary("Accuracy")
    assert (len(back.values), back.unscored) == (96, {"not a number": 4})


@pytest.mark.parametrize("text", ["", "[]", '{"format": "2"}', '{"format": "llama-index-medqa evaluation 1"}'])
def test_what_is_no_file_of_results_is_told(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match="no file of results"):
        read_results(tmp_path / "a.json")


def test_margins_of_a_file(tmp_path):
    path = tmp_path / "margins.toml"
    path.write_text('level = 0.1\nnot_enough_evidence = "fail"\n[margins]\n"nDCG@10" = 0.03\nSeconds = 2\n')
    margins = read_margins(path)
    assert (margins.level, dict(margins.margins)) == (0.1, {"nDCG@10": 0.03, "Seconds": 2})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("level = 0", "level must be"),
        ("power = 1.0", "power must be"),
        ("unscored_limit = true", "unscored_limit must be"),
        ("levle = 0.1", "remove 'levle', which nothing reads"),
        ('not_enough_evidence = "ask"', "'pass' or 'fail'"),
        ('adapter = "maybe"', "'if used' or 'required'"),
        ("[margins]\nAccuracy = -1", "margin of 'Accuracy'"),
        ("[margins]\nAccuracy = nan", "margin of 'Accuracy'"),
        ("margins = 3", "must be a table"),
        ("[", "cannot be read as TOML"),
    ],
)
def test_wrong_margins_are_told(tmp_path, text, message):
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_margins(tmp_path / "m.toml")


MIXED = Margins({"Recall@5": 0.05, "Accuracy": 0.05, "RetractedEvidence": 0.0})
BEFORE = results(missing=range(10), wrong=[40])
AFTER = results(missing=range(5, 18), wrong=range(30, 60), adapter={"verified": False, "gap": f"none {NASTY}"})


def test_junit_counts_what_it_holds():
    suite = ElementTree.fromstring(as_junit(compare(BEFORE, AFTER, MIXED)))
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {
        "run": ["failure"],
        "Recall@5": ["skipped", "system-out"],
        "Accuracy": ["failure", "system-out"],
        "RetractedEvidence": ["system-out"],
    }
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "2", "1")


def test_markdown_has_a_row_a_measure():
    text = as_markdown(compare(BEFORE, AFTER, MIXED))
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert rows == ["measure", "Recall@5", "Accuracy", "RetractedEvidence", "Seconds"]
    assert "1 cases gained, 30 lost" not in text
    assert "0 cases gained, 29 lost" in text


class Page(HTMLParser):
    """What a page refers to and is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.references = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "href", "srcset", "action")]


def test_the_page_needs_nothing_and_runs_nothing():
    text = as_html(compare(BEFORE, AFTER, MIXED), BEFORE, AFTER)
    page = Page(text)
    assert (page.references, page.tags.count("script"), "@import" in text, "url(" in text) == ([], 0, False, False)
    # Means, a difference for each of four measures, and the cases of the two that changed.
    assert page.tags.count("svg") == 1 + 4 + 2
    # The worst five of both, each with both texts.
    assert text.count('class="case"') == 10
    assert "&lt;script&gt;" in text


def test_the_page_in_a_browser(tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("needs chromium: apt-get install chromium")
    page = tmp_path / "report.html"
    page.write_text(as_html(compare(BEFORE, AFTER, MIXED), BEFORE, AFTER), encoding="utf-8")
    switches = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    switches += "--disable-component-update --disable-sync --window-size=1100,3000"
    command = [browser, *switches.split(), f"--user-data-dir={tmp_path / 'profile'}"]
    shot = tmp_path / "page.png"
    subprocess.run([*command, f"--screenshot={shot}", page.as_uri()], check=True, capture_output=True, timeout=120)
    shown = subprocess.run([*command, "--dump-dom", page.as_uri()], check=True, capture_output=True, timeout=120)
    dom = shown.stdout.decode()
    assert "<title>medqa gate: fail</title>" in dom  # the script in an answer did not run
    assert Page(dom).tags.count("svg") == 7
    # Not a blank page: red, green, grey and blue marks stand in it.
    assert shot.stat().st_size > 50_000


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_results("before.json", BEFORE)
    write_results("worse.json", AFTER)
    return tmp_path


def gate(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["medqa", "gate", *arguments])
    try:
        main()
    except SystemExit as exit_:
        return exit_.code or 0
    return 0


def test_the_command_writes_its_reports_and_exits_with_the_verdict(files, monkeypatch, capsys):
    reports = ["--junit", "j.xml", "--markdown", "s.md", "--html", "r.html"]
    assert gate(monkeypatch, "before.json", "before.json", *reports) == 0
    assert gate(monkeypatch, "before.json", "worse.json", *reports) == 1
    assert "Gate: fail" in capsys.readouterr().out
    assert ElementTree.parse("j.xml").getroot().get("failures") != "0"
    # Of a step's summary others have written before, nothing is lost.
    assert (files / "s.md").read_text().count("## ") == 2
    assert gate(monkeypatch, "before.json", "none.json") == 1
    assert "no file of results" in capsys.readouterr().err


def test_the_gate_loads_neither_a_store_nor_a_client(tmp_path):
    suite = REPOSITORY / "benchmarks" / "gates"
    baseline, margins = str(suite / "baselines" / "suite.json"), str(suite / "suite" / "margins.toml")
    program = (
        "import sys\n"
        "from llama_index_medqa.cli import main\n"
        f"sys.argv = ['medqa', 'gate', {baseline!r}, {baseline!r}, '--margins', {margins!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print('loaded:', sorted({'chromadb', 'openai', 'llama_index.core', 'torch'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "loaded: []"
