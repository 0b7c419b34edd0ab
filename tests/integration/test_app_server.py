"""The real command, with the packaged embedder and verifier, as apps ask it: many at once, leaving, killed, stopped."""

import asyncio
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest

from tests.integration.conftest import SAMPLE_RECORDS

pytestmark = pytest.mark.integration

QUESTIONS = (
    "Does cardiorespiratory fitness predict cardiovascular mortality?",
    "Does caffeine affect heart rate recovery after exercise?",
    "Does catheter ablation help patients with atrial fibrillation and heart failure?",
    "Which drugs lower blood pressure?",
    "Is obesity a risk factor for heart failure?",
)
CLIENTS = 20
START_SECONDS = 300


@pytest.fixture(scope="module")
def folder(sample_index) -> Path:
    return sample_index


@contextmanager
def running(folder: Path, port: int = 0, llm: str = "extractive") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and its address once it listens."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "400"}
    main = "from llama_index_medqa.cli.command import main; main()"
    options = ["--index", str(folder), "--llm", llm, "--port", str(port), "--log-requests"]
    process = subprocess.Popen(
        [sys.executable, "-c", main, "app", *options],
        env=environment,
        cwd=folder.parent,
        stdout=subprocess.PIPE,
        stderr=(folder.parent / "log").open("a"),
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"medqa listens on (http://127\.0\.0\.1:\d+) ", process.stdout.readline())
        assert found, (folder.parent / "log").read_text()
        wait_until(lambda: httpx.get(f"{found[1]}/readyz").status_code == 200)
        yield process, found[1]
    finally:
        process.kill()
        process.wait()


def wait_until(condition) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def open_questions(address: str) -> float:
    [value] = re.findall(r"^medqa_questions (\S+)$", httpx.get(f"{address}/metrics").text, re.MULTILINE)
    return float(value)


def require_spans(address: str, answer: dict) -> None:
    """Every quote stands in the record that it is said to be of, where it is said to stand."""
    spans = [span for sentence in answer["sentences"] for span in sentence["citations"]] + answer["findings"]
    assert spans or answer["outcome"] == "nothing_found"
    for document_id in {span["document_id"] for span in spans}:
        text = httpx.get(f"{address}/api/records/{document_id}").json()["text"]
        assert all(
            text[span["start"] : span["end"]] == span["quote"] for span in spans if span["document_id"] == document_id
        )


async def ask(client: openai.AsyncOpenAI, question: str, *, stream: bool) -> tuple[str, dict]:
    """The text and the data of an answer."""
    messages = [{"role": "user", "content": question}]
    if not stream:
        completion = await client.chat.completions.create(model="medqa", messages=messages)
        return completion.choices[0].message.content, completion.model_extra["medqa"]
    text, data = "", {}
    async for chunk in await client.chat.completions.create(model="medqa", messages=messages, stream=True):
        text += chunk.choices[0].delta.content or ""
        data = (chunk.model_extra or {}).get("medqa", data)
    return text, data


