"""Both searches over a real Chroma server, and a word index that follows what others write there. Takes 30 seconds."""

import multiprocessing
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from llama_index.core import Document

from llama_index_medqa import PubMedIndex, PubMedRetriever, PubMedVectorStore, TokenNodeParser
from llama_index_medqa.retrieval.lexical_index import LexicalIndex
from llama_index_medqa.testing import HashEmbedding

pytestmark = pytest.mark.integration


@pytest.fixture
def port(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(tmp_path / "server"), "--port"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, str(port)], stdout=log, stderr=log)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            pytest.fail((tmp_path / "log").read_text())
        yield port
    finally:
        process.terminate()
        process.wait(30)


def opened(port: int, tokenizer: str) -> PubMedIndex:
    parser = TokenNodeParser(tokenizer=tokenizer, chunk_size=32, chunk_overlap=8)
    return PubMedIndex.open(embed_model=HashEmbedding(), node_parser=parser, create=True, host="127.0.0.1", port=port)


def write_elsewhere(port: int, tokenizer: str) -> None:
    opened(port, tokenizer).ingest([Document(id_="PMID:8", text="Okapis are shy.")])


def test_both_searches_work_over_a_server_and_see_what_others_write(port, tmp_path, word_piece, documents, monkeypatch):
    monkeypatch.setenv("MEDQA_CACHE_DIR", str(tmp_path / "cache"))
    index = opened(port, word_piece)
    index.ingest(documents)
    for mode in ("hybrid", "dense", "lexical"):
        [best, *_] = PubMedRetriever(index, mode=mode).retrieve("Does green tea lower the heart rate?")
        assert best.node.ref_doc_id == "PMID:101"
    cached = LexicalIndex(index.store)
    assert cached.path.parent == tmp_path / "cache" / "search"
    assert cached.refresh() == 0
    process = multiprocessing.get_context("spawn").Process(target=write_elsewhere, args=(port, word_piece))
    process.start()
    process.join()
    assert process.exitcode == 0
    retriever = PubMedRetriever(index, mode="lexical")
    assert [found.node.ref_doc_id for found in retriever.retrieve("okapi")] == ["PMID:8"]
    index.remove_documents(["PMID:8"])
    assert retriever.retrieve("okapi") == []
    # Another server, or a collection made anew, has another cache.
    index.store.collection._client.delete_collection(index.store.collection_name)
    assert LexicalIndex(PubMedVectorStore(host="127.0.0.1", port=port)).path != cached.path
