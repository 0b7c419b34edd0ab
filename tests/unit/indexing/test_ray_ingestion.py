"""What is told before any Ray cluster is needed, and how a worker opens the index."""

import pickle
import re
import socket

import pytest

from llama_index_medqa import E5Embedding, PubMedIndex, TokenNodeParser
from llama_index_medqa.errors import EmptyCorpusError, IndexIdentityError, InputError, ServerError
from llama_index_medqa.indexing.ray_ingestion import _Opening, _saved, _Total, ingest_with_ray, ray_cluster
from llama_index_medqa.testing import HashEmbedding


@pytest.fixture
def index(tmp_path, word_piece) -> PubMedIndex:
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
    return PubMedIndex.open(str(tmp_path / "index"), embed_model=HashEmbedding(), node_parser=parser, create=True)


def test_a_folder_has_one_writer(index, tmp_path):
    with pytest.raises(InputError, match=re.escape(f"chroma run --path {tmp_path / 'index'} --host")):
        ingest_with_ray(index, ["any.xml"])


def test_a_cluster_that_does_not_answer_is_told_at_once():
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ServerError, match=rf"{address}.*ray start --head"), ray_cluster(address):
        pass


def test_a_worker_restores_what_makes_the_chunks(index):
    opening = _Opening.of(index)
    (kind, saved), *others = opening.transformations
    assert (kind, others) == (TokenNodeParser, [])
    assert kind.from_dict(saved).identity() == index.node_parser.identity()
    kind, saved = opening.embed_model
    assert (kind, kind.from_dict(saved).to_dict()) == (HashEmbedding, HashEmbedding().to_dict())


def test_a_worker_with_another_embedder_is_refused(index, tmp_path):
    opening = _Opening.of(index)
    location = {"persist_dir": str(tmp_path / "index")}
    assert _Opening(location, opening.embed_model, opening.transformations, opening.identity).open().info().chunks == 0
    other = (HashEmbedding, HashEmbedding(dimension=8).to_dict())
    # The index is still empty, so that a look at the collection alone would not tell.
    with pytest.raises(IndexIdentityError, match="dimension 256 in the index, 8 given"):
        _Opening(location, other, opening.transformations, opening.identity).open()


def test_an_embedder_travels_without_its_weights_and_its_cache(tmp_path, tiny_model):
    embedder = E5Embedding(model_name=tiny_model, cache_dir=str(tmp_path / "cache"))
    assert embedder.dimension == 32
    kind, saved = _saved(embedder)
    assert len(pickle.dumps(saved)) < 2_000
    restored = kind.from_dict(saved)
    assert (restored.cache_dir, restored.identity()) == (None, embedder.identity())


def test_rows_add_up():
    seen = []
    total = _Total(lambda report: seen.append(report.documents))
    zero = dict.fromkeys(
        ["updated", "unchanged", "outdated", "empty", "deleted", "chunks_written", "chunks_removed"], 0
    )
    first = {"file": 0, "error": "", "records": 3, "with_text": 2, "revised": 20210101, "added": 2}
    second = {"file": 1, "error": "broken", "records": 3, "with_text": 3, "revised": 0, "added": 3}
    for row in (first, second):
        total.add(row | zero, ["a", "b"])
    assert (total.report.added, total.records, total.with_text, total.revised) == (5, 6, 5, 20210101)
    assert (total.failed, seen) == ({"b": "broken"}, [2, 5])
    total.require_records()


def test_input_without_any_record():
    total = _Total(None)
    with pytest.raises(EmptyCorpusError, match="holds no record"):
        total.require_records()
    total.failed["b.xml"] = "b.xml is no XML."
    with pytest.raises(InputError, match=r"None of the files can be read \(1 failed\): b.xml is no XML."):
        total.require_records()