async def test_many_clients_at_once_each_get_their_own_answer(folder):
    with running(folder) as (process, address):
        async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none", timeout=300, max_retries=0) as client:

            async def one(number: int) -> list[tuple[str, str, dict]]:
                found = []
                for step in range(3):
                    question = QUESTIONS[(number + step) % len(QUESTIONS)]
                    found.append((question, *await ask(client, question, stream=bool(number % 2))))
                return found

            answers = [answer for found in await asyncio.gather(*map(one, range(CLIENTS))) for answer in found]
            texts: dict[str, set[str]] = {}
            for question, text, data in answers:
                assert data["question"] == question
                texts.setdefault(question, set()).add(text)
            assert len(answers) == 3 * CLIENTS
            # The same question has one answer, and no two questions share theirs, but for those without any.
            assert set(texts) == set(QUESTIONS)
            assert all(len(same) == 1 for same in texts.values())
            by_question = {question: data for question, _, data in answers}
            for data in by_question.values():
                require_spans(address, data)
            assert by_question[QUESTIONS[0]]["outcome"] == "answer"
            assert sum(not data["cached"] for _, _, data in answers) == len(QUESTIONS)

            leaving = [
                asyncio.create_task(ask(client, f"{QUESTIONS[0]} ({number})", stream=bool(number % 2)))
                for number in range(CLIENTS)
            ]
            await asyncio.sleep(0.5)
            for task in leaving:
                task.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)
        await asyncio.to_thread(wait_until, lambda: open_questions(address) == 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "Stopped.\n"
    log = (folder.parent / "log").read_text()
    assert '"route": "/v1/chat/completions", "status": 200' in log
    assert "Traceback" not in log
    assert not any(question in log for question in QUESTIONS)


async def test_llama_index_s_open_ai_like_talks_to_it(folder):
    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.llms.openai_like import OpenAILike

    with running(folder) as (_, address):
        settings = {"model": "medqa", "api_base": f"{address}/v1", "api_key": "none", "is_chat_model": True}
        llm = OpenAILike(**settings, max_retries=0, timeout=300)
        asked = [ChatMessage(QUESTIONS[0])]
        whole = llm.chat(asked).message.content
        assert "[PMID:" in whole
        deltas = list(llm.stream_chat(asked))
        assert (deltas[-1].message.content, len(deltas) > 1) == (whole, True)
        assert (await llm.achat(asked)).message.content == whole
        assert "".join([piece.delta or "" async for piece in await llm.astream_chat(asked)]) == whole


def test_a_killed_server_starts_again_where_it_was_and_answers_the_same(folder):
    body = {"question": QUESTIONS[0]}
    with running(folder) as (process, address):
        before = httpx.post(f"{address}/api/ask", json=body, timeout=300).json()
        status = httpx.get(f"{address}/api/status").json()
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    with running(folder, int(address.rpartition(":")[2])) as (_, again):
        assert again == address
        after = httpx.post(f"{address}/api/ask", json=body, timeout=300).json()
        assert httpx.get(f"{address}/api/status").json() == status
        assert status["records"] == SAMPLE_RECORDS
    assert after.keys() == before.keys()
    assert [key for key in after if after[key] != before[key]] in ([], ["seconds"])
    assert after["outcome"] == "answer"


def events(reply: httpx.Response) -> Iterator[tuple[str, dict]]:
    """The events of a stream, each with its data."""
    event = ""
    for line in reply.iter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            yield event, json.loads(value)


def files_of(folder: Path) -> dict[str, str]:
    """What the index's files hold; those that a process holds while it runs are left out."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith((".lock", "-wal", "-shm")))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_with_the_model_one_waits_for_another_moves_up_when_it_leaves_and_a_kill_leaves_all_whole(folder):
    with running(folder, llm="local") as (process, address), httpx.Client(base_url=address, timeout=600) as client:
        contents, status = files_of(folder), client.get("/api/status").json()
        body = {"question": QUESTIONS[0], "stream": True}
        with ThreadPoolExecutor() as pool, client.stream("POST", "/api/ask", json=body):
            wait_until(lambda: open_questions(address) == 1)
            asking = client.stream("POST", "/api/ask", json={"question": QUESTIONS[1], "stream": True})
            second = events(asking.__enter__())
            assert next(second) == ("waiting", {"position": 1, "seconds_estimate": None})
            rest = pool.submit(list, second)
            assert open_questions(address) == 2
            assert not rest.done()
        # The first has left, though its answer was not finished.
        told = rest.result(600)
        asking.__exit__(None, None, None)
        assert [name for name, _ in told if name != "waiting"][-1] == "finished"
        assert told[-1][1]["question"] == QUESTIONS[1]
        require_spans(address, told[-1][1])
        wait_until(lambda: open_questions(address) == 0)

        with client.stream("POST", "/api/ask", json={"question": QUESTIONS[3], "stream": True}):
            wait_until(lambda: open_questions(address) == 1)
            process.send_signal(signal.SIGKILL)
            assert process.wait(60) == -signal.SIGKILL
    assert files_of(folder) == contents
    with running(folder) as (_, again):
        assert httpx.get(f"{again}/api/status").json()["records"] == status["records"] == SAMPLE_RECORDS
