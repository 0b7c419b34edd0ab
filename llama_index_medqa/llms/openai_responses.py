"""A server's answers as LlamaIndex's types, checked to be whole."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LogProb

from llama_index_medqa.errors import ServerError
from llama_index_medqa.llms.content_parts import text_of
from llama_index_medqa.llms.unstated_end import UNSTATED

# The client is slow to import, and who asks for quotes needs none of it.
if TYPE_CHECKING:
    from openai import AsyncStream, Stream
    from openai.types import Completion
    from openai.types.chat.chat_completion_token_logprob import ChatCompletionTokenLogprob, TopLogprob
    from openai.types.completion_choice import Logprobs

CUT_OFF: Final = "length"
"""The reason to finish of an answer that reached the most tokens that were allowed."""

# With these an answer ends where the model ended it, or where it was allowed to.
_FINISHED = ("stop", "tool_calls", "function_call", CUT_OFF, UNSTATED)


def finish_reason(response: CompletionResponse | ChatResponse) -> str | None:
    """Return why the server ended an answer.

    None while it has not, or where the model is not behind a server.
    """
    choices = getattr(response.raw, "choices", None)
    reason = getattr(choices[0], "finish_reason", None) if choices else None
    # What was found out stands before what the server said.
    return response.additional_kwargs.get("finish_reason") or reason


def is_cut_off(response: CompletionResponse | ChatResponse) -> bool:
    """Return whether an answer reached the most tokens allowed.

    It may end inside a sentence.
    """
    return finish_reason(response) == CUT_OFF


def as_completion(answer: Any, address: str) -> CompletionResponse:
    """Convert an answer of the completion endpoint.

    Raises:
        ServerError: it is not in the protocol, or was broken off.
    """
    from openai.types import Completion

    if not isinstance(answer, Completion) or not answer.choices:
        raise _no_answer(answer, address)
    choice = answer.choices[0]
    # It came whole, or could not have been read: some servers give no reason.
    reason = choice.finish_reason or UNSTATED
    _require_end(reason, len(choice.text), address)
    return CompletionResponse(
        text=choice.text,
        raw=answer,
        logprobs=_text_logprobs(choice.logprobs) if choice.logprobs else None,
        additional_kwargs={"finish_reason": reason, **_usage(answer)},
    )


def as_chat(answer: Any, address: str) -> ChatResponse:
    """Convert an answer of the chat endpoint.

    Raises as :func:`as_completion`.
    """
    from llama_index.llms.openai.utils import from_openai_message
    from openai.types.chat import ChatCompletion

    if not isinstance(answer, ChatCompletion) or not answer.choices or answer.choices[0].message is None:
        raise _no_answer(answer, address)
    choice = answer.choices[0]
    reason = choice.finish_reason or UNSTATED
    choice.message.content = text_of(choice.message.content)
    _require_end(reason, len(choice.message.content), address)
    content = choice.logprobs.content if choice.logprobs else None
    message: ChatMessage = from_openai_message(choice.message, modalities=["text"])
    return ChatResponse(
        message=message,
        raw=answer,
        logprobs=_token_logprobs(content) if content else None,
        additional_kwargs={"finish_reason": reason, **_usage(answer)},
    )


def chat_as_completion(response: ChatResponse) -> CompletionResponse:
    """Convert a chat's answer to a completion.

    LlamaIndex's own conversion leaves out the log-probabilities.
    """
    return CompletionResponse(
        text=response.message.content or "",
        delta=response.delta,
        raw=response.raw,
        logprobs=response.logprobs,
        additional_kwargs={**response.message.additional_kwargs, **response.additional_kwargs},
    )


class StreamEnd:
    """Watches a stream for its end.

    Args:
        address: address of the server, for messages.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._reason: str | None = None
        self._length = 0

    @property
    def is_unstated(self) -> bool:
        """Return whether the stream ended in order without a reason to finish."""
        return self._reason == UNSTATED

    def see(self, chunk: Any, delta: str) -> None:
        """Take the next chunk with its text.

        Raises:
            ServerError: it is not in the protocol.
        """
        choices = getattr(chunk, "choices", None)
        if not isinstance(choices, list):
            raise garbled(self._address)
        self._length += len(delta)
        if choices:
            self._reason = getattr(choices[0], "finish_reason", None) or self._reason

    def require(self) -> None:
        """Raise ServerError if the stream ended before the answer did."""
        _require_end(self._reason, self._length, self._address)


