"""OpenAI's API, asked by OpenAI's own client over a real server."""

import asyncio

import openai
import pytest
from llama_index.core.base.llms.types import ChatMessage, MessageRole

from llama_index_medqa.server.openai_api import as_markdown
from llama_index_medqa.server.results import ServiceLimits
from llama_index_medqa.testing import ScriptedLLM
from tests.doubles.paused_llm import PausedLLM
from tests.unit.server.serving import DRAFT, QUESTION, SAFE, service_of, serving

LINKED = (
    "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water "
    "[[PMID:101](https://pubmed.ncbi.nlm.nih.gov/101/)]."
)


def asked(*messages: str) -> list[dict[str, str]]:
    """Messages of the user and the assistant in turn."""
    return [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(messages)]


@pytest.fixture
def address(index):
    with serving(service_of(index)) as address:
        yield f"{address}/v1"


@pytest.fixture
def client(address):
    with openai.OpenAI(base_url=address, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def test_the_one_model_is_listed(client):
    assert [model.id for model in client.models.list()] == ["medqa"]
    assert client.models.retrieve("medqa").owned_by == "llama-index-medqa"
    with pytest.raises(openai.NotFoundError, match="only model here is 'medqa'"):
        client.models.retrieve("gpt-4o")


def test_an_answer_has_links_usage_and_all_that_is_known(client):
    completion = client.chat.completions.create(model="medqa", messages=asked(QUESTION), temperature=0.2, max_tokens=9)
    [choice] = completion.choices
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert choice.message.content.startswith(f"{LINKED}\n\n- [[PMID:101](https://pubmed.ncbi.nlm.nih.gov/101/)] Green")
    assert "This is a summary of literature, not medical advice." in choice.message.content
    # The words of the draft and of the prompt, counted by LlamaIndex's tokenizer: the scripted model does not count.
    assert completion.usage.completion_tokens > 10
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    medqa = completion.model_extra["medqa"]
    assert medqa["sentences"][0]["citations"][0]["pmid"] == "101"
    assert medqa["usage"]["completion"] == completion.usage.completion_tokens


def test_a_stream_says_the_same(client):
    whole = client.chat.completions.create(model="medqa", messages=asked(QUESTION)).choices[0].message.content
    stream = client.chat.completions.create(
        model="medqa", messages=asked(QUESTION), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert not chunks[-1].choices
    assert chunks[-1].usage.total_tokens > 10
    told = [chunk.model_extra["medqa"] for chunk in chunks if "medqa" in (chunk.model_extra or {})]
    assert [one["outcome"] for one in told] == ["answer"]
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_request_of_a_chat_page_is_answered_as_it_comes(client):
    """As Open WebUI and LibreChat send it: parts, a system message, their own fields, a stream with usage."""
    whole = client.chat.completions.create(model="medqa", messages=asked(QUESTION)).choices[0].message.content
    chunks = list(
        client.chat.completions.create(
            model="medqa",
            messages=[
                {"role": "system", "content": "You are a pirate."},
                {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
            ],
            stream=True,
            stream_options={"include_usage": True},
            max_completion_tokens=5,
            frequency_penalty=0.1,
            user="somebody",
            extra_body={"metadata": {"chat_id": "1"}, "session_id": "2", "chat_id": "1", "background_tasks": {}},
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole
    assert chunks[-1].usage.completion_tokens > 10
    [cited] = [chunk.model_extra["medqa"] for chunk in chunks if "medqa" in (chunk.model_extra or {})]
    assert cited["sentences"][0]["citations"][0]["pmid"] == "101"


async def test_the_asynchronous_client(address):
    async with openai.AsyncOpenAI(base_url=address, api_key="none", max_retries=0, timeout=60) as client:
        completion = await client.chat.completions.create(model="medqa", messages=asked(QUESTION))
        assert completion.choices[0].message.content.startswith(LINKED)
        stream = await client.chat.completions.create(model="medqa", messages=asked(QUESTION), stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == completion.choices[0].message.content


def test_earlier_messages_are_the_conversation(index):
    rewritten = "Is green tea safe for the resting heart rate?"
    llm = ScriptedLLM([rewritten, SAFE])
    with serving(service_of(index, llm)) as address:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=60)
        messages = [
            {"role": "system", "content": "You are a pirate."},
            *asked(QUESTION, DRAFT),
            {"role": "user", "content": [{"type": "text", "text": "And is it safe?"}]},
        ]
        completion = client.chat.completions.create(model="medqa", messages=messages)
    assert "No serious adverse events occurred [[PMID:101]" in completion.choices[0].message.content
    assert QUESTION in llm.prompts[0]
    assert DRAFT in llm.prompts[0]
    assert not any("pirate" in prompt for prompt in llm.prompts)


def test_filters_go_in_the_extra_field(client):
    completion = client.chat.completions.create(
        model="medqa", messages=asked(QUESTION), extra_body={"medqa": {"first_year": 2022}}
    )
    assert completion.model_extra["medqa"]["outcome"] == "nothing_found"
    with pytest.raises(openai.BadRequestError, match="api_base"):
        client.chat.completions.create(
            model="medqa", messages=asked(QUESTION), extra_body={"medqa": {"api_base": "http://127.0.0.1:1"}}
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"messages": []}, "messages"),
        ({"messages": asked("")}, "question is empty"),
        ({"messages": asked(""), "stream": True}, "question is empty"),
        ({"messages": asked(QUESTION, DRAFT)}, "must be of the role user, and is of assistant"),
        ({"messages": asked(QUESTION), "n": 2}, "leave n out"),
        ({"messages": asked(QUESTION), "response_format": {"type": "json_object"}}, "leave response_format out"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/"}}]}]},
            "text are read only, not image_url",
        ),
    ],
)
def test_what_cannot_be_done_is_an_error_of_openais(client, arguments, message):
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        client.chat.completions.create(model="medqa", **arguments)
    assert caught.value.type == "invalid_request_error"


def test_another_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=asked(QUESTION))
    assert caught.value.code == "model_not_found"


def test_an_error_in_the_middle_of_a_stream_reaches_the_client(index):
    with serving(service_of(index, PausedLLM([DRAFT]), ServiceLimits(most_answer_seconds=1))) as address:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=60)
        stream = client.chat.completions.create(model="medqa", messages=asked(QUESTION), stream=True)
        with pytest.raises(openai.APIError, match="took more than 1 seconds"):
            list(stream)
        with pytest.raises(openai.InternalServerError, match="took more than 1 seconds"):
            client.chat.completions.create(model="medqa", messages=asked(QUESTION))


