"""Chunk boundaries against LlamaIndex's TokenTextSplitter, an independent implementation, with the same tokenizer."""

import json
import logging

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from llama_index.core import Document
from llama_index.core.node_parser import TokenTextSplitter
from llama_index.core.schema import NodeRelationship, TextNode

from llama_index_medqa import TokenNodeParser
from llama_index_medqa.errors import InputError
from llama_index_medqa.indexing import node_parser
from llama_index_medqa.indexing.node_parser import load_tokenizer

WORDS = [
    "heart",
    "rate",
    "tea",
    "the",
    "of",
    "Müller",
    "TNF-α",
    "p",
    "<",
    "0.05",
    "(95%",
    "CI)",
    "e.g.",
    "心臓",
    "x" * 90,
]
TEXTS = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=12)), max_size=80).flatmap(
    lambda words: st.lists(
        st.sampled_from([" ", " ", " ", "\n", "  ", " \n ", "\t"]), min_size=len(words), max_size=len(words)
    ).map(lambda gaps: "".join(word + gap for word, gap in zip(words, gaps, strict=True)))
)


def peer(folder: str, size: int, overlap: int) -> TokenTextSplitter:
    tokenizer = load_tokenizer(folder)
    # Its warning about an indivisible character has a broken format string, which pytest rightly reports.
    logging.getLogger("llama_index.core.node_parser.text.token").setLevel(logging.ERROR)
    return TokenTextSplitter(
        chunk_size=size,
        chunk_overlap=overlap,
        tokenizer=lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
    )


def peer_chunks(splitter, text):
    try:
        return [chunk for chunk in splitter.split_text(text) if chunk]
    except RecursionError:
        # LlamaIndex before 0.14.23 has no end on some texts: nothing to compare with.
        reject()


@pytest.mark.parametrize("kind", ["word_piece", "unigram", "merging"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, size=st.integers(2, 40), share=st.floats(0, 0.9))
def test_boundaries_equal_llama_index(request, kind, text, size, share):
    folder = request.getfixturevalue(kind)
    overlap = int(size * share)
    ours = TokenNodeParser(tokenizer=folder, chunk_size=size, chunk_overlap=overlap)
    assert ours.split_text(text) == peer_chunks(peer(folder, size, overlap), text)


@pytest.mark.parametrize("kind", ["word_piece", "unigram", "merging"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS, max_size=4))
def test_many_texts_are_split_as_each_by_itself(request, kind, texts):
    parser = TokenNodeParser(tokenizer=request.getfixturevalue(kind), chunk_size=12, chunk_overlap=5)
    one_by_one = TokenNodeParser(tokenizer=parser.tokenizer, chunk_size=12, chunk_overlap=5)
    splitter = peer(parser.tokenizer, 12, 5)
    found = parser.split_all_spans(texts)
    assert found == [one_by_one.split_spans(text) for text in texts]
    nodes = parser([Document(text=text, id_=str(number)) for number, text in enumerate(texts)])
    assert [node.text for node in nodes] == [
        text[start:end] for text, spans in zip(texts, found, strict=True) for start, end in spans
    ]
    assert [node.text for node in nodes] == [chunk for text in texts for chunk in peer_chunks(splitter, text)]


def test_a_full_cache_of_words_changes_nothing(word_piece, monkeypatch):
    texts = ["the heart rate of tea drinkers " * 9, "rate of the  heart\n" * 9, "tea " * 40]
    expected = TokenNodeParser(tokenizer=word_piece, chunk_size=8, chunk_overlap=3).split_all_spans(texts)
    monkeypatch.setattr(node_parser, "_WORD_CACHE_LIMIT", 1)
    monkeypatch.setattr(node_parser, "_BATCH", 1)
    monkeypatch.setattr(node_parser, "_WORDS_AN_INPUT", 2)
    assert TokenNodeParser(tokenizer=word_piece, chunk_size=8, chunk_overlap=3).split_all_spans(texts) == expected


def test_the_number_of_processes_is_no_part_of_what_is_saved(word_piece):
    assert "num_workers" not in TokenNodeParser(tokenizer=word_piece, num_workers=2).to_dict()


def test_real_abstracts_equal_llama_index(shared_data, word_piece, unigram):
    lines = (shared_data / "retrieval/scifact/corpus.jsonl").read_text().splitlines()[:150]
    for folder in (word_piece, unigram):
        ours, theirs = TokenNodeParser(tokenizer=folder), peer(folder, 128, 64)
        for line in lines:
            text = json.loads(line)["text"]
            assert ours.split_text(text) == theirs.split_text(text)


def test_a_tokenizer_that_merges_across_spaces_is_not_taken_for_separable(word_piece, merging):
    assert TokenNodeParser(tokenizer=word_piece)._token_counter().separable
    assert not TokenNodeParser(tokenizer=merging)._token_counter().separable


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_spans_are_exact_and_cover_every_word(word_piece, text):
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=16, chunk_overlap=4)
    tokenizer = load_tokenizer(word_piece)
    nodes = parser([Document(text=text, id_="PMID:1")])
    covered = set()
    for node in nodes:
        assert text[node.start_char_idx : node.end_char_idx] == node.text
        assert len(tokenizer.encode(node.text, add_special_tokens=False).ids) <= 16
        covered.update(range(node.start_char_idx, node.end_char_idx))
    assert all(position in covered for position, character in enumerate(text) if not character.isspace())


