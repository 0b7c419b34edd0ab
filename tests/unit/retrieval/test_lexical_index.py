"""The search by words on a real Chroma collection: scores by the formula, and a cache that never lies."""

import logging
import math
import multiprocessing
import sqlite3
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core import Document
from llama_index.core.schema import TextNode

from llama_index_medqa import PubMedIndex, PubMedVectorStore, TokenNodeParser
from llama_index_medqa.errors import SearchCacheError
from llama_index_medqa.retrieval import lexical_index as module
from llama_index_medqa.retrieval.lexical_index import LexicalIndex, heading_key, heading_term
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.text.search_terms import lexical_terms


@pytest.fixture
def parser(word_piece) -> TokenNodeParser:
    return TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=16)


@pytest.fixture
def index(tmp_path, parser, documents) -> PubMedIndex:
    index = PubMedIndex.open(str(tmp_path), embed_model=HashEmbedding(), node_parser=parser, create=True)
    index.ingest(documents)
    return index


def found(words: LexicalIndex, text: str) -> list[str]:
    words.refresh()
    return [hit.record_id for hit in words.search(lexical_terms(text), 100)]


def naive_scores(texts: dict[str, list[str]], query: list[str]) -> dict[str, float]:
    """BM25 written down once more from the formula in the docstring."""
    counts = {name: Counter(terms) for name, terms in texts.items()}
    mean = sum(map(len, texts.values())) / len(texts)
    scores = {}
    for name, terms in texts.items():
        score = 0.0
        for term in set(query):
            holding = sum(term in other for other in counts.values())
            frequency = counts[name][term]
            if frequency:
                weight = max(math.log((len(texts) - holding + 0.5) / (holding + 0.5)), 1e-6)
                norm = 1.2 * (1 - 0.75 + 0.75 * len(terms) / mean)
                score += weight * frequency * 2.2 / (frequency + norm)
        if score:
            scores[name] = score
    return scores


def stored(folder, texts: list[str]) -> PubMedVectorStore:
    store = PubMedVectorStore(persist_dir=str(folder))
    vector = [1.0, 0.0]
    store.add([TextNode(id_=f"PMID:{n}#0", text=text, embedding=vector) for n, text in enumerate(texts)])
    return store


vocabulary = ["tea", "heart", "failure", "6", "alpha", "cell", "mice"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.sampled_from(vocabulary), min_size=1, max_size=12), min_size=1, max_size=12),
    st.lists(st.sampled_from(vocabulary), min_size=1, max_size=5),
)
def test_scores_are_those_of_the_formula(tmp_path_factory, texts, query):
    store = stored(tmp_path_factory.mktemp("scores"), [" ".join(words) for words in texts])
    words = LexicalIndex(store)
    words.refresh()
    hits = words.search(lexical_terms(" ".join(query)), 100)
    stems = {f"PMID:{number}": lexical_terms(" ".join(text)) for number, text in enumerate(texts)}
    expected = naive_scores(stems, lexical_terms(" ".join(query)))
    assert {hit.record_id: hit.score for hit in hits} == pytest.approx(expected, rel=1e-9)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    pages = [hit for start in range(0, len(hits), 3) for hit in words.search(lexical_terms(" ".join(query)), 3, start)]
    assert pages == hits


def test_a_record_has_the_words_of_its_text_once_although_its_chunks_overlap(index, documents):
    words = LexicalIndex(index.store)
    words.refresh()
    for document in documents:
        [(number,)] = words._rows("SELECT number FROM record WHERE id = ?", document.id_)
        [(terms,)] = words._rows("SELECT terms FROM words WHERE rowid = ?", number)
        mesh = [heading_term(heading) for heading in document.metadata.get("mesh", [])]
        assert terms.split() == lexical_terms(document.text) + mesh


def test_hits_name_the_chunks_in_order(index):
    words = LexicalIndex(index.store)
    words.refresh()
    [hit] = words.search(lexical_terms("green tea"), 5)
    assert hit.record_id == "PMID:101"
    assert hit.chunk_ids == [f"PMID:101#{number}" for number in range(len(hit.chunk_ids))]
    assert len(hit.chunk_ids) > 1


