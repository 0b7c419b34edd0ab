"""Cases from files: those of the shared data, counted by hand, and broken ones of our own."""

import json

import pytest

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.cases import (
    EvaluationCase,
    load_bioasq,
    load_cases,
    load_mirage,
    load_pubmedqa,
    load_scifact,
)

GOOD = {
    "id": "1",
    "question": "Does tea help?",
    "gold_pmids": ["12", 13, "12"],
    "gold_answer": "Yes.",
    "gold_label": "yes",
}


def written(tmp_path, *rows):
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows))
    return path


def test_a_case_of_one_s_own(tmp_path):
    [case] = load_cases(written(tmp_path, GOOD, ""))
    assert case == EvaluationCase("1", "Does tea help?", ("PMID:12", "PMID:13"), ("Yes.",), "yes")
    assert case.gold_pmids == ("12", "13")
    assert case.judgements == {"PMID:12": 1.0, "PMID:13": 1.0}


def test_cases_of_a_corpus_that_is_not_pubmed(tmp_path):
    rows = [
        {"id": 1, "question": "Does tea help?", "gold_documents": ["guide-7", 8]},
        {"id": 2, "question": "Does coffee help?", "gold_answer": "Yes."},
        {"id": 3, "question": "Does water help?", "gold_pmids": []},
    ]
    guide, answered, bare = load_cases(written(tmp_path, *rows))
    assert (guide.gold_documents, guide.cluster, guide.gold_pmids) == (("guide-7", "8"), "guide-7", ())
    assert (answered.gold_documents, answered.cluster) == ((), "Does coffee help?")
    assert bare.judgements == {}


def test_what_is_not_known_may_be_null_or_nan(tmp_path):
    nothing = dict.fromkeys(["gold_answer", "gold_label", "gold_evidence", "group", "gold_pmids"], float("nan"))
    [case] = load_cases(written(tmp_path, {"id": "1", "question": "Does tea help?", **nothing}))
    assert case == EvaluationCase("1", "Does tea help?")


def test_pmids_may_be_written_as_people_write_them(tmp_path):
    [case] = load_cases(written(tmp_path, {**GOOD, "gold_pmids": [12.0, "PMID: 13", "pmid14", "0015"]}))
    assert case.gold_documents == ("PMID:12", "PMID:13", "PMID:14", "PMID:15")


def test_only_line_feeds_end_a_line(tmp_path):
    [case] = load_cases(written(tmp_path, {**GOOD, "question": "Does\u2028tea\u0085help?"}))
    assert case.question == "Does\u2028tea\u0085help?"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**GOOD, "question": " "}, "the question of '1' is empty"),
        ({**GOOD, "gold_documents": "doc"}, "must be a list of ids"),
        ({**GOOD, "id": None}, "has no id"),
        ({**GOOD, "id": float("nan")}, "has no id"),
        ({**GOOD, "gold_pmids": "12"}, "must be a list of PMIDs"),
        ({**GOOD, "gold_pmids": ["PMC12"]}, "must be a list of PMIDs"),
        ({**GOOD, "gold_label": "perhaps"}, "one of yes, no, maybe"),
        ({**GOOD, "gold_answer": [1]}, "must be texts"),
        ({"id": "1"}, "'question' is missing"),
        ("{", "not JSON"),
        ("[]", "must be a JSON object, got list"),
    ],
)
def test_a_broken_case_is_told_with_its_line(tmp_path, row, message):
    good = {**GOOD, "id": "0"}
    with pytest.raises(InputError, match=rf"cases\.jsonl, line 2: .*{message}"):
        load_cases(written(tmp_path, good, row))


def test_files_without_usable_cases(tmp_path):
    with pytest.raises(InputError, match="line 2: a second case has the id '1'"):
        load_cases(written(tmp_path, GOOD, GOOD))
    with pytest.raises(InputError, match="holds no case"):
        load_cases(written(tmp_path))
    with pytest.raises(InputError, match="cannot be read"):
        load_cases(tmp_path / "missing.jsonl")


