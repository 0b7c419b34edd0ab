"""A bounded first-come, first-served queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from llama_index_medqa.server.results import ServiceBusyError

# How much the newest duration counts in the mean that waiting times are estimated by.
_NEWEST = 0.3


class Turn:
    """A turn in the queue, waiting or being served."""

    def __init__(self, line: "WaitingLine") -> None:
        self._line = line
        self._moved = asyncio.Event()

    @property
    def position(self) -> int:
        """Return how many come before this one; 0 once it is served."""
        return self._line.position_of(self)

    @property
    def seconds_estimate(self) -> float | None:
        """Return the estimated wait in seconds; None before anything was timed."""
        return self._line.seconds_estimate(self.position)

    async def moved(self) -> None:
        """Waits until somebody before it has left the line."""
        await self._moved.wait()
        self._moved.clear()

    async def served(self) -> None:
        """Waits until it is served."""
        while self.position:
            await self.moved()

    def notice(self) -> None:
        """Wake the one that waits for this turn."""
        self._moved.set()


class WaitingLine:
    """Lets a few work at once and a bounded number wait, in order.

    Args:
        at_once: how many work at the same time.
        most_waiting: how many may wait beside them.
    """

    def __init__(self, at_once: int, most_waiting: int) -> None:
        self._at_once = at_once
        self._most_waiting = most_waiting
        self._turns: list[Turn] = []
        self._mean_seconds: float | None = None

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def waiting(self) -> int:
        """Return how many wait."""
        return max(0, len(self._turns) - self._at_once)

    def require_room(self) -> None:
        """Checks that one more may wait.

        Raises:
            ServiceBusyError: too many wait already.
        """
        if len(self._turns) >= self._at_once + self._most_waiting:
            raise ServiceBusyError(self.waiting, self.seconds_estimate(self.waiting + 1) or 0.0)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait in line for the length of the ``async with`` block.

        Leaving it, however, lets the next one move up.

        Raises:
            ServiceBusyError: too many wait already.
        """
        self.require_room()
        turn = Turn(self)
        self._turns.append(turn)
        try:
            yield turn
        finally:
            self._turns.remove(turn)
            for other in self._turns:
                other.notice()

    def position_of(self, turn: Turn) -> int:
        """Return how many come before one in the line."""
        return max(0, self._turns.index(turn) - self._at_once + 1)

    def seconds_estimate(self, position: int) -> float | None:
        """Return the estimated wait at a position; None before anything was timed."""
        return None if self._mean_seconds is None else self._mean_seconds * position / self._at_once

    @asynccontextmanager
    async def timed(self) -> AsyncIterator[None]:
        """Time a service that ends well, for later estimates."""
        begin = monotonic()
        yield
        seconds = monotonic() - begin
        mean = self._mean_seconds
        self._mean_seconds = seconds if mean is None else mean + _NEWEST * (seconds - mean)
