"""Replies: what is neutralised, which status an error has, and streams that stay open."""

import asyncio
import json

import pytest

from llama_index_medqa.errors import (
    IndexNotFoundError,
    InputError,
    MedQAError,
    ServerError,
    StorageError,
    UsageError,
)
from llama_index_medqa.server.replies import SafeJSONResponse, error_content, kept_alive, neutralised, status_of
from llama_index_medqa.server.results import (
    AnswerTimeoutError,
    LimitExceededError,
    RecordNotFoundError,
    ServiceBusyError,
)


def test_texts_are_neutralised_and_keep_their_length():
    data = {"a\u202e": ["x\x00y", {"b": "\u2066z"}], "n": 1.5, "t": ("\x1b[2J",), "none": None, "line": "a\nb\tc"}
    assert neutralised(data) == {
        "a\ufffd": ["x\ufffdy", {"b": "\ufffdz"}],
        "n": 1.5,
        "t": ["\ufffd[2J"],
        "none": None,
        "line": "a\nb\tc",
    }
    assert json.loads(SafeJSONResponse({"ä": "\u202eß"}).body) == {"ä": "\ufffdß"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ServiceBusyError(3, 2.0), (503, "busy")),
        (RecordNotFoundError(["PMID:1"]), (404, "record_not_found")),
        (LimitExceededError("long"), (413, "too_long")),
        (InputError("bad"), (400, "invalid_input")),
        (UsageError("bad"), (400, "invalid_input")),
        (AnswerTimeoutError(1.0), (504, "timeout")),
        (ServerError("gone"), (502, "model_unavailable")),
        (StorageError("damaged"), (503, "index_unavailable")),
        (IndexNotFoundError("gone"), (500, "failed")),
        (MedQAError("other"), (500, "failed")),
    ],
)
def test_an_error_has_a_status_and_a_word(error, expected):
    assert status_of(error) == expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "invalid_request_error"),
        (429, "rate_limit_error"),
        (503, "server_error"),
    ],
)
def test_an_error_has_a_type_of_openais(status, kind):
    content = error_content(status, "word", "two\nlines\x00")
    assert content == {"error": {"message": "two lines\ufffd", "type": kind, "param": None, "code": "word"}}


async def test_a_stream_says_that_it_is_there_where_nothing_comes():
    async def blocks():
        yield b"one"
        await asyncio.sleep(0.3)
        yield b"two"

    found = [block async for block in kept_alive(blocks(), 0.1)]
    assert [block for block in found if not block.startswith(b":")] == [b"one", b"two"]
    assert found.index(b"one") < found.index(b": still working\n\n") < found.index(b"two")


@pytest.mark.parametrize("steps", [1, 2])
async def test_a_stream_that_is_closed_closes_what_it_reads(steps):
    closed = asyncio.Event()

    async def blocks():
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            closed.set()

    stream = kept_alive(blocks(), 0.01)
    for _ in range(steps):
        await anext(stream)
    await stream.aclose()
    assert closed.is_set()


async def test_a_stream_that_is_cancelled_closes_what_it_reads():
    closed = asyncio.Event()

    async def blocks():
        try:
            await asyncio.Event().wait()
            yield b"never"
        finally:
            await asyncio.sleep(0)
            closed.set()

    async def read() -> None:
        async for _ in kept_alive(blocks(), 60):
            pass

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert closed.is_set()


async def test_an_error_in_a_stream_goes_on_to_the_reader():
    async def blocks():
        yield b"one"
        raise StorageError("damaged")

    stream = kept_alive(blocks())
    assert await anext(stream) == b"one"
    with pytest.raises(StorageError):
        await anext(stream)