def test_pubmedqa(shared_data):
    cases = load_pubmedqa(shared_data / "qa" / "pubmedqa_dev.jsonl")
    assert len(cases) == 500
    # Counted with grep in the file.
    assert sum(case.gold_label == "maybe" for case in cases) == text_count(
        shared_data / "qa" / "pubmedqa_dev.jsonl", '"final_decision": "maybe"'
    )
    assert all(len(case.gold_documents) == 1 and case.gold_answers for case in cases)


def test_bioasq(shared_data):
    path = shared_data / "qa" / "bioasq" / "questions.jsonl"
    cases = load_bioasq(path)
    assert len(cases) == text_count(path, '"question": "')
    assert sum(case.gold_label is not None for case in cases) == text_count(path, '"type": "yesno"')
    gold = [json.loads(line)["gold_pmids"] for line in path.read_text().split("\n") if line]
    assert [list(case.gold_pmids) for case in cases] == [list(dict.fromkeys(pmids)) for pmids in gold]


def test_scifact(shared_data):
    folder = shared_data / "retrieval" / "scifact"
    dev, train = load_scifact(folder, "dev"), load_scifact(folder, "train")
    assert (len(dev), len(train)) == (300, 809)
    assert not {case.case_id for case in dev} & {case.case_id for case in train}
    assert dev[0].gold_documents == ("SCIFACT:31715818",)


def test_broken_judgements_are_told(tmp_path):
    (tmp_path / "queries.jsonl").write_text('{"_id": "1", "text": "Tea helps."}')
    (tmp_path / "qrels_dev.tsv").write_text("query-id\tcorpus-id\tscore\n1\t5\t1\n2\t5\t1\n")
    with pytest.raises(InputError, match="line 3: no claim, document and relevance"):
        load_scifact(tmp_path, "dev")


def text_count(path, text):
    return path.read_text().count(text)


def test_items_and_choices_are_read_in_all_their_forms(tmp_path):
    rows = [
        {"id": 1, "question": "Which?", "kind": "list", "gold_items": ["a", ["b", "B2", " ."], [""]]},
        {"id": 2, "question": "Which?", "kind": "factoid", "gold_items": "a"},
        {"id": 3, "question": "Which?", "choices": {"A": "tea", "B": 7}, "gold_choice": "B"},
        {"id": 4, "question": "Which?", "choices": ["tea", "coffee"], "gold_choice": "A"},
    ]
    items, item, by_letter, listed = load_cases(written(tmp_path, *rows))
    assert (items.kind, items.gold_items, item.gold_items) == ("list", (("a",), ("b", "B2")), (("a",),))
    assert (by_letter.choices, by_letter.gold_choice) == ((("A", "tea"), ("B", "7")), "B")
    assert (listed.choices, listed.prompt) == (
        (("A", "tea"), ("B", "coffee")),
        "Which?\nA. tea\nB. coffee\nAnswer with the letter of one choice.",
    )
    assert items.prompt == "Which?"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "essay"}, "the kind of '1' is 'essay'"),
        ({"gold_items": [1]}, "the items of '1' must be texts"),
        ({"gold_items": 7}, "line 1"),
        ({"choices": {"first": "tea"}, "gold_choice": "first"}, "must be texts by letter"),
        ({"choices": {"A": "tea"}, "gold_choice": "B"}, "gold_choice of '1' must be one of A, got 'B'"),
        ({"choices": {"A": "tea"}}, "must be one of A, got None"),
        ({"choices": "tea"}, "must be texts by letter"),
    ],
)
def test_wrong_items_and_choices_are_errors(tmp_path, fields, message):
    with pytest.raises(InputError, match=message):
        load_cases(written(tmp_path, {**GOOD, **fields}))


@pytest.mark.parametrize("text", ["[]", "{", '{"mmlu": []}', '{"mmlu": {"1": {"question": "Which?"}}}'])
def test_what_is_no_benchmark_of_mirage_is_an_error(tmp_path, text):
    path = tmp_path / "benchmark.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"benchmark\.json"):
        load_mirage(path)
