"""The retriever on a real Chroma collection, with rankings recomputed by brute force."""

from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core import Document, MockEmbedding
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import QueryBundle
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters

from llama_index_medqa import MedQAQueryEngine, PubMedIndex, PubMedRetriever, TokenNodeParser
from llama_index_medqa.errors import InputError
from llama_index_medqa.indexing.identity import write_as_of
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.pubmed.record import AbstractSection, PubMedRecord
from llama_index_medqa.retrieval.evidence_level import evidence_level
from llama_index_medqa.retrieval.fusion import maximal_marginal_relevance, reciprocal_rank_fusion
from llama_index_medqa.retrieval.lexical_index import record_of
from llama_index_medqa.retrieval.query_expansion import expand_query
from llama_index_medqa.retrieval.retriever import RetrievedChunk
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.text.search_terms import lexical_terms

WORDS = "tea heart failure mice insulin cancer trial sleep pressure nurses cells aspirin fever children asthma".split()
HASHES = HashEmbedding(dimension=64)
JOURNALS = ("A", "B", "C")
QUESTION = "Does aspirin lower the fever of children with asthma?"


def corpus() -> list[Document]:
    random = np.random.default_rng(11)
    documents = []
    for number in range(60):
        text = " ".join(random.choice(WORDS, size=random.integers(5, 90)))
        metadata = {
            "year": int(random.integers(1990, 2024)),
            "journal": str(random.choice(JOURNALS)),
            "status": "retracted" if number % 7 == 3 else "current",
            "publication_types": [["Case Reports"], ["Meta-Analysis", "Review"], ["Letter"]][number % 3],
            "mesh": ["Heart"] if number % 2 else ["Sleep", "Heart"],
        }
        documents.append(Document(id_=f"PMID:{number}", text=text, metadata=metadata))
    return documents


@pytest.fixture(scope="module")
def index(tmp_path_factory, word_piece) -> PubMedIndex:
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
    folder = tmp_path_factory.mktemp("retriever")
    index = PubMedIndex.open(str(folder), embed_model=HASHES, node_parser=parser, create=True)
    index.ingest(corpus())
    return index


def records(nodes) -> list[str]:
    return list(dict.fromkeys(record_of(found.node.node_id) for found in nodes))


def by_meaning(index, question, keep) -> dict[str, float]:
    """Every record's greatest cosine, computed from all stored vectors."""
    rows = index.store.collection.get(include=["embeddings", "metadatas"])
    query = np.array(index._embed_model.get_query_embedding(question))
    best: dict[str, float] = {}
    for chunk_id, vector, metadata in zip(rows["ids"], rows["embeddings"], rows["metadatas"], strict=True):
        if keep(metadata):
            cosine = float(np.dot(vector, query))
            best[record_of(chunk_id)] = max(best.get(record_of(chunk_id), -1.0), cosine)
    return dict(sorted(best.items(), key=lambda item: -item[1]))


FILTERS = {
    "none": (None, lambda row: True),
    "year": (MetadataFilter(key="year", value=2010, operator=FilterOperator.GTE), lambda row: row["year"] >= 2010),
    "journal": (MetadataFilter(key="journal", value="B"), lambda row: row["journal"] == "B"),
    "mesh": (
        MetadataFilter(key="mesh", value="Sleep", operator=FilterOperator.CONTAINS),
        lambda row: "Sleep" in row["mesh"],
    ),
    "rare": (MetadataFilter(key="year", value=1991), lambda row: row["year"] == 1991),
}


@pytest.mark.parametrize("include_retracted", [False, True])
@pytest.mark.parametrize("name", FILTERS)
def test_both_searches_find_all_that_the_filters_allow(index, name, include_retracted):
    part, matches = FILTERS[name]

    def keep(row):
        return matches(row) and (include_retracted or row["status"] != "retracted")

    filters = MetadataFilters(filters=[part]) if part else None
    arguments = {"filters": filters, "include_retracted": include_retracted, "similarity_top_k": 500, "candidates": 3}
    expected = by_meaning(index, QUESTION, keep)
    assert set(records(PubMedRetriever(index, mode="dense", **arguments).retrieve(QUESTION))) == set(expected)
    sharing = {
        document.node_id
        for document in corpus()
        if keep(document.metadata) and set(lexical_terms(QUESTION)) & set(lexical_terms(document.text))
    }
    assert set(records(PubMedRetriever(index, mode="lexical", **arguments).retrieve(QUESTION))) == sharing


@pytest.mark.parametrize("candidates", [1, 2, 5])
@pytest.mark.parametrize("mode", ["dense", "lexical"])
def test_filters_never_leave_fewer_hits_than_there_are(index, mode, candidates):
    """The worst record that the searches find, asked for by a filter that lets no other through."""
    last = ask(index, mode=mode, similarity_top_k=500, candidates=500)[-1].node.metadata
    filters = MetadataFilters(
        filters=[MetadataFilter(key=key, value=last[key]) for key in ("year", "journal", "record_hash")]
    )
    found = ask(index, mode=mode, filters=filters, similarity_top_k=1, candidates=candidates)
    assert [item.node.metadata["record_hash"] for item in found] == [last["record_hash"]]


