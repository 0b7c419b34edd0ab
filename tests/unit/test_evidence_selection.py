"""Which sentences are chosen; the sentences are ours, the expected choice by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

from llama_index_medqa.evidence_selection import EvidenceSelector, as_context, stretches, token_count
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.verification.passages import Passage, passages_of

TITLE = "Tea and the heart."
BODY = (
    "To evaluate tea, we made a plan. Rooms were kept at 21 degrees. Tea lowered the heart rate. "
    "It also lowered blood pressure. Chairs were blue. Tea lowers the heart rate slightly."
)
QUESTION = "Does tea lower the heart rate?"


def passage(name: str, title: str, body: str) -> Passage:
    node = TextNode(text=f"{title}\n{body}", metadata={"title": title}, start_char_idx=0)
    node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=name)
    [made] = passages_of([NodeWithScore(node=node)])
    return made


TEA = passage("PMID:1", TITLE, BODY)
SALT = passage("PMID:2", "Salt.", "Salt was replaced in 60 villages. Strokes were less frequent.")


def texts(shown: list[Passage]) -> list[str]:
    return [sentence.text for part in shown for sentence in part.sentences]


def test_what_speaks_of_the_question_is_shown_in_the_order_of_the_record():
    shown = EvidenceSelector().select(QUESTION, [TEA], 26)
    assert texts(shown) == ["Tea lowered the heart rate.", "Tea lowers the heart rate slightly."]
    assert as_context(shown) == (
        "[PMID:1] Tea and the heart.\nTea lowered the heart rate. … Tea lowers the heart rate slightly."
    )


def test_a_sentence_that_leans_back_brings_what_it_leans_on():
    shown = EvidenceSelector().select("Does it change blood pressure?", [TEA], 45)
    assert "Tea lowered the heart rate. It also lowered blood pressure." in as_context(shown)


def test_purposes_and_titles_take_no_room():
    shown = EvidenceSelector().select(QUESTION, [TEA], 1_000)
    assert "To evaluate tea, we made a plan." not in texts(shown)
    assert texts(shown)[0] == "Rooms were kept at 21 degrees."
    assert all(not sentence.in_title for part in shown for sentence in part.sentences)


def test_nothing_is_shown_where_nothing_fits():
    assert EvidenceSelector().select(QUESTION, [TEA], 5) == []
    assert EvidenceSelector(HashEmbedding()).select(QUESTION, [], 100) == []


@pytest.mark.parametrize("embed_model", [None, HashEmbedding()])
@given(budget=st.integers(0, 200), question=st.sampled_from([QUESTION, "Did strokes change?", "Why?", ""]))
def test_the_budget_holds_and_spans_stay_exact(embed_model, budget, question):
    passages = [TEA, SALT]
    shown = EvidenceSelector(embed_model).select(question, passages, budget)
    assert token_count(as_context(shown)) <= budget + 2 * len(passages)
    whole = {"PMID:1": f"{TITLE}\n{BODY}", "PMID:2": SALT.text}
    for part in shown:
        assert whole[part.document_id][part.start : part.start + len(part.text)] == part.text
        for sentence in part.sentences:
            assert whole[part.document_id][sentence.start : sentence.end] == sentence.text


@given(kept=st.sets(st.integers(0, len(TEA.sentences) - 1)))
def test_stretches_are_what_was_kept(kept):
    wanted = [sentence for number, sentence in enumerate(TEA.sentences) if number in kept]
    parts = stretches(TEA, set(wanted))
    assert [sentence for part in parts for sentence in part.sentences] == wanted
    # Neighbours are one stretch.
    assert len(parts) == sum(number not in kept or number + 1 not in kept for number in kept)
