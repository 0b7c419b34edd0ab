"""VllmLora and the server's list of models; the server is an httpx transport that speaks the OpenAI protocol."""

import json
import logging

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.llms.openai_like import OpenAILike

from llama_index_medqa import VllmLora
from llama_index_medqa.errors import InputError, ServerError
from llama_index_medqa.llms.server_errors import server_errors
from llama_index_medqa.llms.vllm_api import ModelCard, ServerApi

WORDS = ["Green", " tea", " lowers", " it", "."]


def serve(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/v1/models":
        return httpx.Response(200, json={"object": "list", "data": [{"id": "base"}, {"id": "adapter"}]})
    body = json.loads(request.content)
    if body["model"] not in ("base", "adapter"):
        return httpx.Response(404, json={"error": {"message": f"The model `{body['model']}` does not exist."}})
    kind = "chat" if request.url.path.endswith("/chat/completions") else "text"

    def choice(text: str, reason: str | None) -> dict:
        if kind == "text":
            return {"index": 0, "text": text, "finish_reason": reason, "logprobs": None}
        key = "delta" if body.get("stream") else "message"
        return {"index": 0, key: {"role": "assistant", "content": text}, "finish_reason": reason}

    def answer(text: str, reason: str | None = None) -> dict:
        name = "chat.completion" if kind == "chat" else "text_completion"
        return {"id": "1", "object": name, "created": 1, "model": body["model"], "choices": [choice(text, reason)]}

    if not body.get("stream"):
        return httpx.Response(200, json=answer("".join(WORDS), "stop"))
    pieces = [*(answer(word) for word in WORDS), answer("", "stop")]
    lines = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces)
    return httpx.Response(200, text=f"{lines}data: [DONE]\n\n", headers={"content-type": "text/event-stream"})


class Server:
    def __init__(self, answer=serve):
        self.requests: list[httpx.Request] = []

        def handle(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return answer(request)

        self.transport = httpx.MockTransport(handle)

    def client(self, **kwargs) -> VllmLora:
        return VllmLora(
            **{
                "base_model": "base",
                "adapter": "adapter",
                "api_base": "http://vllm.test/v1",
                "max_retries": 0,
                "verify_first": False,
                **kwargs,
            },
            http_client=httpx.Client(transport=self.transport),
            async_http_client=httpx.AsyncClient(transport=self.transport),
        )

    @property
    def models(self) -> list[str]:
        return [json.loads(request.content)["model"] for request in self.requests]


@pytest.mark.parametrize("chat", [False, True])
async def test_the_adapter_is_what_is_asked_for_on_every_way(chat):
    server = Server()
    llm = server.client(is_chat_model=chat)
    assert str(llm.complete("x")) == str(await llm.acomplete("x")) == "Green tea lowers it."
    assert "".join(part.delta for part in llm.stream_complete("x")) == "Green tea lowers it."
    assert "".join([part.delta async for part in await llm.astream_complete("x")]) == "Green tea lowers it."
    assert server.models == ["adapter"] * 4
    paths = {request.url.path for request in server.requests}
    assert paths == {"/v1/chat/completions" if chat else "/v1/completions"}


def with_probabilities(request: httpx.Request) -> httpx.Response:
    """Two tokens, as vLLM gives them with their probabilities, and with one alternative where that was asked for."""
    body = json.loads(request.content)
    chat, streams = request.url.path.endswith("/chat/completions"), body.get("stream")
    alternatives = body["top_logprobs"] if chat else body["logprobs"]

    def answer(words: list[str], reason: str | None) -> dict:
        values = [-len(word) / 4 for word in words]
        if chat:
            likeliest = [
                {"token": word, "logprob": one, "bytes": None} for word, one in zip(words, values, strict=True)
            ]
            tokens = [{**token, "top_logprobs": [token] * alternatives} for token in likeliest]
            message = {"role": "assistant", "content": "".join(words)}
            choice = {"delta" if streams else "message": message, "logprobs": {"content": tokens}}
        else:
            tops = [{word: one} if alternatives else {} for word, one in zip(words, values, strict=True)]
            logprobs = {"tokens": words, "token_logprobs": values, "top_logprobs": tops}
            choice = {"text": "".join(words), "logprobs": logprobs}
        return {"id": "1", "choices": [{"index": 0, **choice, "finish_reason": reason}]}

    if not streams:
        return httpx.Response(200, json=answer(["No", ", it"], "stop"))
    pieces = [answer(["No"], None), answer([", it"], "stop")]
    lines = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces)
    return httpx.Response(200, text=f"{lines}data: [DONE]\n\n", headers={"content-type": "text/event-stream"})


@pytest.mark.parametrize("alternatives", [0, 1])
@pytest.mark.parametrize("chat", [False, True])
async def test_probabilities_are_told_on_every_way(chat, alternatives):
    server = Server(with_probabilities)
    llm = server.client(is_chat_model=chat, logprobs=True, top_logprobs=alternatives, context_window=1000)

    def seen(*responses) -> list[tuple[str, float]]:
        return [(one.token, one.logprob) for response in responses for (one,) in response.logprobs]

    expected = [("No", -0.5), (", it", -1.0)]
    assert seen(llm.complete("x")) == expected
    assert seen(await llm.acomplete("x")) == expected
    assert seen(*llm.stream_complete("x")) == expected
    assert seen(*[part async for part in await llm.astream_complete("x")]) == expected
    if chat:
        message = [ChatMessage(content="x")]
        assert seen(llm.chat(message)) == expected
        assert seen(await llm.achat(message)) == expected
        assert seen(*llm.stream_chat(message)) == expected
        assert seen(*[part async for part in await llm.astream_chat(message)]) == expected
        assert all(json.loads(request.content)["logprobs"] is True for request in server.requests)


