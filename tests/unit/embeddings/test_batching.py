"""Tokens and batches against transformers' own tokenizers."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from llama_index_medqa.embeddings.batching import TextTokenizer, plan_batches

WORDS = st.sampled_from(["tea", "Green", "heart-rate", "[SEP]", "[PAD]", "(95%", "Müller", "ß", "癌", "\n", " ", ""])
TEXTS = st.lists(st.lists(WORDS, max_size=30).map(" ".join), min_size=1, max_size=6)


@pytest.fixture(scope="module", params=[("left", False), ("right", False), ("right", True)])
def folder(tiny_model: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A tokenizer that pads and cuts on one side, and may read "[SEP]" in a text as a text."""
    side, splits = request.param
    folder = tmp_path_factory.mktemp(side) / "model"
    shutil.copytree(tiny_model, folder)
    file = folder / "tokenizer_config.json"
    changes = {"padding_side": side, "truncation_side": side, "split_special_tokens": splits}
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return folder


def tokenizer_of(folder: Path, most_tokens: int) -> TextTokenizer:
    from transformers import AutoTokenizer

    return TextTokenizer.of(AutoTokenizer.from_pretrained(folder), most_tokens)


@pytest.fixture(scope="module")
def ours(folder: Path) -> TextTokenizer:
    return tokenizer_of(folder, 12)


@pytest.fixture(scope="module")
def kept(ours: TextTokenizer, tmp_path_factory: pytest.TempPathFactory) -> TextTokenizer:
    path = tmp_path_factory.mktemp("kept") / "tokenizer.json"
    ours.save(path)
    return TextTokenizer.load(path, ours.splits_special_tokens)


@pytest.fixture(scope="module")
def theirs(folder: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@given(TEXTS)
def test_batches_are_those_of_transformers(ours, kept, theirs, texts):
    expected = theirs(texts, truncation=True, max_length=12, padding=True, return_tensors="np")
    whole = theirs(texts)["input_ids"]
    for tokenizer in (ours, kept):
        batch = tokenizer.batch_of(texts)
        for name in expected:
            assert batch[name].tolist() == expected[name].tolist()
        assert tokenizer.tokenize(texts)[1] == sum(len(ids) > 12 for ids in whole)
        assert tokenizer.most_tokens == 12


def test_some_rows_make_a_batch_of_their_own(ours):
    tokens, _ = ours.tokenize(["tea " * 9, "tea", "green tea"])
    assert [ids.tolist() for ids in ours.pad(tokens, [2, 1])["input_ids"]] == ours.batch_of(["green tea", "tea"])[
        "input_ids"
    ].tolist()


def test_a_model_may_read_texts_of_any_length(folder):
    tokenizer = tokenizer_of(folder, sys.maxsize)
    tokens, cut = tokenizer.tokenize(["tea " * 5_000])
    assert (len(tokens["input_ids"][0]), cut) == (5_000, 0)


def test_a_tokenizer_that_does_not_cut_is_refused(tiny_model):
    with pytest.raises(ValueError, match="truncation and padding"):
        TextTokenizer(Tokenizer.from_file(f"{tiny_model}/tokenizer.json"))


@given(st.lists(st.integers(0, 600)), st.integers(1, 2_000))
def test_batches_hold_every_text_once_and_no_more_tokens_than_allowed(lengths, most):
    groups = plan_batches(lengths, most)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[index] for index in group) <= most


def test_like_lengths_are_put_together():
    assert plan_batches([5, 100, 6, 99, 7, 1], 200) == [[1, 3], [4, 2, 0, 5]]
