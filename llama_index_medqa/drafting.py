"""From evidence to a draft: what the model is shown, and who writes the sentences that are then checked."""

import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate

from llama_index_medqa.answers import StreamEnd, is_cut_off
from llama_index_medqa.errors import InputError
from llama_index_medqa.evidence_selection import as_context, token_count
from llama_index_medqa.llm import VllmLora
from llama_index_medqa.server_errors import model_name, server_errors, server_place
from llama_index_medqa.text.words import content_words
from llama_index_medqa.verification.passages import Passage

EXTRACTIVE: Final = "extractive"

# Tokens that a prompt which is too long is shortened by at least, so that few counts are asked of the server.
_LEAST_STEP = 16

_MOST_QUOTES = 3
# A quote must hold this share of the question's weight, and of what the best quote holds.
_LEAST_SHARE = 0.4
_LEAST_SHARE_OF_BEST = 0.7


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What a model read and wrote.

    Attributes:
        prompt: tokens of the prompt.
        completion: tokens of the draft.
        counted_by: ``server``, or ``estimate`` where it did not tell: LlamaIndex's global tokenizer.
    """

    prompt: int
    completion: int
    counted_by: Literal["server", "estimate"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a draft.

    Attributes:
        text: of any length.
        cut_off: whether the model was stopped here by the most tokens that it may write.
        usage: of the whole draft; with the last piece of a model's.
    """

    text: str
    cut_off: bool = False
    usage: TokenUsage | None = None


Choose = Callable[[int], list[Passage]]
"""Chooses evidence of at most so many tokens."""