def test_what_is_written_changed_and_removed_is_seen_at_once(index):
    words = LexicalIndex(index.store)
    assert found(words, "zebrafish") == []
    index.ingest([Document(id_="PMID:7", text="Zebrafish regrow fins.")])
    assert found(words, "zebrafish") == ["PMID:7"]
    index.ingest([Document(id_="PMID:7", text="Axolotls regrow limbs.")])
    assert (found(words, "zebrafish"), found(words, "axolotl")) == ([], ["PMID:7"])
    index.remove_documents(["PMID:7"])
    assert found(words, "axolotl") == []


def test_only_what_changed_is_read_again(index, documents):
    words = LexicalIndex(index.store)
    assert words.refresh() == len(documents)
    assert words.refresh() == 0
    index.ingest([Document(id_="PMID:7", text="Zebrafish regrow fins.")])
    assert words.refresh() == 1
    assert LexicalIndex(index.store).refresh() == 0
    index.remove_documents(["PMID:7", "PMID:101"])
    assert words.refresh() == 2


def ingest_elsewhere(folder: str, tokenizer: str) -> None:
    parser = TokenNodeParser(tokenizer=tokenizer, chunk_size=32, chunk_overlap=16)
    index = PubMedIndex.open(folder, embed_model=HashEmbedding(), node_parser=parser)
    index.ingest([Document(id_="PMID:8", text="Okapis are shy.")])


def test_what_another_process_writes_is_seen(index, tmp_path, word_piece):
    words = LexicalIndex(index.store)
    assert found(words, "okapi") == []
    process = multiprocessing.get_context("spawn").Process(target=ingest_elsewhere, args=(str(tmp_path), word_piece))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert found(words, "okapi") == ["PMID:8"]


def refresh_elsewhere(folder: str, counts) -> None:
    counts.put(LexicalIndex(PubMedVectorStore(persist_dir=folder)).refresh())


def test_of_several_processes_one_builds_the_cache(index, tmp_path, documents):
    context = multiprocessing.get_context("spawn")
    counts = context.Queue()
    processes = [context.Process(target=refresh_elsewhere, args=(str(tmp_path), counts)) for _ in range(3)]
    for process in processes:
        process.start()
    read = sorted(counts.get(timeout=120) for _ in processes)
    for process in processes:
        process.join()
    assert read == [0, 0, len(documents)]


class Killed(BaseException):
    """Stands for the process being killed."""


@pytest.mark.parametrize("inserted", range(5))
def test_a_build_that_is_stopped_leaves_no_current_cache(index, documents, monkeypatch, inserted):
    words = LexicalIndex(index.store)
    real, left = module._insert, inserted

    def insert(*arguments):
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        real(*arguments)

    monkeypatch.setattr(module, "_insert", insert)
    if inserted < len(documents):
        with pytest.raises(Killed):
            words.refresh()
        with sqlite3.connect(words.path) as connection:
            assert connection.execute("SELECT count(*) FROM record").fetchone() == (0,)
            assert connection.execute("SELECT count(*) FROM state WHERE key = 'generation'").fetchone() == (0,)
    monkeypatch.undo()
    assert found(LexicalIndex(index.store), "green tea") == ["PMID:101"]
    assert LexicalIndex(index.store).record_count() == len(documents)


def test_a_write_during_the_build_is_found_by_the_next_search(index, monkeypatch):
    words = LexicalIndex(index.store)
    real = LexicalIndex._read

    def read(self, chunk_ids):
        texts = real(self, chunk_ids)
        monkeypatch.undo()
        index.ingest([Document(id_="PMID:7", text="Zebrafish regrow fins.")])
        return texts

    monkeypatch.setattr(LexicalIndex, "_read", read)
    assert found(words, "zebrafish") == []
    assert found(words, "zebrafish") == ["PMID:7"]


