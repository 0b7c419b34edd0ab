"""The scoreboard of drafted sentences: expected figures are counted by hand."""

import json

import pytest

from benchmarks.verification.draft_scoreboard import (
    LabelledSentence,
    LabelledVerdict,
    judge_labelled,
    labels_of,
    measure,
    outcomes,
    read_labels,
    recall_at_precision,
    sentence_sha,
)
from benchmarks.verification.drafted_answers import passages_in, sentence_rows
from llama_index_medqa.verification.verdicts import AnswerSentence

DRAFT = (
    "Aspirin prevents stroke [PMID:1]. The passages do not say more. It is cheap. Aspirin prevents stroke. It costs 3."
)


def answer(**changes):
    passage = {"document_id": "PMID:1", "title": "", "text": "Aspirin prevents stroke. It is dear.", "start": 0}
    row = {"set": "BioASQ", "case": "b1", "asked": "Does it?", "passages": [passage], "sentences": []}
    return {**row, "draft": "", "abstained": None, **changes}


def judged(label, verdict, question="q", support=0.0):
    return LabelledVerdict(LabelledSentence(question, "PubMedQA", "A.", label), verdict, support)


def test_what_became_of_each_sentence():
    supported = AnswerSentence("Aspirin prevents stroke.", "supported", 0.9)
    log = [
        ("Aspirin prevents stroke [PMID:1].", supported),
        ("It is cheap.", AnswerSentence("It is cheap.", "contradicted", 0.2)),
        ("Aspirin prevents stroke.", supported),
    ]
    rows = sentence_rows(DRAFT, log, cut_off=True)
    assert [row["became"] for row in rows] == ["said", "declined", "dropped", "repeated", "cut_off"]
    assert "".join(f"{row['sentence']} " for row in rows).strip() == DRAFT
    assert [row.get("verdict") for row in rows] == ["supported", None, "contradicted", "supported", None]


def test_a_judged_sentence_that_was_not_drafted_is_refused():
    with pytest.raises(ValueError, match="not in the draft"):
        sentence_rows("It is cheap.", [("It is dear.", AnswerSentence("It is dear."))], cut_off=False)


def test_passages_are_cut_into_sentences_again():
    second = {"document_id": "PMID:1", "title": "", "text": "Later text.", "start": 500}
    first, last = passages_in(answer(passages=[*answer()["passages"], second]))
    assert [(one.start, one.end) for one in first.sentences] == [(0, 24), (25, 36)]
    assert (last.pmid, last.start, last.sentences[0].end) == ("1", 500, 511)


def test_precision_and_recall():
    found = measure(
        [
            judged("supported", "supported", "q1"),
            judged("supported", "supported", "q2"),
            judged("supported", "unsupported", "q2"),
            judged("not_a_claim", "supported", "q3"),
            judged("contradicted", "contradicted", "q3"),
            judged("not_enough", "unsupported", "q4"),
        ]
    )
    assert found["supported"]["precision"]["share"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["supported"]["recall"]["share"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["contradicted"]["precision"] == {"share": 1.0, "low": 1.0, "high": 1.0}
    assert found["passing"] == {"supported": 2, "not_a_claim": 1}


def test_sentences_of_one_question_count_as_one_draw():
    """Ten equal sentences of one question tell as much as one: the interval of two such questions is all there is."""
    twice = [
        judged("supported", verdict, question) for verdict, question in (("supported", "a"), ("contradicted", "b"))
    ]
    recall = measure(twice * 10)["supported"]["recall"]
    assert (recall["share"], recall["low"], recall["high"]) == (0.5, 0.0, 1.0)


def test_recall_at_a_precision():
    """At .6 three of four are right and all three right ones pass; at .7 two of two are, at .5 three of five."""
    labels = [("supported", 0.9), ("supported", 0.7), ("not_enough", 0.65), ("supported", 0.6), ("contradicted", 0.5)]
    some = [judged(label, "unsupported", support=support) for label, support in labels]
    assert recall_at_precision(some, 0.75) == {"recall": 1.0, "least support": 0.6}
    assert recall_at_precision(some, 0.76) == {"recall": 0.6667, "least support": 0.7}
    assert recall_at_precision(some[2:3], 0.95) is None


def test_nothing_to_share():
    assert measure([judged("supported", "unsupported")])["supported"]["precision"] is None


def test_labelled_sentences_are_judged_with_their_passages():
    label = LabelledSentence("b1", "BioASQ", "It is dear.", "supported")
    row = answer(sentences=[{"sentence": "It is dear.", "became": "dropped"}])
    seen = []

    def judge(sentence, passages, question):
        seen.append((sentence, passages[0].text, question))
        return AnswerSentence(sentence, "supported", 0.9)

    assert list(judge_labelled([label], [row], judge)) == [LabelledVerdict(label, "supported", 0.9)]
    assert seen == [("It is dear.", "Aspirin prevents stroke. It is dear.", "Does it?")]


@pytest.mark.parametrize("became", ["declined", "cut_off"])
def test_what_the_engine_does_not_verify_does_not_pass(became):
    label = LabelledSentence("b1", "BioASQ", "The passage states that it is dear.", "not_a_claim")
    row = answer(sentences=[{"sentence": label.sentence, "became": became}])

    def judge(*_):
        pytest.fail("must not be asked")

    assert list(judge_labelled([label], [row], judge)) == [LabelledVerdict(label, became, 0.0)]


def test_a_label_counts_where_its_sentence_was_drafted_for_its_question():
    label = LabelledSentence("b1", "BioASQ", "It is dear.", "supported")
    drafted = [{"sentence": "It is dear."}]
    assert labels_of([answer(sentences=drafted)], [label]) == [label]
    others = [answer(), answer(set="PubMedQA", sentences=drafted), answer(case="b2", sentences=drafted)]
    assert labels_of(others, [label]) == []


def test_outcomes_are_counted():
    sentences = [{"became": "said", "verdict": "supported"}, {"became": "declined"}]
    found = outcomes([answer(sentences=sentences), answer(draft=None, abstained="no_evidence")])
    assert found == {
        "questions": 2,
        "without a draft": 1,
        "abstained": {"no_evidence": 1},
        "sentences": {"said": 1, "declined": 1},
        "verdicts": {"supported": 1},
    }


@pytest.mark.parametrize(
    ("change", "message"), [({"label": "maybe"}, "the label 'maybe' is none of"), ({"sentence": "B."}, "restore it")]
)
def test_a_damaged_label_is_refused(tmp_path, change, message):
    row = {"question_id": "1", "set": "PubMedQA", "sentence": "A.", "sentence_sha": sentence_sha("A.")}
    row = {**row, "label": "supported", **change}
    file = tmp_path / "labels.jsonl"
    file.write_text(json.dumps(row) + "\n")
    with pytest.raises(ValueError, match=message):
        read_labels(file)


def test_sha_is_that_of_the_text():
    # printf 'abc' | sha256sum, which is also the example of FIPS 180-2.
    assert sentence_sha("abc") == "ba7816bf8f01"
