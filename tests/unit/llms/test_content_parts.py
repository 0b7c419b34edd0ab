"""Servers that give the text of a message as a list of parts."""

import json

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage

from llama_index_medqa import VllmLora
from llama_index_medqa.errors import JudgeError
from llama_index_medqa.evaluation.judges.model_calls import written_text
from llama_index_medqa.llms.content_parts import text_of

THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
PICTURE = {"type": "image_url", "image_url": {"url": "data:"}}
TEXT = {"type": "text", "text": "Tea "}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Tea helps.", "Tea helps."),
        (None, ""),
        ([], ""),
        ([TEXT, {"type": "text", "text": "helps."}], "Tea helps."),
        ([THOUGHT, TEXT, PICTURE, "helps."], "Tea helps."),
        ([{"text": "Tea "}, {"type": "output_text", "text": "helps."}], "Tea helps."),
        ([{"type": "text", "text": {"value": "Tea helps.", "annotations": []}}], "Tea helps."),
        ([3, None, {"type": "text"}], ""),
    ],
)
def test_the_text_of_a_message(content, text):
    assert text_of(content) == text


def test_a_judge_s_answer():
    answer = {"choices": [{"message": {"content": [THOUGHT, TEXT]}, "finish_reason": "stop"}]}
    assert written_text(answer) == "Tea "
    answer["choices"][0]["message"]["content"] = [THOUGHT]
    with pytest.raises(JudgeError, match="judge said nothing"):
        written_text(answer)


def served(request: httpx.Request) -> httpx.Response:
    """A chat server whose every text is a list of parts."""
    if request.method == "GET":
        return httpx.Response(200, json={"data": [{"id": "base"}, {"id": "adapter", "parent": "base"}]})
    common = {"id": "x", "created": 1, "model": "adapter"}
    if not json.loads(request.content).get("stream"):
        message = {"role": "assistant", "content": [THOUGHT, TEXT, {"type": "text", "text": "helps."}]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return httpx.Response(200, json={**common, "object": "chat.completion", "choices": [choice]})
    deltas = [{"role": "assistant", "content": [THOUGHT]}, {"content": [TEXT]}, {"content": ["helps."]}, {}]
    chunks = [
        {
            **common,
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}],
        }
        for delta in deltas
    ]
    text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})


@pytest.fixture
def llm() -> VllmLora:
    transport = httpx.MockTransport(served)
    return VllmLora(
        "base",
        "adapter",
        api_base="http://127.0.0.1:9/v1",
        verify_first=False,
        max_retries=0,
        is_chat_model=True,
        http_client=httpx.Client(transport=transport),
        async_http_client=httpx.AsyncClient(transport=transport),
    )


def test_a_model_s_answers_and_streams(llm):
    asked = [ChatMessage("Does tea help?")]
    assert llm.chat(asked).message.content == "Tea helps."
    assert llm.complete("Does tea help?").text == "Tea helps."
    assert "".join(part.delta or "" for part in llm.stream_chat(asked)) == "Tea helps."


async def test_a_model_s_answers_and_streams_asynchronously(llm):
    asked = [ChatMessage("Does tea help?")]
    assert (await llm.achat(asked)).message.content == "Tea helps."
    assert "".join([part.delta or "" async for part in await llm.astream_chat(asked)]) == "Tea helps."
