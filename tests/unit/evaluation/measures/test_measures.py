"""Scores of single cases, by hand."""

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from llama_index.core.base.response.schema import Response
from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

from llama_index_medqa.answering.response import AnswerIdentity, MedQAResponse
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer, Evidence, answer_from_data, answer_of
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.judges.verifier import VerifierJudge
from llama_index_medqa.evaluation.measures.accuracy import Accuracy, Answered, WordF1, parse_label
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.measures.effort import Seconds, Tokens
from llama_index_medqa.evaluation.measures.evidence import RetractedEvidence
from llama_index_medqa.evaluation.measures.faithfulness import faithfulness, gold_support
from llama_index_medqa.evaluation.measures.retrieval import Precision, Recall, of_answers
from llama_index_medqa.evaluation.measures.terms import MedicalTerms, term_precision
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.testing import ScriptedEntailment
from llama_index_medqa.verification.verifier import ClaimVerifier

CASE = EvaluationCase(
    "1",
    "Does green tea lower the resting heart rate?",
    ("PMID:1", "PMID:2"),
    ("Green tea lowers the heart rate.",),
    "yes",
    ("Green tea lowered the resting heart rate by 3.5 beats per minute.",),
)
EVIDENCE = (
    Evidence(
        "PMID:1", "Green tea lowered the resting heart rate by 3.5 beats per minute.", "current", ("Tea", "Heart Rate")
    ),
    Evidence("PMID:7", "Coffee was not studied.", "retracted", ()),
    Evidence("PMID:1", "No serious adverse events occurred.", "current", ("Tea", "Heart Rate")),
)
BARE = EvaluationCase("2", "Why?", ("PMID:1",))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Yes", "yes"),
        ("no.", "no"),
        ("  **Maybe**, the data are few.", "maybe"),
        ("Yes, it does [PMID:1].", "yes"),
        ("Yes [PMID:1].", "yes"),
        ("Answer: no", "no"),
        ("The answer is 'maybe'.", "maybe"),
        ("Tea lowers the rate. Final answer: yes.", "yes"),
        ("Yes.\nAnswer: yes", "yes"),
        ("Yes - in adults.", "yes"),
        # Not declared, or declared twice: never a default.
        ("No significant difference was seen.", None),
        ("No effect was seen, so tea does not help.", None),
        ("Yes and no.", None),
        ("Yes. Answer: no", None),
        ("It may help; yes, perhaps.", None),
        ("Yesterday, tea was drunk.", None),
        ("maybe-not", None),
        ("Nothing, yes.", None),
        ("", None),
    ],
)
def test_labels_are_parsed_strictly(text, label):
    assert parse_label(text) == label


@given(st.text())
def test_any_text_is_parsed_or_not(text):
    assert parse_label(text) in ("yes", "no", "maybe", None)


def test_accuracy():
    assert Accuracy.score(CASE, Answer("Yes, it does.")) == Score.of(1)
    assert Accuracy.score(CASE, Answer("No.")) == Score.of(0)
    unparsable = Accuracy.score(CASE, Answer("No significant change."))
    assert (unparsable.value, unparsable.reason, unparsable.applicable) == (None, "unparsable", True)
    assert Accuracy.score(CASE, Answer("I cannot answer.", abstained="no_evidence")).reason == "abstained"
    assert not Accuracy.score(BARE, Answer("Yes.")).applicable
    assert [Answered.score(CASE, Answer("x", abstained=why)).value for why in (None, "no_evidence")] == [1, 0]


def test_word_f1():
    # Stems without function words: tea, lower, rate of four said and five known ones (green, tea, lower, heart, rate).
    said = Answer("The tea was lowering my rate today.")
    assert WordF1.score(CASE, said).value == pytest.approx(2 * 3 / (4 + 5), abs=1e-9)
    assert WordF1.score(CASE, Answer("Coffee.")) == Score.of(0)
    assert WordF1.score(BARE, said).reason == "no gold answer"


