"""Deterministic stand-ins for an embedder and a language model."""

import hashlib
import math
import re
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from llama_index.core.base.llms.types import CompletionResponse, CompletionResponseGen, LLMMetadata
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.llms.custom import CustomLLM

_WORD = re.compile(r"\w+")
_DELTA = re.compile(r"\s*\S+|\s+\Z")


class HashEmbedding(BaseEmbedding):
    """Embeds texts by counting hashed words.

    Texts that share words are near, and the same text has the same vector everywhere.

    Args:
        dimension: length of the vectors, which are L2-normalised.
    """

    model_name: str = "hash"
    dimension: int = Field(default=256, gt=0, description="Length of the vectors.")

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves this component."""
        return "HashEmbedding"

    def _get_text_embedding(self, text: str) -> Embedding:
        counts = [0.0] * self.dimension
        for word in _WORD.findall(text.lower()):
            counts[int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") % self.dimension] += 1.0
        length = math.sqrt(sum(count * count for count in counts))
        if length == 0.0:
            return [1.0, *counts[1:]]
        return [count / length for count in counts]

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return self._get_text_embedding(query)


class ScriptedLLM(CustomLLM):
    """Answers from a script, in order, and remembers the prompts.

    A word at a time when streaming.

    Args:
        responses: the answers, one a call; the last one is repeated.
    """

    responses: list[str] = Field(description="The answers, one a call; the last one is repeated.")

    _prompts: list[str] = PrivateAttr(default_factory=list)

    def __init__(self, responses: Sequence[str], **data: Any) -> None:
        super().__init__(responses=list(responses), **data)

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves this component."""
        return "ScriptedLLM"

    @property
    def prompts(self) -> list[str]:
        """Return the prompts of all calls, in order."""
        return list(self._prompts)

    @property
    def metadata(self) -> LLMMetadata:
        """Return what LlamaIndex needs to know of a model."""
        return LLMMetadata(model_name="scripted")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Return the next answer."""
        return CompletionResponse(text=self._next(prompt))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Yield the next answer, a word at a time."""
        answer = self._next(prompt)

        def deltas() -> CompletionResponseGen:
            text = ""
            for delta in _DELTA.findall(answer) or [""]:
                text += delta
                yield CompletionResponse(text=text, delta=delta)

        return deltas()

    def _next(self, prompt: str) -> str:
        self._prompts.append(prompt)
        return self.responses[min(len(self._prompts), len(self.responses)) - 1]
