"""An event loop in a thread of its own, in which answers are drafted.

A model that blocks it holds up nobody else.
"""

import asyncio
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Generic, TypeVar

from llama_index_medqa.redaction import logger_of

_logger = logger_of(__name__)
_Result = TypeVar("_Result")
# A draft that is stopped ends within a piece; what does not is left behind.
_STOP_SECONDS = 10.0
# Generators that lie within one another, times the turns of the loop that closing one takes.
_MOST_GENERATORS = 10 * 3


class DraftingThread:
    """Runs coroutines that give out pieces of text; the caller's event loop only waits for them.

    The thread starts with the first of them. All run in the same loop, so that a model's connections can be kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def begin(self, make: Callable[[Callable[[str], None]], Coroutine[Any, Any, _Result]]) -> "Draft[_Result]":
        """Starts a coroutine.

        Args:
            make: makes the coroutine of a function to which it gives its pieces.
        """
        return Draft(self._running_loop(), make)

    def close(self) -> None:
        """Stops what still runs, and the thread."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_others(), loop).result(_STOP_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_SECONDS)
        if not thread.is_alive():
            loop.close()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="medqa-drafting", daemon=True)
                self._thread.start()
            return self._loop


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


async def _closing(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Await work; if it is cancelled, close its waiting generators first.

    Else they, and the connections to the model that they hold, would stay until somebody forgets the error.
    """
    try:
        return await work
    except asyncio.CancelledError as error:
        traceback.clear_frames(error.__traceback__)
        for _ in range(_MOST_GENERATORS):
            await asyncio.sleep(0)
        raise


class Draft(Generic[_Result]):
    """A coroutine that runs in the drafting thread, as its caller sees it.

    Args:
        worker: the loop that it runs in.
        make: makes it.
    """

    def __init__(
        self,
        worker: asyncio.AbstractEventLoop,
        make: Callable[[Callable[[str], None]], Coroutine[Any, Any, _Result]],
    ) -> None:
        self._worker = worker
        self._caller = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[str | asyncio.Task[_Result]] = asyncio.Queue()
        self._task: asyncio.Task[_Result] | None = None
        self._ended: asyncio.Task[_Result] | None = None

        def start() -> None:
            work = make(self._hand_over)
            self._task = worker.create_task(_closing(work))
            # Where it is cancelled before it begins, nobody else ends it.
            self._task.add_done_callback(lambda _: work.close())
            self._task.add_done_callback(self._hand_over)

        # The context of the caller, where LlamaIndex keeps its open spans, comes along.
        worker.call_soon_threadsafe(start)

    async def pieces(self) -> AsyncIterator[str]:
        """Yields the pieces as they come."""
        while self._ended is None:
            item = await self._arrived.get()
            if isinstance(item, str):
                yield item
            else:
                self._ended = item

    def result(self) -> _Result:
        """Return the coroutine's result after its pieces, or raise its error."""
        assert self._ended is not None  # noqa: S101  # the caller has read the pieces
        return self._ended.result()

    async def stop(self) -> None:
        """Cancel the coroutine, and wait until it has ended."""
        if self._ended is None:
            self._worker.call_soon_threadsafe(self._cancel)
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    async for _ in self.pieces():
                        pass
            except TimeoutError:
                _logger.warning("A draft does not end %g seconds after it was stopped.", _STOP_SECONDS)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _hand_over(self, item: "str | asyncio.Task[_Result]") -> None:
        # Of a caller whose loop has ended nobody waits any longer.
        if not self._caller.is_closed():
            self._caller.call_soon_threadsafe(self._arrived.put_nowait, item)