def test_retrieval_over_the_documents_of_the_evidence():
    answer = Answer("x", EVIDENCE)
    assert answer.ranking == ["PMID:1", "PMID:7"]
    assert [of_answers(one).score(CASE, answer).value for one in (Precision, Recall, Precision @ 1)] == [0.5, 0.5, 1.0]
    nothing = Answer("x", ())
    assert [of_answers(one).score(CASE, nothing).value for one in (Precision, Recall)] == [0.0, 0.0]
    assert of_answers(Recall).score(CASE, Answer("x")) == Score.not_applicable("evidence unknown")
    # Texts without ids, as LlamaIndex hands them to evaluators, are no ranking.
    assert of_answers(Recall).score(CASE, Answer("x", (Evidence("", "t"),))).reason == "ids unknown"


UUID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"


@pytest.mark.parametrize(
    ("evidence", "recall"),
    [
        (["PMID:1", "PMID:7"], 0.5),
        (["1", "https://pubmed.ncbi.nlm.nih.gov/2/"], 1.0),
        (["pmid: 1", "PMID1", 1], 0.5),
        ([{"document_id": UUID, "pmid": 2}], 0.5),
        ([{"document_id": "notes.txt", "metadata": {"PMID": "PMID:2"}}, {"document_id": UUID}], 0.5),
        ([{"pmid": "0001", "text": "t"}, {"pmid": 2.0}], 1.0),
        (["PMID:7"], 0.0),
        # Records of ours without a PMID are none of the gold papers.
        (["SHA:0123456789ab"], 0.0),
        ([], 0.0),
        ([UUID, UUID], "ids unknown"),
        (["notes.txt"], "ids unknown"),
        ([{"text": "t"}], "ids unknown"),
        (None, "evidence unknown"),
    ],
)
def test_papers_are_known_by_whatever_names_them(evidence, recall):
    answer = answer_from_data({"text": "x", "evidence": evidence})
    score = of_answers(Recall).score(CASE, answer)
    assert (score.value if score.value is not None else score.reason) == recall
    assert score.applicable == (score.value is not None)
    assert answer_from_data(answer.as_data()) == answer


def test_citations_are_known_by_whatever_names_them():
    [recall] = measures_of(["CitationRecall"])
    evidence = [{"document_id": UUID, "pmid": 1}]
    values = [
        recall.score(CASE, answer_from_data({"text": "x", "evidence": evidence, "cited": cited}))
        for cited in ([UUID], ["2", "1"], ["doc"], [])
    ]
    assert values == [Score.of(0.5), Score.of(1.0), Score.not_applicable("ids unknown"), Score.of(0.0)]


def test_nodes_with_a_pmid_in_their_metadata():
    nodes = [TextNode(text="Tea.", metadata={"pmid": pmid}) for pmid in ("1", 9)]
    answer = answer_of(Response("Yes.", source_nodes=[NodeWithScore(node=node) for node in nodes]))
    assert of_answers(Recall).score(CASE, answer) == Score.of(0.5)
    # Gold documents of another corpus are compared with the ids themselves.
    own = EvaluationCase("3", "Why?", (nodes[1].node_id,))
    assert of_answers(Recall).score(own, answer) == Score.of(1.0)


def test_cases_without_gold_documents_have_no_retrieval_to_score():
    bare = EvaluationCase("4", "Does tea help?", gold_label="yes")
    scores = {one.name: one.score(bare, Answer("Yes.", EVIDENCE, ("PMID:1",))) for one in measures_of()}
    missing = {name for name, score in scores.items() if score.reason == "no gold document"}
    assert missing == {"nDCG@10", "Recall@5", "Recall", "Precision", "CitationPrecision", "CitationRecall"}
    assert (scores["Accuracy"], scores["Answered"]) == (Score.of(1), Score.of(1))


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_answer_is_no_answer_and_no_abstention(text):
    measures = measures_of(["Answered", "Accuracy", "WordF1", "CitationRecall", "Faithfulness(verifier)"])
    for answer in (answer_of(Response(text)), answer_from_data({"text": text, "cited": []})):
        answered, *others = [measure.score(CASE, answer) for measure in measures]
        assert answered == Score.of(0)
        assert others == [Score.unscored("empty answer")] * 4
    # What LlamaIndex says where nothing was retrieved is an abstention, also where it was stored.
    assert answer_from_data({"text": "Empty Response"}).abstained == "empty response"