def test_spans_are_right_where_the_text_repeats_itself(word_piece):
    text = "same words again. " * 40
    nodes = TokenNodeParser(tokenizer=word_piece, chunk_size=8, chunk_overlap=0)([Document(text=text, id_="PMID:1")])
    ends = [node.end_char_idx for node in nodes]
    assert ends == sorted(set(ends))
    assert [node.start_char_idx for node in nodes[1:]] == [end + 1 for end in ends[:-1]]


def test_nodes_carry_identity_section_and_neighbours(documents, word_piece):
    nodes = TokenNodeParser(tokenizer=word_piece, chunk_size=16, chunk_overlap=4)(documents[:1])
    assert [node.node_id for node in nodes] == [f"PMID:101#{number}" for number in range(len(nodes))]
    assert nodes[0].metadata["section"] == "TITLE"
    assert nodes[-1].metadata["section"] == "CONCLUSIONS"
    assert all(node.metadata["chunk_count"] == len(nodes) for node in nodes)
    assert "section_spans" not in nodes[0].metadata
    assert nodes[0].ref_doc_id == "PMID:101"
    assert nodes[1].relationships[NodeRelationship.PREVIOUS].node_id == "PMID:101#0"
    assert nodes[0].get_content("embed") == nodes[0].text == nodes[0].get_content("llm")


def test_a_part_of_a_document_keeps_the_document_s_spans(word_piece):
    part = TextNode(text="the resting heart rate", start_char_idx=100, id_="PMID:1")
    [node] = TokenNodeParser(tokenizer=word_piece)([part])
    assert (node.start_char_idx, node.end_char_idx) == (100, 122)


def test_a_blank_document_has_no_chunks(word_piece):
    assert TokenNodeParser(tokenizer=word_piece)([Document(text=" \n ")]) == []


@pytest.mark.parametrize(("size", "overlap"), [(64, 64), (64, 65), (1, 1)])
def test_overlap_must_be_less_than_size(word_piece, size, overlap):
    with pytest.raises(InputError, match=rf"chunk_overlap \({overlap}\) must be less than chunk_size \({size}\)"):
        TokenNodeParser(tokenizer=word_piece, chunk_size=size, chunk_overlap=overlap)


def test_a_folder_without_a_tokenizer_is_told(tmp_path):
    with pytest.raises(InputError, match=r"No tokenizer\.json at"):
        TokenNodeParser(tokenizer=str(tmp_path)).split_text("x")
