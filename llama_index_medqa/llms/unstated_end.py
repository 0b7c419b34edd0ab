"""Streams of servers that give no reason to finish.

The answer is whole where the stream says that it is done.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from llama_index_medqa.llms.content_parts import text_of

if TYPE_CHECKING:
    import openai

UNSTATED: Final = "unstated"
"""The reason to finish of an answer that ended in order, where the server gave none."""

_DONE = "[DONE]"
_Client = TypeVar("_Client", "openai.OpenAI", "openai.AsyncOpenAI")


class EndStatingDecoder:
    """Adds the missing reason to finish to a stream.

    A chunk with the reason comes before ``[DONE]``.

    A text that comes as a list of parts is passed on as one text.

    A stream that ends without ``[DONE]`` is passed on as it is: it was broken off.

    Args:
        decoder: the OpenAI client's own.
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._chunk: dict[str, Any] | None = None
        self._is_stated = False

    def iter_bytes(self, iterator: Iterator[bytes]) -> Iterator[Any]:
        """Yield the events of a stream."""
        for event in self._decoder.iter_bytes(iterator):
            yield from self._with_end(event)

    async def aiter_bytes(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        """Yield the events asynchronously; see :meth:`iter_bytes`."""
        async for event in self._decoder.aiter_bytes(iterator):
            for item in self._with_end(event):
                yield item

    def decode(self, line: str) -> Any:
        """Decode a line as the client's own decoder does."""
        return self._decoder.decode(line)

    def _with_end(self, event: Any) -> Iterator[Any]:
        if not event.data.startswith(_DONE):
            event = self._seen(event)
        elif self._chunk is not None and not self._is_stated:
            end = {"index": 0, "text": "", "delta": {}, "logprobs": None, "finish_reason": UNSTATED}
            chunk = {**self._chunk, "usage": None, "choices": [end]}
            yield type(event)(data=json.dumps(chunk))
        yield event

    def _seen(self, event: Any) -> Any:
        """Note an event, and return it for the client."""
        try:
            chunk = event.json()
        except ValueError:
            # The client says so itself.
            return event
        choices = chunk.get("choices") if isinstance(chunk, dict) else None
        if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
            return event
        self._chunk = chunk
        self._is_stated = self._is_stated or bool(choices[0].get("finish_reason"))
        delta = choices[0].get("delta")
        if not (isinstance(delta, dict) and isinstance(delta.get("content"), list)):
            return event
        delta["content"] = text_of(delta["content"])
        return type(event)(event=event.event, data=json.dumps(chunk), id=event.id, retry=event.retry)


def stating_ends(client: _Client) -> _Client:
    """Make a client read its streams by :class:`EndStatingDecoder`."""
    own = type(client)._make_sse_decoder
    # The client asks itself for a decoder of each stream.
    vars(client).setdefault("_make_sse_decoder", lambda: EndStatingDecoder(own(client)))
    return client
