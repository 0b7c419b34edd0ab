"""Requests to a llama.cpp server, answered by a transport that knows three tokens."""

import json

import httpx
import pytest

from llama_index_medqa import LlamaCppLora
from llama_index_medqa.errors import AdapterNotActive, ServerError
from llama_index_medqa.llms.adapter_proof import same_model
from llama_index_medqa.llms.llama_cpp_api import LlamaCppApi

ADAPTERS = [{"id": 0, "path": "/models/mine.gguf", "scale": 0.0}, {"id": 1, "path": "/models/other.gguf", "scale": 0.0}]


class Server:
    """Token ids are the lengths of words; a log-probability is minus the number of tokens before it."""

    def __init__(self, **replies):
        self.replies, self.requests = replies, []

    def __call__(self, request):
        path = request.url.path
        body = json.loads(request.content) if request.content else {}
        self.requests.append((path, body))
        if path in self.replies:
            return self.replies[path]
        if path == "/completion":
            ((token_id, _),) = body["logit_bias"]
            written = {"id": token_id, "logprob": -len(body["prompt"]) / 10}
            return httpx.Response(200, json={"completion_probabilities": [written]})
        return httpx.Response(200, json={
            "/v1/models": {"data": [{"id": "base"}]},
            "/props": {"model_path": "/models/base-q4_k_m.gguf", "default_generation_settings": {"n_ctx": 2048},
                       "build_info": "b7000"},
            "/lora-adapters": ADAPTERS,
            "/apply-template": {"prompt": " ".join(m["content"] for m in body.get("messages", []))},
            "/tokenize": {"tokens": [len(word) for word in body.get("content", "").split()]},
        }[path])  # fmt: skip


def api(server, **more):
    return LlamaCppApi("http://127.0.0.1:1/v1", client=httpx.Client(transport=httpx.MockTransport(server)), **more)


def test_the_list_of_models_has_the_base_and_its_adapters():
    cards = api(Server()).models()
    assert [(card.name, card.root, card.parent, card.context_window) for card in cards] == [
        ("base", "/models/base-q4_k_m.gguf", None, 2048),
        ("mine", None, "base", 2048),
        ("other", None, "base", 2048),
    ]
    assert api(Server()).version() == "b7000"


def test_the_last_tokens_are_scored_each_after_all_before_it():
    server = Server()
    scored = api(server, last_tokens=2).score("mine", "a bb ccc dddd")
    assert scored.count == 4
    assert scored.token_ids == (2, 3, 4)
    assert scored.logprobs == (-0.2, -0.3)
    asked = [body for path, body in server.requests if path == "/completion"]
    assert [body["prompt"] for body in asked] == [[1, 2], [1, 2, 3]]
    # What the server keeps of a prompt may be of another adapter: it is read anew, and then gone on from.
    assert [body["cache_prompt"] for body in asked] == [False, True]
    assert [body["lora"] for body in asked] == [[{"id": 0, "scale": 1.0}, {"id": 1, "scale": 0.0}]] * 2


def test_a_short_text_is_scored_whole_and_the_base_with_no_adapter():
    server = Server()
    scored = api(server).score("base", "a bb")
    assert (scored.token_ids, scored.logprobs) == ((2,), (-0.1,))
    assert server.requests[-1][1]["lora"] == [{"id": 0, "scale": 0.0}, {"id": 1, "scale": 0.0}]


def test_a_chat_is_counted_in_its_template():
    server = Server()
    assert api(server).token_ids("base", [{"role": "user", "content": "a bb"}]) == (1, 2)
    assert server.requests[-1][1]["add_special"] is False


def test_a_server_that_gives_another_token_is_told():
    reply = httpx.Response(200, json={"completion_probabilities": [{"id": 9, "logprob": -1.0}]})
    with pytest.raises(ServerError, match="other tokens than it is asked for"):
        api(Server(**{"/completion": reply})).score("base", "a bb")


@pytest.mark.parametrize("path", ["/props", "/lora-adapters", "/tokenize", "/completion"])
def test_what_is_no_llama_cpp_server_is_told(path):
    server = api(Server(**{path: httpx.Response(200, json={"odd": 1})}))
    with pytest.raises(ServerError, match="cannot be read"):
        server.models() if path in ("/props", "/lora-adapters") else server.score("base", "a bb")


def test_every_request_says_which_adapter_it_wants():
    client = httpx.Client(transport=httpx.MockTransport(Server()))
    llm = LlamaCppLora("base", "other", api_base="http://127.0.0.1:1/v1", http_client=client, verify_first=False)
    scales = [{"id": 0, "scale": 0.0}, {"id": 1, "scale": 1.0}]
    assert llm._get_model_kwargs()["extra_body"]["lora"] == scales
    off = [{"id": 0, "scale": 0.0}, {"id": 1, "scale": 0.0}]
    assert llm.with_adapter(None)._get_model_kwargs()["extra_body"]["lora"] == off
    with pytest.raises(AdapterNotActive, match="started with 'mine', 'other', not with 'third'"):
        llm.with_adapter("third")._get_model_kwargs()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/w/smollm2-135m-instruct-q4_1.gguf", "smollm2-135m-instruct-bf16-0.1.2", True),
        ("/w/Qwen2.5-Coder-1.5B-Instruct-Q4_K_M.gguf", "Qwen/Qwen2.5-Coder-1.5B-Instruct", True),
        ("/w/smollm2-360m-instruct-q4_1.gguf", "smollm2-135m-instruct", False),
        ("mistralai/Mistral-7B-v0.1", "mistralai/Mistral-7B-v0.3", False),
        ("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2-0.5B", False),
    ],
)
def test_which_names_can_mean_one_model(one, other, same):
    assert same_model(one, other) is same
