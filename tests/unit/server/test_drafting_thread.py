"""Coroutines in the drafting thread, as their callers see them."""

import asyncio
import threading
import time

import pytest

from llama_index_medqa.server.scheduling.drafting_thread import DraftingThread


@pytest.fixture
def thread():
    thread = DraftingThread()
    yield thread
    thread.close()


async def test_pieces_come_in_order_and_then_the_result(thread):
    async def draft(give) -> int:
        for word in ("one", "two", "three"):
            give(word)
            await asyncio.sleep(0)
        return 3

    running = thread.begin(draft)
    assert [piece async for piece in running.pieces()] == ["one", "two", "three"]
    assert running.result() == 3


async def test_an_error_reaches_the_caller_after_the_pieces(thread):
    async def draft(give) -> None:
        give("one")
        raise ZeroDivisionError("the model")

    running = thread.begin(draft)
    assert [piece async for piece in running.pieces()] == ["one"]
    with pytest.raises(ZeroDivisionError, match="the model"):
        running.result()


async def test_a_draft_that_blocks_holds_up_nobody_else(thread):
    async def draft(give) -> str:
        time.sleep(0.3)  # as a model without a way to wait
        return threading.current_thread().name

    running = thread.begin(draft)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    assert [piece async for piece in running.pieces()] == []
    ticking.cancel()
    assert running.result() == "medqa-drafting"
    assert ticks >= 3


async def test_a_stopped_draft_has_ended_when_stop_returns(thread):
    ended = threading.Event()

    async def draft(give) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    running = thread.begin(draft)
    await asyncio.sleep(0.05)
    await running.stop()
    assert ended.is_set()
    with pytest.raises(asyncio.CancelledError):
        running.result()


async def test_one_that_is_stopped_before_it_begins_never_begins(thread):
    begun, is_asked_to_stop = threading.Event(), threading.Event()

    async def blocking(give) -> None:
        is_asked_to_stop.wait(10)  # keeps the loop busy

    async def draft(give) -> None:
        begun.set()

    first = thread.begin(blocking)
    running = thread.begin(draft)
    stopping = asyncio.create_task(running.stop())
    await asyncio.sleep(0)
    is_asked_to_stop.set()
    await stopping
    assert not begun.is_set()
    await first.stop()


async def test_closing_stops_what_runs(thread):
    async def draft(give) -> None:
        give("one")
        await asyncio.Event().wait()

    running = thread.begin(draft)
    pieces = running.pieces()
    assert await anext(pieces) == "one"
    await asyncio.to_thread(thread.close)
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)
    assert "medqa-drafting" not in {one.name for one in threading.enumerate()}