def test_dense_is_the_exact_ranking_by_cosine(index):
    expected = by_meaning(index, QUESTION, lambda row: row["status"] != "retracted")
    found = PubMedRetriever(index, mode="dense", similarity_top_k=20, chunks_per_record=1).retrieve(QUESTION)
    assert [item.score for item in found] == pytest.approx(list(expected.values())[:20], abs=1e-5)
    assert [item.score for item in found] == [item.cosine for item in found]


def test_hybrid_is_the_fusion_of_both(index):
    parts = [
        records(PubMedRetriever(index, mode=mode, similarity_top_k=500, candidates=500).retrieve(QUESTION))
        for mode in ("dense", "lexical")
    ]
    expected = reciprocal_rank_fusion(parts, 60)
    found = PubMedRetriever(index, similarity_top_k=30, candidates=500, chunks_per_record=1).retrieve(QUESTION)
    assert [item.score for item in found] == pytest.approx(list(expected.values())[:30])
    assert {record_of(item.node.node_id): item.score for item in found} == pytest.approx(
        {record_of(item.node.node_id): expected[record_of(item.node.node_id)] for item in found}
    )


def test_what_each_search_knew_is_told(index):
    whole = {"similarity_top_k": 1_000, "chunks_per_record": 1_000}
    dense = {item.node.node_id: item.cosine for item in ask(index, mode="dense", **whole)}
    lexical = {record_of(item.node.node_id): item.bm25 for item in ask(index, mode="lexical", **whole)}
    for item in ask(index, similarity_top_k=50):
        assert isinstance(item, RetrievedChunk)
        assert item.cosine == pytest.approx(dense[item.node.node_id], abs=1e-6)
        assert item.bm25 == pytest.approx(lexical.get(record_of(item.node.node_id)))


def ask(index, question=QUESTION, **arguments):
    return PubMedRetriever(index, **arguments).retrieve(question)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), st.integers(1, 4), st.sampled_from(["hybrid", "dense", "lexical"]))
def test_one_record_does_not_fill_the_list(index, top_k, most, mode):
    found = ask(index, mode=mode, similarity_top_k=top_k, chunks_per_record=most)
    assert len(found) == top_k
    names = [record_of(item.node.node_id) for item in found]
    assert max(map(names.count, names)) <= most
    assert len({item.node.node_id for item in found}) == top_k
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    assert names == sorted(names, key=records(found).index)  # the chunks of a record stand together


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 200), st.integers(1, 4), st.sampled_from(["hybrid", "dense", "lexical"]))
def test_more_of_one_record_pushes_no_other_out(index, surplus, most, mode):
    everything = ask(index, mode=mode, similarity_top_k=500)
    papers = set(records(everything))
    top_k = len(papers) + surplus
    found = ask(index, mode=mode, similarity_top_k=top_k, chunks_per_record=most)
    assert len(found) == min(top_k, len(everything))
    if surplus >= (most - 1) * len(papers):
        assert set(records(found)) == papers


def test_a_record_fills_the_list_where_there_is_no_other(index):
    only = MetadataFilters(filters=[MetadataFilter(key="year", value=max(d.metadata["year"] for d in corpus()))])
    found = ask(index, filters=only, include_retracted=True, similarity_top_k=500, chunks_per_record=1)
    stored = index.store.collection.get(where={"year": max(d.metadata["year"] for d in corpus())}, include=[])["ids"]
    assert {item.node.node_id for item in found} == set(stored)


def test_the_best_chunk_of_a_record_comes_first(tmp_path, word_piece):
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=16, chunk_overlap=0)
    index = PubMedIndex.open(str(tmp_path), embed_model=HASHES, node_parser=parser, create=True)
    index.ingest([Document(id_="PMID:1", text="Nurses slept badly in spring. " * 6 + "okapi " * 3)])
    for mode in ("hybrid", "dense", "lexical"):
        assert "okapi" in ask(index, "okapi", mode=mode, similarity_top_k=1)[0].node.text


async def test_async_finds_the_same(index):
    for mode in ("hybrid", "dense", "lexical"):
        retriever = PubMedRetriever(index, mode=mode, similarity_top_k=10)
        assert await retriever.aretrieve(QUESTION) == retriever.retrieve(QUESTION)


def test_a_given_vector_is_used(index):
    other = index._embed_model.get_query_embedding("sleep pressure nurses")
    found = ask(index, QueryBundle(QUESTION, embedding=other), mode="dense")
    assert found == ask(index, "sleep pressure nurses", mode="dense")