def test_without_an_adapter_the_base_model_is_asked_for():
    server = Server()
    server.client(adapter=None).complete("x")
    assert server.models == ["base"]


def test_the_base_model_s_name_is_no_adapter():
    with pytest.raises(InputError, match="'mistral-7b-med', so the base model would answer"):
        VllmLora("mistral-7b-med", "mistral-7b-med", api_base="http://vllm.test/v1")


def test_no_secret_is_saved_or_shown(caplog):
    secret = "sk-very-secret"
    server = Server()
    with caplog.at_level(logging.DEBUG):
        llm = server.client(api_key=secret, default_headers={"X-Token": secret})
        llm.complete("x")
    assert server.requests[0].headers["authorization"] == f"Bearer {secret}"
    assert secret not in json.dumps(llm.to_dict())
    assert secret not in repr(llm)
    assert secret not in caplog.text


@pytest.mark.parametrize("chat", [False, True])
async def test_events_reach_a_handler(chat):
    handler = LlamaDebugHandler(print_trace_on_end=False)
    llm = Server().client(callback_manager=CallbackManager([handler]), is_chat_model=chat)
    llm.complete("x")
    await llm.acomplete("x")
    list(llm.stream_complete("x"))
    [part async for part in await llm.astream_complete("x")]
    texts = [end.payload[EventPayload.COMPLETION].text for _, end in handler.get_event_pairs(CBEventType.LLM)]
    assert texts == ["Green tea lowers it."] * 4


def api(answer=serve, api_base="http://vllm.test/v1/") -> ServerApi:
    return ServerApi(api_base, client=httpx.Client(transport=Server(answer).transport))


def test_what_a_server_lists():
    assert api().models() == [ModelCard("base"), ModelCard("adapter")]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda _: httpx.Response(401), "answered 401 .* Check the address .* and the key"),
        (lambda _: httpx.Response(500, json={"error": {"message": "no memory"}}), r"500 .*\(no memory\)\. See its log"),
        (lambda _: httpx.Response(200, text="<html>"), "not an OpenAI-compatible server"),
        (lambda _: httpx.Response(200, json={"models": []}), "not an OpenAI-compatible server"),
        (lambda _: httpx.Response(200, content=b"{", headers={"content-type": "application/json"}), "not an OpenAI"),
    ],
)
def test_what_is_no_such_server_is_told(answer, message):
    with pytest.raises(ServerError, match=message):
        api(answer).models()


def test_a_server_that_loads_no_adapters_says_how_it_would():
    with pytest.raises(ServerError, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"):
        api(lambda _: httpx.Response(404, json={"detail": "Not Found"})).load_adapter("one", "path")
    with pytest.raises(ServerError, match="cannot be found"):
        api(lambda _: httpx.Response(404, json={"error": {"message": "cannot be found"}})).unload_adapter("one")


def test_nobody_there_is_told():
    with pytest.raises(ServerError, match=r"No language-model server answers at http://127\.0\.0\.1:9/v1"):
        ServerApi("http://127.0.0.1:9/v1").models()


def test_other_adapters_share_the_server():
    server = Server()
    llm = server.client()
    llm.with_adapter("other")
    llm.with_adapter(None).complete("x")
    llm.complete("x")
    assert server.models == ["base", "adapter"]
    with pytest.raises(InputError, match="'base', so the base model would answer"):
        llm.with_adapter("base")


def refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused")


def stall(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("too slow")


@pytest.mark.parametrize(
    ("answer", "model", "message"),
    [
        (refuse, "adapter", "No language-model server answers at .*connection refused"),
        (stall, "adapter", "gave no answer in time"),
        (serve, "unknown", "answered 404: .*'unknown'.*server's log"),
    ],
)
def test_errors_of_a_server_say_what_to_do(answer, model, message):
    llm = Server(answer).client(adapter=model)
    with pytest.raises(ServerError, match=message), server_errors(llm):
        llm.complete("x")


def test_any_openai_like_model_works_too():
    llm = OpenAILike(model="base", api_base="http://127.0.0.1:9/v1", api_key="none", max_retries=0)
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:9"), server_errors(llm):
        llm.complete("x")


# LM Studio 0.3 answers so for every path that it does not know.
UNKNOWN_PATH = {"error": "Unexpected endpoint or method. (GET /v2/models). Returning 200 anyway"}


@pytest.mark.parametrize(
    "ask",
    [
        lambda api: api.models(),
        lambda api: api.version(),
        lambda api: api.token_ids("m", "x"),
        lambda api: api.score("m", "x y"),
        lambda api: api.load_adapter("a", "b"),
        lambda api: api.unload_adapter("a"),
    ],
)
def test_an_unknown_path_with_status_200_is_an_error(ask):
    with pytest.raises(ServerError, match=r"Unexpected endpoint or method.*usually ends in /v1"):
        ask(api(lambda _: httpx.Response(200, json=UNKNOWN_PATH)))