def test_what_is_no_number_costs_its_own_score_only():
    answer = answer_from_data({"text": "Yes.", "seconds": math.nan, "prompt_tokens": math.nan, "answer_tokens": "7"})
    assert Seconds.score(CASE, answer) == Score.unscored("not a number")
    assert (Tokens.score(CASE, answer), Accuracy.score(CASE, answer)) == (Score.of(7), Score.of(1))
    with pytest.raises(InputError, match="'seconds' must be a number, got 'soon'"):
        answer_from_data({"text": "Yes.", "seconds": "soon"})


def test_retracted_evidence_counts_documents():
    assert RetractedEvidence.score(CASE, Answer("x", EVIDENCE)) == Score.of(0.5)
    assert RetractedEvidence.score(CASE, Answer("x", ())).reason == "nothing retrieved"
    assert RetractedEvidence.score(CASE, Answer("x", (Evidence("PMID:1"),))).reason == "status unknown"


def test_effort():
    answer = Answer("x", prompt_tokens=100, answer_tokens=20, seconds=1.5)
    assert (Tokens.score(CASE, answer).value, Seconds.score(CASE, answer).value) == (120, 1.5)
    assert (Tokens.score(CASE, Answer("x")).reason, Seconds.score(CASE, Answer("x")).applicable) == (
        "tokens unknown",
        False,
    )


def test_faithfulness_is_the_share_of_supported_sentences():
    judge = VerifierJudge(ClaimVerifier(ScriptedEntailment()))
    answer = Answer("Green tea lowered the resting heart rate by 3.5 beats per minute. Tea cures cancer.", EVIDENCE)
    assert faithfulness(judge).score(CASE, answer) == Score.of(0.5)
    assert gold_support(judge).score(CASE, answer) == Score.of(0.5)
    assert gold_support(judge).score(BARE, answer).reason == "no evidence text"
    assert faithfulness(judge).name == "Faithfulness(verifier)"
    assert faithfulness(judge).judge["judge"] == "verifier"


def test_a_judge_that_fails_leaves_the_case_unscored():
    class Failing:
        name = "failing"

        @property
        def identity(self):
            return {"judge": self.name}

        async def score_all(self, claims, evidence):
            return [Score.unscored("timeout") if "cancer" in claim else Score.of(0.9) for claim in claims]

    answer = Answer("Tea helps. It cures cancer.", EVIDENCE)
    assert faithfulness(Failing()).score(CASE, answer) == Score.unscored("timeout")
    assert faithfulness(Failing()).score(CASE, Answer("Tea helps.", EVIDENCE)) == Score.of(1.0)


TERMS = MedicalTerms(
    ["Humans", "Tea", "Heart Rate", "Heart", "Diabetes Mellitus, Type 2", "Aged, 80 and over", "Insulin"]
)


def test_terms_are_found_longest_first_and_uninverted():
    assert TERMS.found("Type 2 diabetes mellitus and heart rates of humans aged 80 and over.") == {
        ("type", "2", "diabet", "mellitus"),
        ("heart", "rate"),
    }
    with pytest.raises(InputError, match="no MeSH headings"):
        MedicalTerms(["Humans", "Male"])


def test_term_precision():
    measure = term_precision(TERMS)
    # Tea and heart rate are in the evidence, insulin is not.
    assert measure.score(CASE, Answer("Tea and insulin change the heart rate.", EVIDENCE)).value == pytest.approx(2 / 3)
    # "Heart" is part of "heart rate" in the evidence.
    assert measure.score(CASE, Answer("The heart.", EVIDENCE)) == Score.of(1)
    # A heading of the record counts, though the text does not hold it.
    mesh = (Evidence("PMID:1", "It was lower.", mesh=("Insulin",)),)
    assert measure.score(CASE, Answer("Insulin.", mesh)) == Score.of(1)
    assert measure.score(CASE, Answer("It helps.", EVIDENCE)).reason == "no medical term"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_score_is_finite_or_says_why_not(value):
    with pytest.raises(InputError, match=r"Score\.unscored"):
        Score.of(value)


