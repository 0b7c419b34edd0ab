"""How long each stage took, also of stages that take turns."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")


class Stopwatch:
    """Adds up the seconds that are spent in each stage.

    Attributes:
        seconds: by stage, rounded to milliseconds.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @property
    def seconds(self) -> dict[str, float]:
        """The sum so far, by stage."""
        return {stage: round(spent, 3) for stage, spent in self._seconds.items()}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - start

    def iterate(self, name: str, items: Iterator[_Item]) -> Iterator[_Item]:
        """Passes items on; only the waiting for them counts, not what is done with them."""
        while True:
            with self.stage(name):
                item = next(items, None)
            if item is None:
                return
            yield item

    async def iterate_async(self, name: str, items: AsyncIterator[_Item]) -> AsyncIterator[_Item]:
        """As :meth:`iterate`."""
        while True:
            with self.stage(name):
                item = await anext(items, None)
            if item is None:
                return
            yield item
