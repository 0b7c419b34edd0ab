"""What VllmLora makes of a server that fails: a repeated request or a clear error, never half an answer for a whole."""

import asyncio
import json

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import BaseModel
from llama_index.core.prompts import PromptTemplate

from llama_index_medqa import VllmLora
from llama_index_medqa.errors import InputError, ServerError
from tests.doubles.vllm_double import (
    TEXT,
    breaks,
    closes,
    event,
    finishes,
    garbage,
    hangs_up,
    refuses,
    stalls,
    vllm_double,
)


def client(double, **more) -> VllmLora:
    settings = {"verify_first": False, "max_retries": 0, "timeout": 5.0, **more}
    return VllmLora("base", "adapter", api_base=double.api_base, **settings)


# Each way of asking, as a function of a model; all of them read to the end.
async def _astream_complete(llm):
    return "".join([part.delta async for part in await llm.astream_complete("x")])


async def _astream_chat(llm):
    return "".join([part.delta or "" async for part in await llm.astream_chat([ChatMessage("x")])])


WAYS = {
    "complete": lambda llm: llm.complete("x").text,
    "acomplete": lambda llm: asyncio.run(llm.acomplete("x")).text,
    "complete_many": lambda llm: llm.complete_many(["x"])[0].text,
    "chat": lambda llm: llm.chat([ChatMessage("x")]).message.content,
    "achat": lambda llm: asyncio.run(llm.achat([ChatMessage("x")])).message.content,
    "stream_complete": lambda llm: "".join(part.delta for part in llm.stream_complete("x")),
    "astream_complete": lambda llm: asyncio.run(_astream_complete(llm)),
    "stream_chat": lambda llm: "".join(part.delta or "" for part in llm.stream_chat([ChatMessage("x")])),
    "astream_chat": lambda llm: asyncio.run(_astream_chat(llm)),
}
STREAMS = [name for name in WAYS if "stream" in name]


@pytest.fixture(params=[False, True], ids=["completion", "chat"])
def chat(request) -> bool:
    return request.param


@pytest.mark.parametrize("way", WAYS)
def test_a_healthy_server_is_asked_once(way, chat):
    with vllm_double() as double:
        assert WAYS[way](client(double, is_chat_model=chat)) == TEXT
    assert len(double.requests) == 1


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_without_a_proper_end_is_broken_off(way, chat):
    with vllm_double(finishes("abort")) as double:
        llm = client(double, is_chat_model=chat)
        with pytest.raises(ServerError, match=r"after 20 characters .*'abort' as the reason"):
            WAYS[way](llm)


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_ends_in_order_is_whole_where_no_reason_is_given(way, chat):
    with vllm_double(finishes(None)) as double:
        assert WAYS[way](client(double, is_chat_model=chat)) == TEXT


@pytest.mark.parametrize(("most", "reason"), [(5, "length"), (6, "unstated")])
def test_without_a_reason_the_count_of_tokens_tells_a_cut_answer(most, reason):
    # The double's answer has five tokens.
    with vllm_double(finishes(None)) as double:
        answer = client(double, max_tokens=most).complete("x")
    assert answer.additional_kwargs["finish_reason"] == reason


@pytest.mark.parametrize("way", ["complete", "acomplete", "chat", "achat"])
def test_an_error_with_status_200_is_told_in_its_own_words(way, chat):
    unknown = json.dumps({"error": "Unexpected endpoint or method. (POST /completions). Returning 200 anyway"})
    told = pytest.raises(ServerError, match=r"Unexpected endpoint or method.*usually ends in /v1")
    with vllm_double(garbage(unknown, "application/json")) as double, told:
        WAYS[way](client(double, is_chat_model=chat))


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("fault", [closes, breaks])
def test_a_server_that_ends_in_mid_stream_is_told(way, fault, chat):
    with vllm_double(fault) as double, pytest.raises(ServerError, match="broke off its answer"):
        WAYS[way](client(double, is_chat_model=chat))


@pytest.mark.parametrize("way", ["complete", "acomplete", "chat", "achat"])
def test_a_server_that_ends_inside_an_answer_is_told(way, chat):
    with vllm_double(breaks) as double, pytest.raises(ServerError, match=r"No language-model server answers|broke off"):
        WAYS[way](client(double, is_chat_model=chat))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_repeated(way, status):
    with vllm_double(refuses(status)) as double:
        assert WAYS[way](client(double, max_retries=1)) == TEXT
    assert len(double.requests) == 2


@pytest.mark.parametrize("way", ["complete", "acomplete", "stream_complete", "astream_complete"])
def test_a_request_that_a_server_hung_up_on_is_repeated(way):
    with vllm_double(hangs_up) as double:
        assert WAYS[way](client(double, max_retries=1)) == TEXT
    assert len(double.requests) == 2


@pytest.mark.parametrize(("status", "message"), [(429, "Send fewer requests"), (500, "answered 500: .*not now")])
@pytest.mark.parametrize("way", WAYS)
def test_what_does_not_pass_is_told(way, status, message):
    with vllm_double(refuses(status), refuses(status), refuses(status)) as double:
        with pytest.raises(ServerError, match=message):
            WAYS[way](client(double, max_retries=1))
        assert len(double.requests) == 2