class _GrowingCompletion:
    """An answer of the completion endpoint that grows."""

    def __init__(self, address: str) -> None:
        self.end = StreamEnd(address)
        self._text = ""
        self._ended: dict[str, Any] = {}

    def add(self, chunk: Any) -> CompletionResponse:
        """Add a chunk, and return the answer so far."""
        choice = chunk.choices[0] if getattr(chunk, "choices", None) else None
        delta: str = getattr(choice, "text", None) or ""
        self.end.see(chunk, delta)
        self._text += delta
        reason = getattr(choice, "finish_reason", None)
        if reason:
            self._ended = {"finish_reason": reason}
        logprobs = getattr(choice, "logprobs", None)
        return CompletionResponse(
            text=self._text,
            delta=delta,
            raw=chunk,
            logprobs=_text_logprobs(logprobs) if logprobs else None,
            additional_kwargs={**self._ended, **_usage(chunk)},
        )


def completion_stream(chunks: "Stream[Completion]", address: str) -> Iterator[CompletionResponse]:
    """Yield the answer as it grows.

    Raises:
        ServerError: the stream is not in the protocol, or ends before the answer does.
    """
    answer = _GrowingCompletion(address)
    with chunks:
        for chunk in chunks:
            yield answer.add(chunk)
    answer.end.require()


async def async_completion_stream(chunks: "AsyncStream[Completion]", address: str) -> AsyncIterator[CompletionResponse]:
    """Yield the answer as it grows; see :func:`completion_stream`."""
    answer = _GrowingCompletion(address)
    async with chunks:
        async for chunk in chunks:
            yield answer.add(chunk)
    answer.end.require()


def chat_stream(responses: Iterable[ChatResponse], address: str) -> Iterator[ChatResponse]:
    """Pass on a chat's stream with its log-probabilities.

    Raises as :func:`completion_stream`.
    """
    end = StreamEnd(address)
    for response in responses:
        end.see(response.raw, response.delta or "")
        response.logprobs = _chunk_logprobs(response.raw)
        yield response
    end.require()


async def async_chat_stream(responses: AsyncIterable[ChatResponse], address: str) -> AsyncIterator[ChatResponse]:
    """Pass on a chat's stream; see :func:`chat_stream`."""
    end = StreamEnd(address)
    async for response in responses:
        end.see(response.raw, response.delta or "")
        response.logprobs = _chunk_logprobs(response.raw)
        yield response
    end.require()


def _chunk_logprobs(chunk: Any) -> list[list[LogProb]] | None:
    """Return the log-probabilities of a chunk's tokens.

    LlamaIndex leaves them out of streams.
    """
    found = getattr(chunk.choices[0], "logprobs", None) if chunk.choices else None
    content = getattr(found, "content", None)
    return _token_logprobs(content) if content else None


# LlamaIndex's own conversions keep the likeliest alternatives only, and nothing where none were asked for.


def _token_logprobs(tokens: "list[ChatCompletionTokenLogprob]") -> list[list[LogProb]]:
    """Return the likeliest alternatives of each token of a chat.

    The token itself where none were asked for.
    """
    return [[_logprob(one) for one in token.top_logprobs] or [_logprob(token)] for token in tokens]


def _logprob(token: "ChatCompletionTokenLogprob | TopLogprob") -> LogProb:
    return LogProb(token=token.token, logprob=token.logprob, bytes=token.bytes or [])


def _text_logprobs(found: "Logprobs") -> list[list[LogProb]]:
    """Return the likeliest alternatives of each token of a completion.

    The first token of an echoed prompt has none.
    """
    tokens, values = found.tokens or [], found.token_logprobs or []
    alternatives = found.top_logprobs or [{}] * len(tokens)
    own = ({} if value is None else {token: value} for token, value in zip(tokens, values, strict=True))
    return [
        [LogProb(token=text, logprob=one, bytes=[]) for text, one in (likeliest or itself).items()]
        for likeliest, itself in zip(alternatives, own, strict=True)
    ]


def _require_end(reason: str | None, length: int, address: str) -> None:
    if reason not in _FINISHED:
        why = f"it gives {reason!r} as the reason" if reason else "it gives no reason to finish"
        raise ServerError(
            f"The language-model server at {address} broke off its answer after {length} characters ({why}). "
            "See whether it still runs, and ask again."
        )


def _usage(answer: Any) -> dict[str, int]:
    usage = getattr(answer, "usage", None)
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: getattr(usage, name) for name in names} if usage else {}


def _no_answer(answer: Any, address: str) -> ServerError:
    """Return the error for a reply that is no answer.

    In the server's own words where it has some.
    """
    said = getattr(answer, "error", None)
    if not said:
        return garbled(address)
    words = str(said.get("message", said) if isinstance(said, dict) else said).partition("\n")[0]
    return ServerError(
        f"The language-model server at {address} gave an error in place of an answer: {words}. "
        "Check the address (it usually ends in /v1) and the model's name."
    )


def garbled(address: str) -> ServerError:
    """Return the error for an answer outside the protocol."""
    return ServerError(
        f"What answers at {address} is not an OpenAI-compatible server: its answer cannot be read. "
        "Check the address (it usually ends in /v1) and what stands between."
    )
