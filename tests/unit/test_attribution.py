"""What supports a sentence and what does not; each case was judged by eye."""

import pytest
from llama_index.core import Document

from llama_index_medqa import TokenNodeParser
from llama_index_medqa.attribution import attribute
from llama_index_medqa.evidence import Passage, passages_of


def passage(document: Document) -> Passage:
    from llama_index.core.schema import NodeWithScore, TextNode

    node = TextNode(text=document.text, start_char_idx=0, id_=document.id_, metadata=document.metadata)
    return passages_of([NodeWithScore(node=node, score=1.0)])[0]


@pytest.fixture
def evidence(documents):
    return [passage(document) for document in documents]


@pytest.mark.parametrize(
    "sentence",
    [
        "Green tea lowers the resting heart rate slightly.",
        "Green tea lowered the resting heart rate by 3.5 beats per minute.",
        "Compared with water, green tea lowered resting heart rate [PMID:101].",
        "- Green tea lowered the resting heart rate (PMID: 999).",
        "1. No serious adverse events occurred.",
    ],
)
def test_supported(evidence, documents, sentence):
    judged = attribute(sentence, evidence, 0.6)
    assert judged.supported
    citation = judged.citations[0]
    assert (citation.pmid, citation.title) == ("101", documents[0].metadata["title"])
    assert documents[0].text[citation.start : citation.end] == citation.quote
    assert "PMID" not in judged.text


@pytest.mark.parametrize(
    "sentence",
    [
        "Green tea lowered the resting heart rate by 35 beats per minute.",  # another number
        "Green tea increased the resting heart rate compared with water.",  # the other direction
        "Green tea did not lower the resting heart rate.",  # negated
        "Serious adverse events occurred.",  # negation lost
        "Black coffee cured migraine in children.",  # another subject
        "",
        "[PMID:101]",
    ],
)
def test_unsupported(evidence, sentence):
    judged = attribute(sentence, evidence, 0.6)
    assert not judged.supported
    assert judged.citations == ()


def test_a_hedged_text_does_not_support_a_certain_sentence(documents):
    hedged = Document(id_="PMID:7", text="Spironolactone may be safe in heart failure.", metadata={"title": ""})
    assert not attribute("Spironolactone is safe in heart failure.", [passage(hedged)], 0.6).supported
    assert attribute("Spironolactone may be safe in heart failure.", [passage(hedged)], 0.6).supported


def test_neither_the_title_nor_the_purpose_carries_a_sentence():
    title = "Old heart valves and their strength past expiration dates."
    text = f"{title}\nWe aimed to test old heart valves past expiration dates.\nMost banks keep them for 5 years."
    document = Document(id_="PMID:8", text=text, metadata={"title": title})
    judged = attribute("Old heart valves keep their strength past expiration dates.", [passage(document)], 0.6)
    assert not judged.supported


def test_the_negation_of_a_neighbouring_sentence_does_not_count():
    text = "Title.\nGreen tea lowered the heart rate. No harm occurred."
    document = Document(id_="PMID:9", text=text, metadata={"title": "Title."})
    assert not attribute("Green tea did not lower the heart rate.", [passage(document)], 0.6).supported
    both = "Green tea lowered the heart rate and harm occurred in no one."
    assert not attribute(both, [passage(document)], 0.6).supported


def test_a_record_without_a_pmid_is_cited_by_title(evidence, documents):
    judged = attribute("Walking barefoot strengthened the arch of the foot.", evidence, 0.6)
    assert str(judged) == "Walking barefoot strengthened the arch of the foot [Seed records carry no identifier.]."


def test_papers_that_say_the_same_are_cited_together():
    def twin(pmid: str) -> Passage:
        return passage(Document(id_=f"PMID:{pmid}", text="Walking lowers blood pressure.", metadata={"title": ""}))

    judged = attribute("Walking lowers blood pressure.", [twin("1"), twin("2")], 0.6)
    assert str(judged) == "Walking lowers blood pressure [PMID:1][PMID:2]."


def test_chunks_of_the_real_splitter_keep_the_record_s_spans(documents, word_piece):
    from llama_index.core.schema import NodeWithScore

    nodes = TokenNodeParser(tokenizer=word_piece, chunk_size=48, chunk_overlap=16)(documents[:1])
    passages = passages_of([NodeWithScore(node=node, score=1.0) for node in nodes[1:]])
    [citation] = attribute("Green tea lowers the resting heart rate slightly.", passages, 0.6).citations
    assert documents[0].text[citation.start : citation.end] == citation.quote
    assert citation.quote == "Green tea lowers the resting heart rate slightly."
