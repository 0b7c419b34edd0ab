"""A model of e5-large's shape, with random weights, on the whole way from records to a query, on CUDA where it is."""

import time
from pathlib import Path

import numpy as np
import pytest

from llama_index_medqa import E5Embedding, PubMedIndex, TokenNodeParser
from tests.conftest import RECORDS

pytestmark = pytest.mark.integration

# Dense bfloat16 of the data sheets, in operations a second.
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L4": 121e12, "RTX 4090": 165e12}


@pytest.fixture(scope="module")
def e5_large(tmp_path_factory: pytest.TempPathFactory, word_piece: str) -> str:
    """Folder of a BERT of 24 layers and 335 million weights, as intfloat/e5-large-unsupervised has them."""
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("e5_large") / "e5-large-shape"
    PreTrainedTokenizerFast(
        tokenizer_file=f"{word_piece}/tokenizer.json",
        model_max_length=512,
        pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30_522, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
    )
    BertModel(config).save_pretrained(folder)
    return str(folder)


def vectors_of(folder: str, **settings: str) -> np.ndarray:
    embedder = E5Embedding(model_name=folder, **settings)
    return np.array(embedder.get_text_embedding_batch([record.text for record in RECORDS]))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_from_records_to_a_query(e5_large, tmp_path: Path, documents, device):
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    embedder = E5Embedding(model_name=e5_large, device=device, backend="torch", cache_dir=str(tmp_path / "cache"))
    parser = TokenNodeParser(tokenizer=e5_large, chunk_size=128, chunk_overlap=64)
    index = PubMedIndex.open(str(tmp_path / "index"), embed_model=embedder, node_parser=parser, create=True)
    report = index.ingest(documents)
    assert (report.added, embedder.dimension) == (len(documents), 1024)
    found = index.as_retriever(similarity_top_k=2).retrieve("Does green tea lower the heart rate?")
    assert len(found) == 2
    assert 0 < found[1].score <= found[0].score <= 1
    again = PubMedIndex.open(str(tmp_path / "index"), embed_model=E5Embedding(model_name=e5_large, device=device))
    assert again.ingest(documents).unchanged == len(documents)
    float32 = vectors_of(e5_large, device="cpu", backend="torch", precision="float32")
    assert (vectors_of(e5_large, device=device, backend="torch") * float32).sum(axis=1).min() >= 0.9999


def test_openvino_has_the_same_vectors(e5_large, tmp_path, monkeypatch):
    pytest.importorskip("openvino", reason='needs: pip install "llama-index-medqa[openvino]"')
    monkeypatch.setenv("MEDQA_CACHE_DIR", str(tmp_path))
    float32 = vectors_of(e5_large, device="cpu", backend="torch", precision="float32")
    for precision, lowest in (("float32", 0.99999), ("bfloat16", 0.9999)):
        found = vectors_of(e5_large, backend="openvino", precision=precision)
        assert (found * float32).sum(axis=1).min() >= lowest


def test_speed_on_cuda_is_printed(e5_large, capsys):
    """Never asserted: tokens a second, and the share of the device's bfloat16 peak that the products of matrices take.

    A token takes 2 operations for each weight of the layers, and 4 * tokens * hidden size a layer for attention.
    """
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    texts, tokens, layers, hidden = ["heart " * 126] * 8_192, 128, 24, 1024
    embedder = E5Embedding(model_name=e5_large, device="cuda", precision="bfloat16")
    encoder = embedder._load()
    batch = encoder.tokenize([f"passage: {text}" for text in texts])
    tokens = len(batch["input_ids"][0])
    encoder.encode(batch, range(1_024))
    torch.cuda.synchronize()
    start = time.perf_counter()
    encoder.encode(batch)
    seconds = time.perf_counter() - start
    rate = len(texts) * tokens / seconds
    operations = layers * (2 * 12 * hidden**2 + 4 * tokens * hidden)
    name = torch.cuda.get_device_name()
    peak = next((peak for model, peak in PEAKS.items() if model in name), None)
    share = f", {rate * operations / peak:.1%} of its bfloat16 peak" if peak else ""
    with capsys.disabled():
        print(f"\n{name}: {rate:,.0f} tokens a second{share}")  # noqa: T201
