"""From evidence to a draft: what the model is shown, and who writes the sentences that are then checked."""

import math
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.utils import get_tokenizer

from llama_index_medqa.answers import StreamEnd, is_cut_off
from llama_index_medqa.errors import InputError
from llama_index_medqa.evidence import Passage, content_words
from llama_index_medqa.llm import VllmLora
from llama_index_medqa.server_errors import model_name, server_errors, server_place

EXTRACTIVE: Final = "extractive"

# Tokens that a prompt which is too long is shortened by at least, so that few counts are asked of the server.
_LEAST_STEP = 16

_MOST_QUOTES = 3
# A quote must hold this share of the question's weight, and of what the best quote holds.
_LEAST_SHARE = 0.4
_LEAST_SHARE_OF_BEST = 0.7

_GENERAL_WEIGHT = 0.25
_GENERAL_WORDS = content_words(
    "adult affect aid analysis associated association benefit best cause caused causes child children clinical common "
    "comparison condition decrease diagnose diagnosis difference disease diseases drug drugs effect effective "
    "effectiveness effects elderly evidence factor factors good health help helps high impact improve increase "
    "influence level levels low management medical medication men method methods mortality necessary new newborns "
    "outcome outcomes patient patients people possible predict predictor prevent prevention rate recent recommended "
    "reduce related relationship risk role safe safety severe study symptom symptoms therapy treat treatment use "
    "used useful using value women work"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a draft.

    Attributes:
        text: of any length.
        cut_off: whether the model was stopped here by the most tokens that it may write.
    """

    text: str
    cut_off: bool = False


class Answerer(Protocol):
    """Drafts an answer from evidence, in pieces of any length.

    Attributes:
        name: what is said to have answered.
        prompt: template that it fills in; None where there is none.
    """

    name: str
    prompt: BasePromptTemplate | None

    def fitting(self, question: str, passages: list[Passage], most_tokens: int) -> list[Passage]:
        """The passages, or as much of them as there is room for, the last ones cut first."""
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

    def fitting(self, question: str, passages: list[Passage], most_tokens: int) -> list[Passage]:
        """As much of the evidence as the budget and the model's context window have room for.

        The window is asked of a model that can count its own tokens (:class:`VllmLora`).

        Raises:
            InputError: the question alone is too long for the model.
        """
        chosen = within_budget(passages, most_tokens)
        if not isinstance(self._llm, VllmLora):
            return chosen
        while (room := self._llm.room_for(self._asked(question, chosen))) < 0:
            if not chosen:
                raise InputError(
                    f"The question is {-room} tokens too long for the context window of {self.name!r} "
                    f"({self._llm.metadata.context_window} tokens). Ask a shorter one, or lower max_tokens."
                )
            # The model's tokens are not those of the budget: the rest is found by trying again.
            chosen = within_budget(chosen, _token_count(as_context(chosen)) - max(-room, _LEAST_STEP))
        return chosen

    def stream(self, question: str, passages: Sequence[Passage]) -> Iterator[Piece]:
        """Yields the draft as the model writes it.

        Raises:
            ServerError: the model's server does not answer, or breaks off.
        """
        asked = self._asked(question, passages)
        reading = _Reading(self._llm)
        with server_errors(self._llm):
            if isinstance(asked, str):
                yield from map(reading.piece, self._llm.stream_complete(asked, formatted=True))
            else:
                yield from map(reading.piece, self._llm.stream_chat(asked))
        reading.finish()

    async def stream_async(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[Piece]:
        """As :meth:`stream`, asynchronously."""
        asked = self._asked(question, passages)
        reading = _Reading(self._llm)
        responses: AsyncIterator[CompletionResponse] | AsyncIterator[ChatResponse]
        with server_errors(self._llm):
            if isinstance(asked, str):
                responses = await self._llm.astream_complete(asked, formatted=True)
            else:
                responses = await self._llm.astream_chat(asked)
            async for response in responses:
                yield reading.piece(response)
        reading.finish()

    def _asked(self, question: str, passages: Sequence[Passage]) -> str | list[ChatMessage]:
        """The prompt as LLM.stream() makes it, which keeps to itself why an answer ended."""
        assert self.prompt is not None  # noqa: S101  # set in the constructor
        fields = {"context_str": as_context(passages), "query_str": question}
        if self._llm.metadata.is_chat_model:
            return self._llm._get_messages(self.prompt, **fields)
        return self._llm._get_prompt(self.prompt, **fields)


class _Reading:
    """Reads a model's stream, and notices where it ends before the answer does."""

    def __init__(self, llm: LLM) -> None:
        self._end = StreamEnd(server_place(llm))
        self._from_server = False

    def piece(self, response: CompletionResponse | ChatResponse) -> Piece:
        """The next piece of the draft."""
        if hasattr(response.raw, "choices"):
            self._from_server = True
            self._end.see(response.raw, response.delta or "")
        return Piece(response.delta or "", is_cut_off(response))

    def finish(self) -> None:
        """Raises ServerError where a server broke off."""
        if self._from_server:
            self._end.require()


class ExtractiveAnswerer:
    """Quotes the sentences of the evidence that share most with the question; no model."""

    name = EXTRACTIVE
    prompt: BasePromptTemplate | None = None

    def fitting(self, question: str, passages: list[Passage], most_tokens: int) -> list[Passage]:
        """As much of the evidence as the budget has room for."""
        return within_budget(passages, most_tokens)

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


def question_coverage(question: str, passages: Sequence[Passage]) -> float:
    """The share of a question that the best retrieved record speaks of, 0 to 1.

    Counted in meaningful words; words that stand in questions on any subject ("treat", "children", "risk") count a
    quarter, so that a record on another disease does not pass for one on this.
    """
    weights = {word: _GENERAL_WEIGHT if word in _GENERAL_WORDS else 1.0 for word in content_words(question)}
    total = sum(weights.values())
    by_document: dict[str, set[str]] = {}
    for passage in passages:
        found = by_document.setdefault(passage.document_id, set())
        found |= content_words(passage.title) | content_words(passage.text)
    shares = (
        sum(weight for word, weight in weights.items() if word in found) / total
        for found in by_document.values()
        if total
    )
    return max(shares, default=0.0)


def as_context(passages: Sequence[Passage]) -> str:
    """The evidence as a model is shown it: a block a passage, headed by its identifier and title."""
    blocks = []
    for passage in passages:
        text = passage.text.removeprefix(passage.title).strip() if passage.start == 0 else f"… {passage.text}"
        blocks.append(f"[{passage.document_id}] {passage.title}\n{text}".rstrip())
    return "\n\n".join(blocks)


def within_budget(passages: Sequence[Passage], most_tokens: int) -> list[Passage]:
    """The passages that fit, in order; one that does not fit is cut after the last sentence that does.

    Args:
        passages: the best first.
        most_tokens: counted with LlamaIndex's global tokenizer.
    """
    chosen: list[Passage] = []
    left = most_tokens
    for passage in passages:
        shortened = _cut(passage, left)
        if shortened is not None:
            chosen.append(shortened)
            left -= _token_count(as_context([shortened]))
    return chosen


def _cut(passage: Passage, most_tokens: int) -> Passage | None:
    """The passage, or as many of its first sentences as fit; None where not even one does."""
    sentences = passage.sentences
    while sentences:
        text = passage.text[: sentences[-1].end - passage.start]
        shortened = Passage(passage.document_id, passage.title, text, passage.start, sentences)
        if _token_count(as_context([shortened])) <= most_tokens:
            return shortened
        sentences = sentences[:-1]
    return None


def _token_count(text: str) -> int:
    return len(get_tokenizer()(text))
