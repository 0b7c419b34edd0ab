"""Who is served when."""

import asyncio

import pytest

from llama_index_medqa.server.results import ServiceBusyError
from llama_index_medqa.server.scheduling.waiting_line import WaitingLine


async def test_two_work_and_the_others_come_in_order():
    line = WaitingLine(2, 10)
    order: list[int] = []
    working = most = 0

    async def one(number: int) -> None:
        nonlocal working, most
        async with line.turn() as turn:
            await turn.served()
            order.append(number)
            working += 1
            most = max(most, working)
            await asyncio.sleep(0)
            working -= 1

    await asyncio.gather(*map(one, range(7)))
    assert order == list(range(7))
    assert most == 2
    assert len(line) == 0


async def test_positions_count_those_that_must_end_before():
    line = WaitingLine(2, 10)
    async with line.turn() as first, line.turn() as second, line.turn() as third, line.turn() as fourth:
        assert [turn.position for turn in (first, second, third, fourth)] == [0, 0, 1, 2]
        assert line.waiting == 2


async def test_a_full_line_refuses_and_takes_again_when_one_has_left():
    line = WaitingLine(1, 1)
    async with line.turn():
        async with line.turn():
            with pytest.raises(ServiceBusyError, match="1 requests are waiting already"):
                async with line.turn():
                    pass
        async with line.turn() as turn:
            assert turn.position == 1


async def test_one_that_gives_up_lets_the_next_move_up():
    line = WaitingLine(1, 10)
    served = asyncio.Event()

    async def patient() -> None:
        async with line.turn() as turn:
            await turn.served()
            served.set()

    async with line.turn() as first:
        assert first.position == 0

        async def impatient() -> None:
            async with line.turn() as turn:
                await turn.served()

        leaving = asyncio.create_task(impatient())
        await asyncio.sleep(0)
        waiting = asyncio.create_task(patient())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert line.waiting == 1
        assert not served.is_set()
    await waiting
    assert served.is_set()


async def test_the_time_is_estimated_from_what_was_timed():
    line = WaitingLine(1, 10)
    assert line.seconds_estimate(3) is None
    async with line.timed():
        await asyncio.sleep(0.02)
    one = line.seconds_estimate(1)
    assert one is not None
    assert 0.02 <= one < 5
    assert line.seconds_estimate(3) == pytest.approx(3 * one)


async def test_what_fails_is_not_timed():
    line = WaitingLine(1, 10)
    with pytest.raises(ZeroDivisionError):
        async with line.timed():
            _ = 1 / 0
    assert line.seconds_estimate(1) is None
