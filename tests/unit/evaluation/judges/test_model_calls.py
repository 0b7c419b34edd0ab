"""Calls of a judge's model: together, each paid once, every failure with its reason."""

import asyncio
import json

import httpx
import pytest

from llama_index_medqa.errors import InputError, JudgeError
from llama_index_medqa.evaluation.judges.model_calls import JudgeServer, ModelCalls, written_text
from tests.doubles.judge_double import completion, transport

SERVER = JudgeServer("http://judge.test/v1", "some-model", more={"weights": "abc"})
PATH = "chat/completions"


def request(text):
    return {"messages": [{"role": "user", "content": text}], "temperature": 0}


def echoing(seen):
    return transport(lambda body: completion(body["messages"][0]["content"]), seen)


async def test_an_answer_is_paid_once_in_a_run_and_in_all_runs(tmp_path):
    seen = []
    for run in range(2):
        async with ModelCalls.open(SERVER, tmp_path / "calls.jsonl", transport=echoing(seen)) as calls:
            answers = await asyncio.gather(*(calls.ask(PATH, request(text)) for text in ("a", "b", "a", "b")))
            again = await calls.ask(PATH, request("a"))
        assert [written_text(answer) for answer in (*answers, again)] == ["a", "b", "a", "b", "a"]
        assert (calls.totals.calls, calls.totals.kept) == ((2, 0), (0, 2))[run]
        assert (calls.totals.prompt_tokens, calls.totals.answer_tokens) == (200, 20)
    assert [body["model"] for body in seen] == ["some-model"] * 2
    assert sorted(body["messages"][0]["content"] for body in seen) == ["a", "b"]


@pytest.mark.parametrize(
    ("server", "path", "body"),
    [
        (JudgeServer(SERVER.api_base, "some-model", more={"weights": "xyz"}), PATH, request("a")),
        (JudgeServer(SERVER.api_base, "other-model", more={"weights": "abc"}), PATH, request("a")),
        (SERVER, "completions", request("a")),
        (SERVER, PATH, {**request("a"), "temperature": 1}),
    ],
)
async def test_whatever_decides_the_answer_decides_what_is_paid(tmp_path, server, path, body):
    seen = []
    async with ModelCalls.open(SERVER, tmp_path / "calls.jsonl", transport=echoing(seen)) as calls:
        await calls.ask(PATH, request("a"))
    elsewhere = JudgeServer("http://elsewhere.test/v1", SERVER.model, "key", SERVER.more)
    async with ModelCalls.open(elsewhere, tmp_path / "calls.jsonl", transport=echoing(seen)) as calls:
        await calls.ask(PATH, request("a"))
    assert len(seen) == 1  # the address decides nothing
    async with ModelCalls.open(server, tmp_path / "calls.jsonl", transport=echoing(seen)) as calls:
        await calls.ask(path, body)
    assert len(seen) == 2


async def test_no_more_than_the_limit_are_under_way(tmp_path):
    at_once, most = 0, 0

    async def slow(request):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.005)
        at_once -= 1
        return httpx.Response(200, json=completion("x"))

    options = {"concurrency": 3, "transport": httpx.MockTransport(slow)}
    async with ModelCalls.open(SERVER, tmp_path / "calls.jsonl", **options) as calls:
        await asyncio.gather(*(calls.ask(PATH, request(str(number))) for number in range(12)))
    assert most == 3
    with pytest.raises(InputError, match="concurrency cannot be 0"):
        async with ModelCalls.open(SERVER, tmp_path / "calls.jsonl", concurrency=0):
            pass


async def never(request):
    await asyncio.sleep(60)


def refusing(request):
    raise httpx.ConnectError("nobody there", request=request)


FAILURES = {
    "judge timeout": never,
    "judge unreachable": refusing,
    "judge HTTP 503": lambda request: httpx.Response(503, text="loading"),
    "judge unreadable": lambda request: httpx.Response(200, text="<html>"),
}


@pytest.mark.parametrize("reason", FAILURES)
async def test_a_failure_has_its_reason_and_is_asked_again_by_another_run_only(tmp_path, reason):
    failing, seen = httpx.MockTransport(FAILURES[reason]), []
    async with ModelCalls.open(SERVER, tmp_path / "calls.jsonl", timeout=0.05, transport=failing) as calls:
        for _ in range(2):
            with pytest.raises(JudgeError) as caught:
                await calls.ask(PATH, request("a"))
            assert caught.value.reason == reason
        assert (calls.totals.calls, dict(calls.totals.failures)) == (1, {reason: 1})
    async with ModelCalls.open(SERVER, tmp_path / "calls.jsonl", transport=echoing(seen)) as calls:
        assert written_text(await calls.ask(PATH, request("a"))) == "a"
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (completion('{"a": "cut', "length"), "judge truncated"),
        (completion(" \n"), "judge said nothing"),
        (completion(None), "judge said nothing"),
        ({"choices": []}, "judge unreadable"),
        ({"error": "overloaded"}, "judge unreadable"),
    ],
)
def test_what_is_no_whole_text_is_none(answer, reason):
    with pytest.raises(JudgeError) as caught:
        written_text(answer)
    assert caught.value.reason == reason


async def test_a_line_that_a_kill_cut_is_asked_again_and_a_strange_file_is_refused(tmp_path):
    journal, seen = tmp_path / "calls.jsonl", []
    async with ModelCalls.open(SERVER, journal, transport=echoing(seen)) as calls:
        await calls.ask(PATH, request("a"))
        await calls.ask(PATH, request("b"))
        with pytest.raises(InputError, match="being written by another run"):
            async with ModelCalls.open(SERVER, journal):
                pass
    journal.write_bytes(journal.read_bytes()[:-20])
    async with ModelCalls.open(SERVER, journal, transport=echoing(seen)) as calls:
        await calls.ask(PATH, request("a"))
        await calls.ask(PATH, request("b"))
    assert len(seen) == 3
    assert [json.loads(line)["answer"]["choices"][0]["message"]["content"] for line in journal.open()] == ["a", "b"]
    journal.write_text('{"id": "1", "answer": "Yes."}\n')
    with pytest.raises(InputError, match="line 1: no answer of a judge's model"):
        async with ModelCalls.open(SERVER, journal):
            pass
