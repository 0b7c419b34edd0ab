"""Tokens that models read and wrote, by LlamaIndex's events."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from llama_index.core.callbacks.token_counting import get_tokens_from_response
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMCompletionEndEvent
from llama_index_instrumentation import get_dispatcher


@dataclass
class TokenCount:
    """The tokens of the model calls of one answer.

    Attributes:
        prompt_tokens: tokens read; None until a model reports some.
        answer_tokens: tokens written; None until a model reports some.
    """

    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    _counted: list[Any] = field(default_factory=list, repr=False)

    def add(self, response: Any) -> None:
        """Add the tokens of a model's response.

        A call with two events, as chat and completion, counts once.
        """
        if response is None or response.raw is None or any(response.raw is raw for raw in self._counted):
            return
        self._counted.append(response.raw)
        read, written = get_tokens_from_response(response)
        if read or written:
            self.prompt_tokens = (self.prompt_tokens or 0) + read
            self.answer_tokens = (self.answer_tokens or 0) + written


_current: ContextVar[TokenCount | None] = ContextVar("token_usage", default=None)


class _UsageHandler(BaseEventHandler):
    @classmethod
    def class_name(cls) -> str:
        return "MedQATokenUsage"

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        usage = _current.get()
        if usage is not None and isinstance(event, LLMChatEndEvent | LLMCompletionEndEvent):
            usage.add(event.response)


@contextmanager
def counted_tokens() -> Iterator[TokenCount]:
    """Count the tokens of model calls in the block.

    Calls in tasks and threads that it starts count too.
    """
    handlers = get_dispatcher().event_handlers
    if not any(isinstance(handler, _UsageHandler) for handler in handlers):
        get_dispatcher().add_event_handler(_UsageHandler())
    usage = TokenCount()
    token = _current.set(usage)
    try:
        yield usage
    finally:
        _current.reset(token)
