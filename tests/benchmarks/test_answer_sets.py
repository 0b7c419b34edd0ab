"""Which questions are measured on, set thresholds and may be trained on: as ``qa/split.json`` says."""

import json

import pytest

from benchmarks.common.answer_sets import WholePapers, load_answer_set


@pytest.fixture
def data(tmp_path):
    """Three questions of PubMedQA, as its authors publish them."""
    (tmp_path / "qa").mkdir()
    rows = [
        {
            "pmid": pmid,
            "question": f"Is it {pmid}?",
            "contexts": [f"It is {pmid}."],
            "labels": ["RESULTS"],
            "long_answer": "It is.",
            "final_decision": "yes",
        }
        for pmid in ("11", "12", "13")
    ]
    (tmp_path / "qa/pubmedqa_dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def write_split(data, **parts):
    (data / "qa/split.json").write_text(json.dumps({"PubMedQA": parts, "BioASQ": {}}))


def test_questions_are_parted_and_ordered_by_the_split(data):
    write_split(data, final=["13"], calibration=["12", "11"], training=[])
    chosen = load_answer_set("PubMedQA", data)
    assert [case.case_id for case in chosen.final] == ["13"]
    assert [case.case_id for case in chosen.calibration] == ["12", "11"]
    assert [case.case_id for case in chosen.others] == ["12", "11"]
    assert [document.text for document in chosen.documents] == ["It is 11.", "It is 12.", "It is 13."]
    assert data / "qa/split.json" in chosen.files


@pytest.mark.parametrize("training", [[], ["11", "12"], ["99"]])
def test_a_split_of_other_questions_is_refused(data, training):
    write_split(data, final=["13"], calibration=["12"], training=training)
    with pytest.raises(ValueError, match="each of the 3 questions of PubMedQA once"):
        load_answer_set("PubMedQA", data)


def test_whole_papers_are_ranked_by_what_they_share_with_a_question(data):
    write_split(data, final=["13"], calibration=["12", "11"], training=[])
    found = WholePapers(load_answer_set("PubMedQA", data), 2).retrieve("Which is 12?")
    assert [item.node.ref_doc_id for item in found] == ["PMID:12"]
    assert found[0].node.get_content() == "It is 12."
    # BM25 of one of three texts of the same length, each of one term: ln(1 + 2.5 / 1.5) * 2.2 / 2.2.
    assert found[0].score == pytest.approx(0.98083, abs=1e-5)
