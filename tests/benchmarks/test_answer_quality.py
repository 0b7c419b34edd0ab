"""From answered questions to the figures and tables of a results file."""

import json

import pytest

from benchmarks.answering.answer_quality import earlier, results_name, results_of
from benchmarks.answering.answer_summary import bootstrap_statistic, changes, question_list
from benchmarks.answering.answer_tables import as_markdown
from benchmarks.answering.gold_answers import GoldAnswer, load_gold_answers
from benchmarks.answering.question_scores import exact_items, scored, stated_label
from llama_index_medqa.evaluation.measures.labels import macro_f1
from tests.benchmarks.answered import GOLD_TEXT, row, sentence

LIST = GoldAnswer("list", items=(("erenumab", "Aimovig"), ("fremanezumab",)), ideal=("Erenumab and fremanezumab.",))

YES = GoldAnswer("yesno", "yes", ideal=("Yes, it is.",))


def items(*texts):
    """An exact answer as the response has it, as far as it is read."""
    return {"kind": "list", "label": None, "items": [{"text": text} for text in texts]}


def test_a_list_question_is_scored():
    question = scored(row("Erenumab does.", exact_answer=items("Aimovig", "topiramate")), LIST, GOLD_TEXT)
    scores = question.scores
    assert (scores["list: precision"], scores["list: recall"], scores["list: F1"]) == (0.5, 0.5, 0.5)
    assert scores["list: gold items in the sentences"] == 0.5
    assert scores["answerable: answer"] == 1
    assert scores["answerable: findings"] == 0
    assert (scores["sentences of an answer"], scores["papers of an answer"]) == (1, 1)
    assert scores["citation precision"] == 1
    # The ideal answer's pairs are erenumab-and and and-fremanezumab; of its 3 words and 3 pairs one word is said.
    assert scores["ideal answer: ROUGE-2 recall"] == 0
    assert scores["ideal answer: ROUGE-SU4 recall"] == pytest.approx(1 / 6)
    assert question.result == "right"


def test_what_is_not_answered_is_scored_too():
    scores = scored(row(abstained="nothing_supported", quotes=("A quote.",)), LIST, GOLD_TEXT).scores
    assert scores["answerable: findings"] == 1
    assert scores["list: F1"] == 0
    assert scores["ideal answer: ROUGE-2 recall"] == 0
    assert scores["ideal answer: ROUGE-2 recall, of those answered"] is None
    assert "citation precision" not in scores


def test_without_the_right_papers_only_the_outcome_counts():
    question = scored(row("It is.", gold_removed=True), YES, "")
    assert question.scores == {
        "unanswerable: answer": 1,
        "unanswerable: findings": 0,
        "unanswerable: nothing found": 0,
    }
    assert question.result is None


@pytest.mark.parametrize(
    ("answered", "label"),
    [
        (row("Yes, it is."), "yes"),
        (row("It is."), None),
        (row("It is.", exact_answer={"kind": "yes_no", "label": "yes", "items": []}), "yes"),
        (row("It is.", exact_answer=None), None),
        (row(abstained="nothing_supported", draft="Yes."), None),
    ],
)
def test_yes_or_no_is_read_from_the_exact_answer_or_the_sentences(answered, label):
    assert stated_label(answered["response"]) == label


def test_items_of_findings_are_told_apart():
    answered = row(abstained="nothing_supported", quotes=("A quote.",), exact_answer=items("erenumab"))
    assert exact_items(answered["response"]) == ["erenumab"]
    scores = scored(answered, LIST, GOLD_TEXT).scores
    # 1 of 1 item, 1 of 2 gold items.
    assert scores["list: F1"] == pytest.approx(2 / 3)
    assert scores["list: F1, of verified answers"] == 0


def test_sentences_that_were_cut_off_were_not_judged():
    dropped = [sentence("Half", "unsupported", "cut_off"), sentence("Wrong.", "contradicted", "not_entailed")]
    scores = scored(row("It is.", dropped=dropped), YES, GOLD_TEXT).scores
    assert scores["draft: supported sentences"] == 0.5
    assert scores["draft: contradicted sentences"] == 0.5


@pytest.fixture
def results():
    rows = [
        row("Yes, it is.", case="q1"),
        row("It is.", case="q2", first_sentence_seconds=5.0),
        row(abstained="no_evidence", shown=[], case="q3", seconds={"retrieve": 0.5}),
        row(abstained="no_evidence", gold_removed=True, case="q1", seconds={"retrieve": 0.5}),
    ]
    questions = [scored(answered, YES, GOLD_TEXT) for answered in rows]
    return {
        "provenance": {"date": "2026-01-01", "commit": "0" * 40, "processor": "p", "command": "c"},
        "split": "calibration",
        "drafter": "model",
        "sets": results_of(rows, questions),
        "questions": question_list(questions),
    }