@pytest.mark.parametrize(
    "score", [Score.of(0.25), Score.unscored("timeout", "60 s"), Score.not_applicable("abstained")]
)
def test_scores_survive_json(score):
    assert Score.from_data(score.as_data()) == score
    with pytest.raises(InputError, match="must be a number"):
        Score.from_data({"unscored": 1})


def test_an_answer_of_any_query_engine():
    node = TextNode(text="Tea.", metadata={"status": "current", "mesh": ["Tea"]})
    node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id="PMID:1")
    answer = answer_of(Response("Yes.", source_nodes=[NodeWithScore(node=node)]))
    assert answer == Answer("Yes.", (Evidence("PMID:1", "Tea.", "current", ("Tea",)),))
    assert answer_of(Response("Empty Response")).abstained == "empty response"
    assert answer_from_data(answer.as_data()) == answer


def test_an_answer_tells_which_verifier_decided_in_the_engine():
    verifier = {"verifier": "medqa-verifier", "sha256": "ab"}
    response = MedQAResponse("Yes.", identity=AnswerIdentity("extractive", None, "strict", verifier=verifier))
    assert answer_of(response).verifier == verifier
    unknown = MedQAResponse("Yes.", identity=AnswerIdentity("extractive", None, "strict"))
    assert [answer_of(one).verifier for one in (unknown, MedQAResponse("Yes."), Response("Yes."))] == [None] * 3


TOKENS = st.none() | st.integers(0, 9)
ANSWERS = st.builds(
    Answer,
    st.text(max_size=3),
    st.none() | st.lists(st.builds(Evidence, st.text(max_size=3), st.text(max_size=3))).map(tuple),
    st.none() | st.lists(st.text(max_size=3)).map(tuple),
    st.none() | st.sampled_from(["no_evidence", "nothing said"]),
    st.text(max_size=3),
    TOKENS,
    TOKENS,
    st.none() | st.floats(0, 9),
    st.none() | st.dictionaries(st.text(max_size=3), st.text(max_size=3), min_size=1),
)


@given(ANSWERS)
@example(Answer("", abstained="nothing said"))
def test_answers_survive_json(answer):
    assert answer_from_data(json.loads(json.dumps(answer.as_data()))) == answer


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"text": 3},
        {"text": "x", "evidence": "PMID:1"},
        {"text": "x", "evidence": [None]},
        {"text": "x", "verifier": "v"},
    ],
)
def test_what_is_no_answer_is_an_error(row):
    with pytest.raises(InputError):
        answer_from_data(row)


def test_measures_by_name():
    assert [one.name for one in measures_of(["ndcg@3", "accuracy", "CitationRecall"])] == [
        "nDCG@3",
        "Accuracy",
        "CitationRecall",
    ]
    assert "TermPrecision" not in [one.name for one in measures_of()]
    assert "TermPrecision" in [one.name for one in measures_of(headings=["Tea"])]
    for wrong, message in (("bleu", "no measure 'bleu'"), ("nDCG@0", "no measure"), ("TermPrecision", "--terms")):
        with pytest.raises(InputError, match=message):
            measures_of([wrong])


def test_citations_against_the_gold_documents():
    precision, recall = measures_of(["CitationPrecision", "CitationRecall"])
    answer = Answer("x", cited=("PMID:1", "PMID:7", "PMID:8", "PMID:9"))
    assert (precision.score(CASE, answer).value, recall.score(CASE, answer).value) == (0.25, 0.5)
    assert precision.score(CASE, Answer("x", cited=())).reason == "nothing cited"
    assert recall.score(CASE, Answer("x")).reason == "citations unknown"
