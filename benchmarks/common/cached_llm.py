"""A language model whose drafts are kept for later measurements."""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ChatResponseGen, CompletionResponse
from llama_index.core.llms import CustomLLM, LLMMetadata
from llama_index.llms.openai_like import OpenAILike
from openai.types.chat import ChatCompletionChunk
from pydantic import PrivateAttr

from llama_index_medqa.llms.first_token import first_token_log_probabilities


class KeptDrafts(CustomLLM):
    """Replays kept drafts, and asks a chat model for the others.

    A draft is a line of the file as soon as it is whole: the name of the model and a hash of the messages, the text,
    the last parts of the server's stream (why it ended, tokens), the seconds that it took, and its pieces as they came:
    the second of each and its number of characters.

    Args:
        inner: the model.
        file: the drafts.
    """

    _inner: OpenAILike = PrivateAttr()
    _file: Path = PrivateAttr()
    _kept: dict[str, dict[str, Any]] = PrivateAttr()
    _seconds: float = PrivateAttr(default=0.0)
    _text: str = PrivateAttr(default="")

    def __init__(self, inner: OpenAILike, file: Path) -> None:
        super().__init__()
        self._inner = inner
        self._file = file
        lines = file.read_text(encoding="utf-8").split("\n")[:-1] if file.exists() else []
        self._kept = {row["key"]: row for row in map(json.loads, lines)}
        # A line that an interruption broke off would spoil the one after it.
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    @property
    def metadata(self) -> LLMMetadata:
        """Return the metadata of the model that writes."""
        return self._inner.metadata

    @property
    def seconds(self) -> float:
        """Return the seconds that the last draft took the model.

        Whenever that was; until its end is read, up to the last piece.
        """
        return self._seconds

    @property
    def text(self) -> str:
        """Return the last draft."""
        return self._text

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Yield a draft in its original pieces, without the waiting."""
        asked = json.dumps([self._inner.model, [[str(item.role), item.content] for item in messages]])
        key = hashlib.sha256(asked.encode()).hexdigest()[:32]
        row = self._kept.get(key) or self._ask(key, messages, **kwargs)
        self._seconds, self._text = 0.0, row["text"]
        yield from self._replayed(row)
        self._seconds = row["seconds"]

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Give a draft whole."""
        *_, last = self.stream_chat(messages, **kwargs)
        return ChatResponse(message=last.message, raw=last.raw)

    def first_token_log_probabilities(self, messages: Sequence[ChatMessage]) -> dict[str, float]:
        """Return the likeliest first tokens, kept as drafts are."""
        asked = json.dumps([self._inner.model, "first token", [[str(item.role), item.content] for item in messages]])
        key = hashlib.sha256(asked.encode()).hexdigest()[:32]
        if key not in self._kept:
            start = time.perf_counter()
            found = dict(first_token_log_probabilities(self._inner, messages))
            row = {"key": key, "first_tokens": found, "seconds": round(time.perf_counter() - start, 3)}
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._kept[key] = row
        return dict(self._kept[key]["first_tokens"])

    def _ask(self, key: str, messages: Sequence[ChatMessage], **kwargs: Any) -> dict[str, Any]:
        start = time.perf_counter()
        parts, pieces = [], []
        for part in self._inner.stream_chat(messages, **kwargs):
            parts.append(part)
            pieces.append([round(time.perf_counter() - start, 3), len(part.delta or "")])
        row = {
            "key": key,
            "text": "".join(part.delta or "" for part in parts),
            # Why it ended stands in the last part that has a choice, the tokens in the one after it.
            "ends": [part.raw.model_dump() for part in parts[-2:]],
            "seconds": round(time.perf_counter() - start, 3),
            "pieces": [piece for piece in pieces if piece[1]],
        }
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._kept[key] = row
        return row

    def _replayed(self, row: dict[str, Any]) -> ChatResponseGen:
        message = ChatMessage(role="assistant", content=row["text"])
        position = 0
        # Drafts that were kept before pieces were came in one.
        for seconds, length in row.get("pieces", [[row["seconds"], len(row["text"])]]):
            self._seconds = seconds
            delta, position = row["text"][position : position + length], position + length
            unfinished = {**row["ends"][0], "choices": [], "usage": None}
            yield ChatResponse(message=message, delta=delta, raw=ChatCompletionChunk.model_validate(unfinished))
        for end in row["ends"]:
            yield ChatResponse(message=message, delta="", raw=ChatCompletionChunk.model_validate(end))

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Refuse: this model has no completion endpoint.

        Raises:
            NotImplementedError: always; it is asked by chat.
        """
        raise NotImplementedError("Kept drafts are those of a chat model.")

    stream_complete = complete
