"""The cache of vectors: what it gives back, what damage does, and several processes at once."""

import logging
import multiprocessing
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from llama_index_medqa import E5Embedding, TransformerEmbedding
from llama_index_medqa.embeddings.cache import FILE_NAME, EmbeddingCache, cache_key
from llama_index_medqa.errors import EmbeddingCacheError

TEXTS = ["green tea", "sleep and blood pressure", "green tea", "H. pylori was rare"]


def vector(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=8).astype(np.float32)


def test_what_was_put_comes_back_bit_for_bit(tmp_path):
    cache = EmbeddingCache(tmp_path / "made" / "on" / "use")
    stored = {cache_key(str(number)): vector(number) for number in range(1_200)}
    cache.put(stored)
    found = EmbeddingCache(tmp_path / "made" / "on" / "use").get([*stored, cache_key("unknown")])
    assert found.keys() == stored.keys()
    assert all(np.array_equal(found[key], stored[key]) for key in stored)


def test_parts_that_join_to_the_same_text_have_keys_of_their_own():
    keys = {cache_key("ab", "c"), cache_key("a", "bc"), cache_key("abc"), cache_key("abc", ""), cache_key("", "abc")}
    assert len(keys) == 5


def counted(embedder: TransformerEmbedding, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of texts of each call that reaches the model."""
    encoder, calls = embedder._load(), []
    encode = encoder.encode

    def counting(tokens, rows=None):
        calls.append(len(tokens["input_ids"]) if rows is None else len(rows))
        return encode(tokens, rows)

    monkeypatch.setattr(encoder, "encode", counting)
    return calls


def test_an_unchanged_passage_is_embedded_once(tiny_model, tmp_path, monkeypatch):
    first = E5Embedding(model_name=tiny_model, cache_dir=str(tmp_path))
    calls = counted(first, monkeypatch)
    vectors = first.get_text_embedding_batch(TEXTS)
    assert calls == [3]
    np.testing.assert_allclose(vectors, E5Embedding(model_name=tiny_model).get_text_embedding_batch(TEXTS), atol=1e-6)
    second = E5Embedding(model_name=tiny_model, cache_dir=str(tmp_path))
    calls = counted(second, monkeypatch)
    assert second.get_text_embedding_batch([*TEXTS[::-1], "new"])[:4] == vectors[::-1]
    assert calls == [1]


def test_a_query_is_neither_stored_nor_answered_with_a_passage(tiny_model, tmp_path, monkeypatch):
    embedder = E5Embedding(model_name=tiny_model, cache_dir=str(tmp_path))
    passage = embedder.get_text_embedding(TEXTS[0])
    calls = counted(embedder, monkeypatch)
    assert embedder.get_query_embedding(TEXTS[0]) == E5Embedding(model_name=tiny_model).get_query_embedding(TEXTS[0])
    assert embedder.get_query_embedding(TEXTS[0]) != passage
    assert calls == [1, 1]
    assert rows(tmp_path) == 1


def rows(folder: Path) -> int:
    with sqlite3.connect(folder / FILE_NAME) as connection:
        return connection.execute("SELECT count(*) FROM vectors").fetchone()[0]


def test_another_prefix_or_model_shares_no_vector(tiny_model, tmp_path):
    import shutil

    copy = tmp_path / "same weights elsewhere"
    shutil.copytree(tiny_model, copy)
    changed = tmp_path / "other weights"
    shutil.copytree(tiny_model, changed)
    weights = changed / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\x00\x00\x80\x3f")
    cache = {"cache_dir": str(tmp_path)}
    E5Embedding(model_name=tiny_model, **cache).get_text_embedding("tea")
    E5Embedding(model_name=str(copy), **cache).get_text_embedding("tea")
    assert rows(tmp_path) == 1
    E5Embedding(model_name=str(changed), **cache).get_text_embedding("tea")
    assert rows(tmp_path) == 2
    TransformerEmbedding(model_name=tiny_model, **cache).get_text_embedding("tea")
    assert rows(tmp_path) == 3
    # The same tokens by another prefix are the same input, and still have a row of their own.
    TransformerEmbedding(model_name=tiny_model, passage_prefix="passage: tea", **cache).get_text_embedding("")
    assert rows(tmp_path) == 4


def test_a_text_that_is_cut_off_is_reported_from_the_cache_too(tiny_model, tmp_path, caplog):
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            E5Embedding(model_name=tiny_model, cache_dir=str(tmp_path)).get_text_embedding("heart " * 200)
        assert "1 of 1 texts are longer than the 64 tokens" in caplog.text


def test_a_damaged_row_is_embedded_again_and_said(tiny_model, tmp_path, caplog):
    embedder = E5Embedding(model_name=tiny_model, cache_dir=str(tmp_path))
    vectors = embedder.get_text_embedding_batch(TEXTS)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE vectors SET vector = zeroblob(132) WHERE rowid = 1")
        connection.execute("UPDATE vectors SET vector = x'00' WHERE rowid = 2")
    with caplog.at_level(logging.WARNING):
        mended = embedder.get_text_embedding_batch(TEXTS)
    # In a batch of another shape some processors round the last digit otherwise.
    np.testing.assert_allclose(mended, vectors, atol=1e-6)
    assert "2 vectors are damaged" in caplog.text
    caplog.clear()
    assert embedder.get_text_embedding_batch(TEXTS) == mended
    assert not caplog.text


@pytest.mark.parametrize("content", [b"this is not a database " * 300, b"SQLite format 3\x00" + b"\xff" * 8_000])
def test_a_damaged_file_is_told(tmp_path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(EmbeddingCacheError, match=f"{FILE_NAME} cannot be used: .*delete it"):
        EmbeddingCache(tmp_path).get([cache_key("x")])


def test_a_file_of_another_format_is_told(tmp_path):
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(EmbeddingCacheError, match="has format 9, and this version of llama-index-medqa reads format 1"):
        EmbeddingCache(tmp_path).get([cache_key("x")])


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EmbeddingCacheError, match="choose another as cache_dir"):
        EmbeddingCache(tmp_path / "file").put({cache_key("x"): vector(1)})


def write_and_read(folder: Path, start: int) -> None:
    for number in range(start, start + 60):
        cache = EmbeddingCache(folder)
        cache.put({cache_key(str(number)): vector(number), cache_key("shared"): vector(0)})
        assert np.array_equal(cache.get([cache_key(str(number))])[cache_key(str(number))], vector(number))


def test_processes_that_start_at_once_share_a_cache(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_and_read, args=(tmp_path, 60 * number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert rows(tmp_path) == 4 * 60 + 1