def test_figures_are_those_of_the_questions(results):
    found = results["sets"]["both"]
    assert found["questions"] == 3
    assert found["measures"]["yes/no: right"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["measures"]["yes/no: right, of those answered"] | {"low": 0, "high": 0} == {
        "mean": 0.5,
        "low": 0,
        "high": 0,
        "cases": 2,
    }
    # "yes" is right once, said once and gold three times: F1 2/4; "no" is neither said nor gold: 0.
    assert found["measures"]["yes/no: macro F1"]["mean"] == 0.25
    assert found["measures"]["unanswerable: nothing found"]["mean"] == 1
    assert found["labels"] == {"yes": {"none": 2, "yes": 1}}
    assert found["failures"]["all"] == {
        "right": 1,
        "not judged": 0,
        "retrieval": 0,
        "gate": 1,
        "evidence": 0,
        "draft": 1,
        "verification": 0,
        "exact answer": 0,
    }
    assert found["seconds"]["generate"] == {"median": 4.0, "90th percentile": 4.0, "cases": 2}
    # 3 and 5: the median is 4, the 90th percentile 3 + .9 * 2.
    assert found["seconds"]["first verified sentence"] == {"median": 4.0, "90th percentile": 4.8, "cases": 2}
    assert found["answers_citing_removed_papers"] == 0


def test_tables_tell_them(results):
    text = as_markdown(results)
    assert "| yes/no: right | >= .65 | 0.333 (0.000 to 1.000), 3 | 0.333 (0.000 to 1.000), 3 |" in text
    assert "| BioASQ | yes | 1 | 0 | 0 | 2 |" in text
    assert "| both, yesno | 1 | 0 | 0 | 1 | 0 | 1 | 0 | 0 |" in text
    assert "- both, answerable: no_evidence 1" in text
    assert "Before" not in text


def test_two_runs_are_compared_question_by_question(results, tmp_path):
    file = tmp_path / "before.json"
    file.write_text(json.dumps(results))
    before = earlier(file)
    after = json.loads(json.dumps(results["questions"]))
    after[1]["scores"]["yes/no: right"] = 1.0
    # Another question is answered, so that the answered ones are not the same.
    after[2]["scores"]["yes/no: right, of those answered"] = 1.0
    found = changes(before["questions"], after)
    assert found["yes/no: right"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["answerable: answer"]["mean"] == 0
    assert "yes/no: right, of those answered" not in found
    text = as_markdown({**results, "before": before, "changes": found})
    line = next(line for line in text.split("\n") if line.startswith("| yes/no: right | 0.333"))
    assert line.endswith("| 0.333 (0.000 to 1.000) |")


def test_results_of_the_command_before_this_one_are_read(tmp_path):
    share = {"mean": 0.59, "low": 0.53, "high": 0.64, "cases": 300}
    both = {
        "gold_among_retrieved": share,
        "abstained": {"answerable": {"share": share}, "unanswerable": {"share": share}},
        "citation precision": share,
        "citation recall": share,
    }
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({"provenance": {}, "sets": {"both": both}}))
    answered = earlier(file)["measures"]["answerable: answer"]
    assert answered == pytest.approx({"mean": 0.41, "low": 0.36, "high": 0.47, "cases": 300})


def test_intervals_of_what_is_no_mean():
    certain = bootstrap_statistic([("yes", "yes")] * 5, lambda pairs: macro_f1(pairs, ("yes",)))
    assert certain == {"mean": 1.0, "low": 1.0, "high": 1.0, "cases": 5}
    mixed = [("yes", "yes"), ("no", "yes"), ("no", "no")]
    found = bootstrap_statistic(mixed, lambda pairs: macro_f1(pairs, ("yes", "no")))
    assert found["mean"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["low"] < found["mean"] < found["high"]


@pytest.mark.parametrize(
    ("split", "drafter", "name"),
    [
        ("final", "model", "answers"),
        ("final", "extractive", "answers_extractive"),
        ("calibration", "model", "answers_calibration"),
        ("calibration", "extractive", "answers_calibration_extractive"),
    ],
)
def test_no_results_file_takes_the_place_of_another(split, drafter, name):
    assert results_name(split, drafter) == name


def test_gold_answers_are_those_of_the_files(tmp_path):
    (tmp_path / "qa/bioasq").mkdir(parents=True)
    rows = [
        {"id": "a", "type": "yesno", "exact_answer": "No", "ideal_answers": ["No."]},
        {"id": "b", "type": "factoid", "exact_answer": [["PITX1", ""]], "ideal_answers": []},
        {"id": "c", "type": "list", "exact_answer": [["x", "y"], [" "]], "ideal_answers": ["X."]},
        {"id": "d", "type": "summary", "exact_answer": None, "ideal_answers": ["D."]},
    ]
    (tmp_path / "qa/bioasq/questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rows))
    line = {"pmid": "1", "final_decision": "maybe", "long_answer": "It may."}
    (tmp_path / "qa/pubmedqa_dev.jsonl").write_text(json.dumps(line) + "\n")
    assert load_gold_answers("BioASQ", tmp_path) == {
        "a": GoldAnswer("yesno", "no", ideal=("No.",)),
        "b": GoldAnswer("factoid", items=(("PITX1",),)),
        "c": GoldAnswer("list", items=(("x", "y"),), ideal=("X.",)),
        "d": GoldAnswer("summary", ideal=("D.",)),
    }
    assert load_gold_answers("PubMedQA", tmp_path) == {"1": GoldAnswer("yesno", "maybe", ideal=("It may.",))}
