"""BioASQ's measures on answers of any system: what counts as its items, and scores by hand."""

import json

import pytest

from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.answering.short_answer.exact_answer import ExactAnswer, ExactAnswerItem
from llama_index_medqa.evaluation.answers import Answer, answer_from_data, answer_of
from llama_index_medqa.evaluation.cases import EvaluationCase, load_bioasq
from llama_index_medqa.evaluation.measures.bioasq import measures as bioasq
from llama_index_medqa.evaluation.measures.catalogue import measures_for

LIST = EvaluationCase("1", "Which?", kind="list", gold_items=(("erenumab", "Aimovig"), ("fremanezumab",)))
FACTOID = EvaluationCase("2", "Which factor?", kind="factoid", gold_items=(("factor XIa", "FXIa"),))


@pytest.mark.parametrize(
    ("answer", "kind", "items"),
    [
        (Answer("A sentence.", items=("one", "two")), "list", ["one", "two"]),
        (Answer('["one", ["two", "2"]]'), "list", ["one", "two"]),
        (Answer("- one [PMID:1]\n- two"), "list", ["one", "two"]),
        (Answer("These are:\n1. one\n2) two"), "factoid", ["one", "two"]),
        (Answer("one, two and three."), "list", ["one", "two", "three"]),
        (Answer("The answer is factor XIa."), "factoid", ["factor XIa"]),
        (Answer("XIa [PMID:1]."), "factoid", ["XIa"]),
        (Answer("Milvexian is a small molecule that inhibits the factor XIa in the blood."), "factoid", None),
        (Answer("Milvexian is a small molecule that inhibits the factor XIa in blood, and more."), "list", None),
    ],
)
def test_items_are_read_where_an_answer_gives_them(answer, kind, items):
    assert bioasq.items_of(answer, kind) == items


def test_scores_by_hand():
    answer = Answer("x", items=("Aimovig", "aspirin", "fremanezumab"))
    assert bioasq.ListPrecision.score(LIST, answer).value == pytest.approx(2 / 3)
    assert bioasq.ListRecall.score(LIST, answer).value == 1.0
    assert bioasq.ListF1.score(LIST, answer).value == pytest.approx(0.8)
    second = Answer("x", items=("thrombin", "FXIa"))
    values = [
        one.score(FACTOID, second).value for one in (bioasq.FactoidStrict, bioasq.FactoidLenient, bioasq.FactoidMRR)
    ]
    assert values == [0.0, 1.0, 0.5]
    assert bioasq.FactoidMRR.score(LIST, answer).reason == "no factoid question"
    assert (
        bioasq.ListF1.score(LIST, Answer("It has been found to be so by all who have ever looked.")).reason
        == "unparsable"
    )
    assert bioasq.ListF1.score(LIST, Answer("", abstained="no_evidence")).reason == "abstained"


def test_the_engine_s_own_items_and_confidence_come_along():
    item = ExactAnswerItem("FXIa", "PMID:1", 0, 4, 0, 0.9)
    response = MedQAResponse("It is FXIa.", exact_answer=ExactAnswer("factoid", items=(item,)), confidence=0.7)
    answer = answer_of(response)
    assert (answer.items, answer.confidence) == (("FXIa",), 0.7)
    assert bioasq.FactoidStrict.score(FACTOID, answer).value == 1.0
    assert answer_from_data(json.loads(json.dumps(answer.as_data()))) == answer
    assert answer_of(MedQAResponse("Yes.", exact_answer=ExactAnswer("yes_no", label="yes"))).items is None


def test_rouge_leaves_marks_of_citations_out():
    case = EvaluationCase("3", "How?", gold_answers=("Tea lowers the rate.",))
    assert bioasq.Rouge2.score(case, Answer("Tea lowers the rate [PMID:1].")).value == 1.0
    assert bioasq.RougeSU4.score(case, Answer("Tea lowers the rate [PMID:1].")).value == 1.0
    assert bioasq.Rouge2.score(FACTOID, Answer("Tea.")).reason == "no gold answer"


def test_bioasq_s_files_bring_their_measures(shared_data):
    cases = load_bioasq(shared_data / "qa/bioasq/questions.jsonl")
    [milvexian] = [case for case in cases if case.case_id == "61f58de2882a024a1000000a"]
    assert (milvexian.kind, milvexian.gold_items) == ("factoid", (("XIa",),))
    names = {one.name for one in measures_for(cases)}
    assert {"FactoidMRR", "ListF1", "ROUGE-SU4", "Accuracy"} <= names
    assert "ChoiceAccuracy" not in names
    bare = {one.name for one in measures_for([EvaluationCase("4", "Tea?")])}
    assert not {"FactoidMRR", "ListF1", "ROUGE-2", "ChoiceAccuracy"} & bare
    assert "Accuracy" in bare