@pytest.mark.parametrize("way", ["complete", "acomplete", "chat", "achat"])
@pytest.mark.parametrize(
    "fault",
    [
        garbage("<html>", "text/html"),
        garbage("<html>", "application/json"),
        garbage("[]", "application/json"),
        garbage("{}", "application/json"),
        garbage('{"choices": []}', "application/json"),
    ],
)
def test_garbage_is_told(way, fault, chat):
    with vllm_double(fault) as double, pytest.raises(ServerError, match="not an OpenAI-compatible server"):
        WAYS[way](client(double, is_chat_model=chat))


@pytest.mark.parametrize("way", ["stream_complete", "astream_complete"])
@pytest.mark.parametrize("text", ["<html>", '{"choi', "{}", "[]"])
def test_garbage_in_a_stream_is_told(way, text):
    with vllm_double(event(text)) as double, pytest.raises(ServerError, match="not an OpenAI-compatible server"):
        WAYS[way](client(double))


@pytest.mark.parametrize("way", STREAMS)
def test_an_error_in_a_stream_is_told(way, chat):
    error = json.dumps({"error": {"message": "out of memory"}})
    with vllm_double(event(error)) as double, pytest.raises(ServerError, match=r"broke off its answer .*out of memory"):
        WAYS[way](client(double, is_chat_model=chat))


@pytest.mark.parametrize("way", ["complete", "acomplete", "stream_complete", "astream_complete"])
def test_a_slow_first_token_is_waited_for_and_too_slow_a_one_asked_for_again(way):
    with vllm_double(stalls(0.3)) as double:
        assert WAYS[way](client(double, timeout=5.0)) == TEXT
        assert len(double.requests) == 1
    with vllm_double(stalls(1.0)) as double:
        assert WAYS[way](client(double, timeout=0.2, max_retries=1)) == TEXT
        assert len(double.requests) == 2
    with vllm_double(stalls(1.0)) as double, pytest.raises(ServerError, match="no answer in time"):
        WAYS[way](client(double, timeout=0.2))


@pytest.mark.parametrize("way", ["stream_complete", "astream_complete"])
def test_a_stream_that_stalls_is_told(way):
    with vllm_double(stalls(1.0, words=2)) as double, pytest.raises(ServerError, match="broke off its answer"):
        WAYS[way](client(double, timeout=0.2))


def test_an_answer_that_is_cut_off_says_so(chat):
    with vllm_double(finishes("length"), finishes("length")) as double:
        llm = client(double, is_chat_model=chat)
        assert llm.complete("x").raw.choices[0].finish_reason == "length"
        *_, last = llm.stream_complete("x")
        # The usage comes after the end.
        assert last.additional_kwargs["completion_tokens"] == 5
        if not chat:
            assert last.additional_kwargs["finish_reason"] == "length"


class Verdict(BaseModel):
    answer: str


def test_the_beginning_of_an_answer_that_was_to_fit_a_schema_is_no_answer(chat):
    with vllm_double(finishes("length")) as double, pytest.raises(ServerError, match="Raise max_tokens"):
        client(double, is_chat_model=chat).structured_predict(Verdict, PromptTemplate("x"))
    assert double.requests[0][1]["response_format"]["json_schema"]["schema"]["required"] == ["answer"]


def test_one_client_serves_several_event_loops():
    with vllm_double() as double:
        llm = client(double)
        assert [asyncio.run(llm.acomplete("x")).text for _ in range(3)] == [TEXT] * 3


def test_many_prompts_keep_their_order_and_fail_together():
    def echo(handler):
        handler.send_json({**handler.answer(handler.body["prompt"], "stop")})

    prompts = [str(number) for number in range(40)]
    with vllm_double(*[echo] * 80) as double:
        llm = client(double)
        assert [answer.text for answer in llm.complete_many(prompts, concurrency=7)] == prompts
        assert [answer.text for answer in asyncio.run(llm.acomplete_many(prompts, concurrency=7))] == prompts
    with vllm_double(refuses(500)) as double, pytest.raises(ServerError, match="answered 500"):
        client(double).complete_many(prompts[:3], concurrency=1)
    with pytest.raises(InputError, match="at least 1, not 0"):
        client(double).complete_many(prompts, concurrency=0)


def test_what_is_asked():
    with vllm_double() as double:
        llm = client(double, prompt_format="alpaca", max_tokens=7)
        llm.complete("Is it?", repetition_penalty=1.1)
        llm.complete("Is it?", max_tokens=3, stop=["."])
        llm.chat([ChatMessage("Is it?")])
    (_, first), (_, second), (_, third) = double.requests
    assert first["prompt"].endswith("### Instruction:\nIs it?\n\n### Response:\n")
    assert third["prompt"] == first["prompt"]
    assert (first["repetition_penalty"], first["max_tokens"], first["temperature"]) == (1.1, 7, 0.0)
    assert "\nQuestion:" in first["stop"]
    assert (second["max_tokens"], second["stop"]) == (3, ["."])


def test_the_context_window_is_the_servers():
    with vllm_double(window=777) as double:
        assert client(double).metadata.context_window == 777
        assert client(double, context_window=99).metadata.context_window == 99
        assert client(double, max_tokens=77).room_for("one two three") == 697
        assert client(double, max_tokens=77, is_chat_model=True).room_for([ChatMessage("one two")]) == 698
