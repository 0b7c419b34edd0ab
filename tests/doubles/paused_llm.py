"""A language model that stops in the middle of its answer until it is let go on, and notices when nobody waits."""

import asyncio
from typing import Any

from llama_index.core.base.llms.types import CompletionResponse, CompletionResponseAsyncGen
from llama_index.core.bridge.pydantic import PrivateAttr

from llama_index_medqa.testing import ScriptedLLM


class PausedLLM(ScriptedLLM):
    """Writes the first word of each answer, then waits for :meth:`go_on`; what it is asked to do it does in order."""

    _may_go_on: bool = PrivateAttr(default=False)
    _begun: int = PrivateAttr(default=0)
    _stopped: int = PrivateAttr(default=0)
    _at_once: int = PrivateAttr(default=0)
    _most_at_once: int = PrivateAttr(default=0)

    @property
    def begun(self) -> int:
        """How many answers it has begun."""
        return self._begun

    @property
    def stopped(self) -> int:
        """How many it was stopped in."""
        return self._stopped

    @property
    def most_at_once(self) -> int:
        """How many it wrote at the same time, at most."""
        return self._most_at_once

    def go_on(self) -> None:
        """Let it write all answers to their end."""
        self._may_go_on = True

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """The next answer."""
        answer = self._next(prompt)

        async def deltas() -> CompletionResponseAsyncGen:
            first, space, rest = answer.partition(" ")
            self._begun += 1
            self._at_once += 1
            self._most_at_once = max(self._most_at_once, self._at_once)
            try:
                yield CompletionResponse(text=first, delta=first)
                while not self._may_go_on:
                    await asyncio.sleep(0.01)
                yield CompletionResponse(text=answer, delta=space + rest)
            except (asyncio.CancelledError, GeneratorExit):
                self._stopped += 1
                raise
            finally:
                self._at_once -= 1

        return deltas()
