"""An index is opened with the packaged embedder that it was built with, unless another is asked for."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from llama_index_medqa import PubMedIndex, TokenNodeParser
from llama_index_medqa.components import follow_index, open_embedder, open_index
from llama_index_medqa.errors import IndexIdentityError
from llama_index_medqa.profiles import EMBEDDED, MISTRAL_7B
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.weights import PACKAGED, cache_dir
from llama_index_medqa.weights.convert_bge import complete
from tests.unit.embeddings.test_onnx_backend import make_model

NAMES = ("multilingual-e5-small", "bge-small-en-v1.5")
QUESTION = "Does green tea lower the resting heart rate?"


@pytest.fixture
def packaged(tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache in which tiny models lie where the two packaged embedders would."""
    monkeypatch.setenv("MEDQA_CACHE_DIR", str(tmp_path / "cache"))
    for name in NAMES:
        folder = cache_dir() / "weights" / PACKAGED[name].folder_name
        if name.startswith("bge"):
            make_model(folder)
            complete(folder)
        else:
            shutil.copytree(tiny_model, folder)
        files = {
            path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "modified_ns": path.stat().st_mtime_ns}
            for path in folder.rglob("*")
            if path.is_file()
        }
        manifest = {"payload_sha256": PACKAGED[name].sha256, "converter": 1, "files": files}
        (folder / "weights.json").write_text(json.dumps(manifest))


def build(folder: str, name: str, documents: list) -> None:
    profile = replace(EMBEDDED, embedder=name, follows_index=False)
    open_index(profile, folder, open_embedder(profile, None, folder), create=True).ingest(documents)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("profile", [EMBEDDED, MISTRAL_7B])
@pytest.mark.usefixtures("packaged")
def test_a_profile_takes_the_embedder_of_the_index(tmp_path, documents, name, profile):
    folder = str(tmp_path / "index")
    build(folder, name, documents)
    assert follow_index(profile, folder).embedder == name
    opened = open_index(profile, folder, open_embedder(profile, None, folder))
    found = opened.as_retriever(similarity_top_k=1).retrieve(QUESTION)
    assert len(found) == 1
    # A second run adds to the same index.
    again = open_index(EMBEDDED, folder, open_embedder(EMBEDDED, None, folder), create=True).ingest(documents)
    assert again.unchanged == len(documents)


@pytest.mark.parametrize(("built", "asked"), [NAMES, NAMES[::-1]])
@pytest.mark.usefixtures("packaged")
def test_an_embedder_that_was_asked_for_is_not_replaced(tmp_path, documents, built, asked):
    folder = str(tmp_path / "index")
    build(folder, built, documents)
    profile = replace(EMBEDDED, embedder=asked, follows_index=False)
    with pytest.raises(IndexIdentityError, match=f"{built}-.* and is opened with '{asked}-"):
        open_index(profile, folder, open_embedder(profile, None, folder))


def test_the_profile_stays_where_there_is_nothing_to_follow(tmp_path, documents, word_piece):
    assert follow_index(EMBEDDED, str(tmp_path / "none")) == EMBEDDED
    assert not (tmp_path / "none").exists()
    parser = TokenNodeParser(tokenizer=word_piece)
    folder = str(tmp_path / "hash")
    PubMedIndex.open(folder, embed_model=HashEmbedding(), node_parser=parser, create=True).ingest(documents)
    assert follow_index(EMBEDDED, folder) == EMBEDDED


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("packaged")
def test_the_commands_need_no_option_for_an_index_of_either_embedder(medqa, tmp_path, name):
    # `medqa` sets the cache to the same folder.
    record = {"pmid": "1", "title": "Tea.", "abstract": "Green tea lowered the resting heart rate by 3 beats."}
    (tmp_path / "records.jsonl").write_text(json.dumps(record) + "\n")
    code, out, err = medqa("index", "records.jsonl", "--embedder", name)
    assert (code, name in out) == (0, True), err
    code, out, err = medqa("index", "records.jsonl")
    assert (code, "1 unchanged" in out) == (0, True), err
    code, out, err = medqa("ask", QUESTION, "--llm", "extractive")
    assert (code, "Green tea lowered the resting heart rate" in out) == (0, True), err
    other = NAMES[1 - NAMES.index(name)]
    code, _, err = medqa("ask", QUESTION, "--llm", "extractive", "--embedder", other)
    assert (code, "Open it with what it was built with" in err) == (1, True)


@pytest.mark.parametrize(
    ("embedder", "family"),
    [
        ("BAAI/bge-base-en-v1.5", "BgeEmbedding"),
        ("BAAI/bge-small-en", "BgeEmbedding"),
        ("BAAI/bge-small-zh-v1.5", "E5Embedding"),
        ("intfloat/e5-large-unsupervised", "E5Embedding"),
    ],
)
def test_a_model_s_name_tells_its_prefixes(embedder, family):
    assert open_embedder(replace(EMBEDDED, embedder=embedder)).class_name() == family