class Answerer(Protocol):
    """Drafts an answer from evidence, in pieces of any length.

    Attributes:
        name: what is said to have answered.
        prompt: template that it fills in; None where there is none.
    """

    name: str
    prompt: BasePromptTemplate | None

    def fitting(self, question: str, choose: Choose, most_tokens: int) -> list[Passage]:
        """As much of the evidence as there is room for."""
        ...

    def stream(self, question: str, passages: Sequence[Passage]) -> Iterator[Piece]:
        """Yields the draft."""
        ...

    def stream_async(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[Piece]:
        """Yields the draft, asynchronously."""
        ...


class GenerativeAnswerer:
    """Lets a language model write the draft.

    Args:
        llm: the model.
        prompt: template with ``{context_str}`` and ``{query_str}``.
    """

    prompt: BasePromptTemplate | None

    def __init__(self, llm: LLM, prompt: BasePromptTemplate) -> None:
        self.name = model_name(llm)
        self.prompt = prompt
        self._llm = llm

    def fitting(self, question: str, choose: Choose, most_tokens: int) -> list[Passage]:
        """As much of the evidence as the budget and the model's context window have room for.

        The window is asked of a model that can count its own tokens (:class:`VllmLora`).

        Raises:
            InputError: the question alone is too long for the model.
        """
        chosen = choose(most_tokens)
        if not isinstance(self._llm, VllmLora):
            return chosen
        while (room := self._llm.room_for(self._asked(question, chosen))) < 0:
            if not chosen:
                raise InputError(
                    f"The question is {-room} tokens too long for the context window of {self.name!r} "
                    f"({self._llm.metadata.context_window} tokens). Ask a shorter one, or lower max_tokens."
                )
            # The model's tokens are not those of the budget: the rest is found by trying again.
            chosen = choose(token_count(as_context(chosen)) - max(-room, _LEAST_STEP))
        return chosen

    def stream(self, question: str, passages: Sequence[Passage]) -> Iterator[Piece]:
        """Yields the draft as the model writes it.

        Raises:
            ServerError: the model's server does not answer, or breaks off.
        """
        asked = self._asked(question, passages)
        reading = _Reading(self._llm, asked)
        with server_errors(self._llm):
            if isinstance(asked, str):
                yield from map(reading.piece, self._llm.stream_complete(asked, formatted=True))
            else:
                yield from map(reading.piece, self._llm.stream_chat(asked))
        yield reading.finish()

    async def stream_async(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[Piece]:
        """As :meth:`stream`, asynchronously."""
        asked = self._asked(question, passages)
        reading = _Reading(self._llm, asked)
        responses: AsyncIterator[CompletionResponse] | AsyncIterator[ChatResponse]
        with server_errors(self._llm):
            if isinstance(asked, str):
                responses = await self._llm.astream_complete(asked, formatted=True)
            else:
                responses = await self._llm.astream_chat(asked)
            async for response in responses:
                yield reading.piece(response)
        yield reading.finish()

    def _asked(self, question: str, passages: Sequence[Passage]) -> str | list[ChatMessage]:
        """The prompt as LLM.stream() makes it, which keeps to itself why an answer ended."""
        assert self.prompt is not None  # noqa: S101  # set in the constructor
        fields = {"context_str": as_context(passages), "query_str": question}
        if self._llm.metadata.is_chat_model:
            return self._llm._get_messages(self.prompt, **fields)
        return self._llm._get_prompt(self.prompt, **fields)


class _Reading:
    """Reads a model's stream, and notices where it ends before the answer does."""

    def __init__(self, llm: LLM, asked: str | list[ChatMessage]) -> None:
        self._end = StreamEnd(server_place(llm))
        self._from_server = False
        self._asked = asked
        self._written: list[str] = []
        self._usage: TokenUsage | None = None

    def piece(self, response: CompletionResponse | ChatResponse) -> Piece:
        """The next piece of the draft."""
        delta = response.delta or ""
        if hasattr(response.raw, "choices"):
            self._from_server = True
            self._end.see(response.raw, delta)
            usage = getattr(response.raw, "usage", None)
            if usage is not None:
                self._usage = TokenUsage(usage.prompt_tokens, usage.completion_tokens, "server")
        self._written.append(delta)
        return Piece(delta, is_cut_off(response))

    def finish(self) -> Piece:
        """The end of the draft, which says what was read and written.

        Raises:
            ServerError: the server broke off.
        """
        if self._from_server:
            self._end.require()
        return Piece("", usage=self._usage or self._estimate())

    def _estimate(self) -> TokenUsage:
        asked = self._asked if isinstance(self._asked, str) else "\n".join(str(item.content) for item in self._asked)
        return TokenUsage(token_count(asked), token_count("".join(self._written)), "estimate")


class ExtractiveAnswerer:
    """Quotes the sentences of the evidence that share most with the question; no model."""

    name = EXTRACTIVE
    prompt: BasePromptTemplate | None = None

    def fitting(self, question: str, choose: Choose, most_tokens: int) -> list[Passage]:
        """As much of the evidence as the budget has room for."""
        return choose(most_tokens)

    def stream(self, question: str, passages: Sequence[Passage]) -> Iterator[Piece]:
        """Yields up to three sentences, the best first, each on a line of its own.

        A word of the question weighs the more the fewer sentences hold it (inverse document frequency as in BM25).
        """
        candidates = {
            sentence: content_words(sentence.text)
            for passage in passages
            for sentence in passage.sentences
            if sentence.complete and sentence.states_something
        }
        frequency = Counter(word for words in candidates.values() for word in words)
        weights = {
            word: math.log(1 + (len(candidates) - frequency[word] + 0.5) / (frequency[word] + 0.5))
            for word in content_words(question)
        }
        total = sum(weights.values()) or 1.0
        shares = {
            sentence: sum(weight for word, weight in weights.items() if word in words) / total
            for sentence, words in candidates.items()
        }
        least = max(_LEAST_SHARE, _LEAST_SHARE_OF_BEST * max(shares.values(), default=0.0))
        best = sorted((sentence for sentence in shares if shares[sentence] >= least), key=lambda item: -shares[item])
        yield from (Piece(f"{sentence.text}\n") for sentence in best[:_MOST_QUOTES])

    async def stream_async(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[Piece]:
        """As :meth:`stream`, for asynchronous callers."""
        for piece in self.stream(question, passages):
            yield piece