def test_by_words_alone_no_question_is_embedded(index, monkeypatch):
    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(type(index._embed_model), "_get_query_embedding", fail)
    assert ask(index, mode="lexical")


def test_mmr_picks_by_the_formula(index):
    documents = sum(document.metadata["status"] == "current" for document in corpus())
    # As many candidates in both: the nearest of fewer are found by an approximate search, which may miss one.
    plain = ask(index, similarity_top_k=documents, candidates=documents, chunks_per_record=1)
    vectors = index.store.vectors([item.node.node_id for item in plain])
    matrix = np.stack([vectors[item.node.node_id] for item in plain])
    picked = maximal_marginal_relevance([item.score / plain[0].score for item in plain], matrix, 0.5, 8)
    assert picked != list(range(8))
    found = ask(index, similarity_top_k=8, candidates=documents, chunks_per_record=1, mmr_balance=0.5)
    assert [item.node.node_id for item in found] == [plain[number].node.node_id for number in picked]


def test_recency_and_evidence_weigh_as_documented(index):
    write_as_of(index.store, date(2024, 1, 1))
    plain = {record_of(item.node.node_id): item.score for item in ask(index, similarity_top_k=100, chunks_per_record=1)}
    weighed = ask(
        index, similarity_top_k=100, chunks_per_record=1, recency_weight=0.5, recency_half_life=5, evidence_weight=2
    )
    assert {record_of(item.node.node_id) for item in weighed} == set(plain)
    for item in weighed:
        metadata = item.node.metadata
        factor = 1 + 0.5 * 2 ** (-(2024 - metadata["year"]) / 5)
        factor *= 1 + 2 * evidence_level(metadata["publication_types"])
        assert item.score == pytest.approx(plain[record_of(item.node.node_id)] * factor)
    scores = [item.score for item in weighed]
    assert scores == sorted(scores, reverse=True)


class Reverse(BaseNodePostprocessor):
    def _postprocess_nodes(self, nodes, query_bundle=None):
        return nodes[::-1]


def test_a_reranker_sees_all_candidates(index):
    everything = ask(index, similarity_top_k=500, candidates=20, chunks_per_record=1)[:20]
    reranked = ask(index, similarity_top_k=3, candidates=20, chunks_per_record=1, node_postprocessors=[Reverse()])
    assert len(reranked) == 3
    assert reranked[0].score <= everything[0].score
    assert [item.score for item in reranked] == sorted(item.score for item in reranked)


def test_events_reach_a_handler(index):
    handler = LlamaDebugHandler(print_trace_on_end=False)
    ask(index, callback_manager=CallbackManager([handler]))
    [(_, end)] = handler.get_event_pairs(CBEventType.RETRIEVE)
    assert len(end.payload["nodes"]) == 6


def test_the_query_engine_searches_in_both_ways_and_takes_any_retriever(index):
    engine = MedQAQueryEngine.from_index(index, "extractive", similarity_top_k=4)
    assert engine.retrieve(QueryBundle(QUESTION)) == ask(index, similarity_top_k=4)
    engine = MedQAQueryEngine.from_index(index, "extractive", retrieval="lexical", include_retracted=True)
    assert engine.retrieve(QueryBundle(QUESTION)) == ask(
        index, mode="lexical", similarity_top_k=24, include_retracted=True
    )
    stock = index.as_retriever(similarity_top_k=4)
    assert MedQAQueryEngine(stock, "extractive").retrieve(QueryBundle(QUESTION)) == stock.retrieve(QUESTION)


def test_an_index_that_changes_is_searched_as_it_is(index):
    retriever = PubMedRetriever(index, similarity_top_k=1)
    index.ingest([Document(id_="PMID:900", text="Zebrafish regrow fins.", metadata={"status": "current"})])
    assert records(retriever.retrieve("Do zebrafish regrow fins?")) == ["PMID:900"]
    index.ingest(
        [
            Document(
                id_="PMID:900", text="Zebrafish regrow fins.", metadata={"status": "retracted", "record_hash": "new"}
            )
        ]
    )
    assert records(retriever.retrieve("Do zebrafish regrow fins?")) != ["PMID:900"]
    shown = PubMedRetriever(index, similarity_top_k=1, include_retracted=True)
    assert records(shown.retrieve("Do zebrafish regrow fins?")) == ["PMID:900"]
    index.remove_documents(["PMID:900"])
    assert records(shown.retrieve("Do zebrafish regrow fins?")) != ["PMID:900"]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
@pytest.mark.parametrize("question", ["", " "])
async def test_an_empty_question_is_no_failure(index, mode, question):
    retriever = PubMedRetriever(index, mode=mode)
    assert retriever.retrieve(question) == await retriever.aretrieve(question)