async def test_a_stream_that_is_closed_stops_the_drafting(index):
    llm = PausedLLM([DRAFT])
    with serving(service_of(index, llm)) as address:
        async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none", timeout=60) as client:
            stream = await client.chat.completions.create(model="medqa", messages=asked(QUESTION), stream=True)
            assert (await anext(aiter(stream))).choices[0].delta.role == "assistant"
            async with asyncio.timeout(20):
                while not llm.begun:
                    await asyncio.sleep(0.01)
                await stream.close()
                while not llm.stopped:
                    await asyncio.sleep(0.01)


def test_llama_index_speaks_to_it(address):
    from llama_index.llms.openai_like import OpenAILike

    llm = OpenAILike(model="medqa", api_base=address, api_key="none", is_chat_model=True, max_retries=0)
    message = ChatMessage(QUESTION, role=MessageRole.USER)
    assert str(llm.chat([message]).message.content).startswith(LINKED)
    assert "".join(str(reply.delta or "") for reply in llm.stream_chat([message])).startswith(LINKED)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Tea helps [PMID:101].", "Tea helps [[PMID:101](https://pubmed.ncbi.nlm.nih.gov/101/)]."),
        (
            "It is so [PMID:1 (retracted)] [PMID:22][PMID:3].",
            r"It is so \[PMID:1 (retracted)\] [[PMID:22](https://pubmed.ncbi.nlm.nih.gov/22/)]"
            "[[PMID:3](https://pubmed.ncbi.nlm.nih.gov/3/)].",
        ),
        ("![x](http://evil/) [a](javascript:b)", r"!\[x\](http://evil/) \[a\](javascript:b)"),
        ("<script>alert(1)</script> *a* _b_ `c`", r"\<script>alert(1)\</script> \*a\* \_b\_ \`c\`"),
        (r"\[PMID:101\]", r"\\\[PMID:101\\\]"),
        ("[PMID:12345678901]", r"\[PMID:12345678901\]"),
        ("[Seed records.]", r"\[Seed records.\]"),
    ],
)
def test_of_a_text_only_its_marks_are_markdown(text, shown):
    assert as_markdown(text) == shown