@pytest.mark.parametrize("damage", ["overwritten", "cut", "emptied", "deleted"])
def test_a_damaged_cache_is_built_anew_and_that_is_said(index, caplog, damage):
    words = LexicalIndex(index.store)
    words.refresh()
    words._discard_connection()
    data = words.path.read_bytes()
    if damage == "deleted":
        words.path.unlink()
    else:
        ruined = {"overwritten": b"\x5a" * len(data), "cut": data[: len(data) // 2], "emptied": b""}[damage]
        words.path.write_bytes(ruined)
    with caplog.at_level(logging.WARNING):
        assert found(LexicalIndex(index.store), "green tea") == ["PMID:101"]
    assert ("is damaged" in caplog.text) == (damage in ("overwritten", "cut"))


def test_pages_that_are_damaged_unnoticed_until_they_are_read(index, caplog):
    words = LexicalIndex(index.store)
    words.refresh()
    [(root,)] = words._rows("SELECT rootpage FROM sqlite_master WHERE name = 'words_data'")
    [(size,)] = words._rows("PRAGMA page_size")
    words._discard_connection()
    data = bytearray(words.path.read_bytes())
    data[(root - 1) * size : root * size] = b"\x5a" * size
    words.path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert found(LexicalIndex(index.store), "green tea") == ["PMID:101"]
    assert "is damaged" in caplog.text


def test_a_cache_of_other_rules_is_built_anew(index, monkeypatch):
    LexicalIndex(index.store).refresh()
    monkeypatch.setattr(module, "rules_fingerprint", lambda: "others")
    words = LexicalIndex(index.store)
    assert words.refresh() == 0  # it was built anew when it was opened
    assert found(words, "green tea") == ["PMID:101"]


def test_the_cache_lies_beside_an_embedded_database(index, tmp_path, monkeypatch):
    words = LexicalIndex(index.store)
    assert words.path.parent == tmp_path
    monkeypatch.setenv("MEDQA_CACHE_DIR", str(tmp_path / "cache"))
    elsewhere = PubMedVectorStore(index.store.collection)
    assert LexicalIndex(elsewhere).path.parent == tmp_path / "cache" / "search"


def test_a_place_that_cannot_be_written_is_told(index, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SearchCacheError, match=r"cannot be used: .*make its folder writable"):
        LexicalIndex(index.store, tmp_path / "file" / "words.sqlite3").refresh()


def test_threads_share_it(index):
    from concurrent.futures import ThreadPoolExecutor

    words = LexicalIndex(index.store)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: found(words, "green tea"), range(12))) == [["PMID:101"]] * 12


def test_an_empty_collection_and_an_empty_query(tmp_path):
    words = LexicalIndex(PubMedVectorStore(persist_dir=str(tmp_path)))
    assert found(words, "tea") == []
    assert found(words, "of the") == []


def test_acronyms_and_headings_follow_the_records(index):
    words = LexicalIndex(index.store)
    text = "Heart failure (HF) is common. Patients with HF were seen."
    index.ingest(
        [Document(id_=f"PMID:{n}", text=text, metadata={"mesh": ["Failure, Heart", "Humans"]}) for n in (1, 2)]
    )
    words.refresh()
    assert words.long_forms("HF") == {"heart failure": 2}
    assert words.short_forms("heart failure") == {"HF": 2}
    assert words.headings(heading_key(lexical_terms("heart failures"))) == {"Failure, Heart": 2}
    index.remove_documents(["PMID:1", "PMID:2"])
    words.refresh()
    assert not words.long_forms("HF")
    assert not words.headings(heading_key(lexical_terms("heart failure")))


def test_document_frequencies(index):
    words = LexicalIndex(index.store)
    words.refresh()
    assert words.document_frequencies(["tea", "of", "unheard"]) == {"tea": 1}


def test_chunks_that_do_not_tell_where_they_lie(tmp_path):
    store = PubMedVectorStore(persist_dir=str(tmp_path))
    nodes = [
        TextNode(id_=f"own-{n}", text=text, embedding=np.ones(2).tolist()) for n, text in enumerate(["tea", "cat"])
    ]
    store.add(nodes)
    words = LexicalIndex(store)
    assert (found(words, "tea"), found(words, "cat")) == (["own-0"], ["own-1"])