def test_an_empty_index(tmp_path, word_piece):
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=16, chunk_overlap=0)
    index = PubMedIndex.open(str(tmp_path), embed_model=HASHES, node_parser=parser, create=True)
    for mode in ("hybrid", "dense", "lexical"):
        assert ask(index, mode=mode, mmr_balance=0.5) == []


@pytest.fixture
def medical(tmp_path, word_piece) -> PubMedIndex:
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=64, chunk_overlap=8)
    index = PubMedIndex.open(str(tmp_path), embed_model=HASHES, node_parser=parser, create=True)
    heart = {"mesh": ["Myocardial Infarction"], "status": "current"}
    index.ingest(
        [
            Document(id_="PMID:1", text="Patients with atrial fibrillation (AF) took warfarin."),
            Document(id_="PMID:2", text="Atrial fibrillation (AF) causes stroke."),
            Document(id_="PMID:3", text="The amniotic fluid (AF) was clear."),
            Document(id_="PMID:4", text="Survivors of a heart attack walked more.", metadata=heart),
            Document(id_="PMID:5", text="Warfarin was stopped in those with AF."),
            *(Document(id_=f"PMID:{n}", text=f"Nurse number {n} slept.") for n in range(10, 20)),
        ]
    )
    return index


def expansions(index, question):
    from llama_index_medqa.retrieval.lexical_index import LexicalIndex

    words = LexicalIndex(index.store)
    words.refresh()
    return [(found, added) for found, added, _ in expand_query(question, words)]


def test_questions_get_the_words_of_the_records(medical):
    assert expansions(medical, "Does AF cause stroke?") == [("AF", "atrial fibrillation")]
    assert expansions(medical, "Is warfarin used in atrial fibrillation?") == [("atrial fibrillation", "AF")]
    assert expansions(medical, "Who had an infarction, myocardial?") == [("infarct myocardi", "Myocardial Infarction")]
    assert expansions(medical, "Do nurses sleep?") == []
    # One paper of three means something else by it; one alone is not believed.
    assert expansions(medical, "Is the amniotic fluid clear?") == []


def test_expansion_finds_records_that_call_it_otherwise(medical):
    arguments = {"mode": "lexical", "similarity_top_k": 50}
    assert "PMID:4" not in records(ask(medical, "myocardial infarction", **arguments))
    assert records(ask(medical, "myocardial infarction", expand=True, **arguments)) == ["PMID:4"]
    assert "PMID:5" not in records(ask(medical, "atrial fibrillation", **arguments))
    assert "PMID:5" in records(ask(medical, "atrial fibrillation", expand=True, **arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "sparse"}, "mode cannot be 'sparse': choose hybrid, dense, lexical"),
        ({"similarity_top_k": 0}, "similarity_top_k must be at least 1, got 0"),
        ({"chunks_per_record": 0}, "chunks_per_record must be at least 1"),
        ({"candidates": 0}, "candidates must be at least 1"),
        ({"similarity_top_k": 100_000}, "similarity_top_k must be at most 1,000, got 100,000"),
        ({"candidates": 1_001}, "candidates must be at most 1,000"),
        ({"rrf_k": -1}, "rrf_k must be at least 0"),
        ({"mmr_balance": 1.5}, "between 0 and 1, got 1.5"),
        ({"recency_half_life": 0}, "above 0 years"),
        ({"evidence_weight": -1}, "evidence_weight must be at least 0"),
    ],
)
def test_arguments_outside_their_range_are_refused(index, arguments, message):
    with pytest.raises(InputError, match=message):
        PubMedRetriever(index, **arguments)


def test_evidence_levels():
    assert evidence_level(["Letter", "Randomized Controlled Trial", "Review"]) == 0.8
    assert evidence_level([]) == 0.0


def test_the_only_record_with_a_rare_name_is_found_among_many_that_are_alike(tmp_path, word_piece):
    names = [
        f"{first}{second}xin".capitalize() for first in ("ba", "do", "fe", "gu", "ki", "lo") for second in "abcdefgh"
    ]
    alike = [
        PubMedRecord(
            pmid=str(1000 + number),
            title=f"{name} and the resting pulse.",
            sections=(AbstractSection(f"We gave {name} to 60 adults. It lowered the resting pulse."),),
        )
        for number, name in enumerate(names)
    ]
    # To it all texts mean the same.
    blind = MockEmbedding(embed_dim=8)
    parser = TokenNodeParser(tokenizer=word_piece)
    index = PubMedIndex.open(tmp_path, embed_model=blind, node_parser=parser, create=True)
    index.ingest(map(to_document, alike))
    retriever = PubMedRetriever(index, similarity_top_k=8)
    for number, name in list(enumerate(names))[::9]:
        found = retriever.retrieve(f"By how much did {name} lower the resting pulse of adults?")
        assert f"PMID:{1000 + number}" in {item.node.ref_doc_id for item in found}
