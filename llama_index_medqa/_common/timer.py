"""A timer of stages, also of stages that take turns."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")


class StageTimer:
    """A timer that adds up the seconds of each stage.

    Attributes:
        seconds: by stage, rounded to milliseconds.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @property
    def seconds(self) -> dict[str, float]:
        """Return the seconds so far, by stage."""
        return {stage: round(spent, 3) for stage, spent in self._seconds.items()}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a block as part of a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - start

    def iterate(self, name: str, items: Iterator[_Item]) -> Iterator[_Item]:
        """Yield items and measure the wait for them.

        What is done with them does not count.
        """
        while True:
            with self.stage(name):
                item = next(items, None)
            if item is None:
                return
            yield item

    async def iterate_async(self, name: str, items: AsyncIterator[_Item]) -> AsyncIterator[_Item]:
        """Yield items as :meth:`iterate` does."""
        while True:
            with self.stage(name):
                item = await anext(items, None)
            if item is None:
                return
            yield item
