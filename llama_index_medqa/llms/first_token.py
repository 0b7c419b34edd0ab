"""The probabilities of a chat model's first token, for one-word answers."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import openai
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM
from llama_index.llms.openai import OpenAI

from llama_index_medqa.llms.server_errors import server_errors

_MOST_LIKELY_TOKENS = 10


@runtime_checkable
class TellsFirstTokens(Protocol):
    """A model that states the log-probabilities of its first token."""

    def first_token_log_probabilities(self, messages: Sequence[ChatMessage]) -> dict[str, float]:
        """Return the natural logarithms of the likeliest first tokens.

        Empty where the model cannot.
        """
        ...


def first_token_log_probabilities(llm: LLM, messages: Sequence[ChatMessage]) -> Mapping[str, float]:
    """Return the log-probabilities of a model's likeliest first tokens.

    Nothing more than the first token is written: the answer is broken off behind it.

    Args:
        llm: a chat model behind an OpenAI-compatible server, or one that tells them itself.
        messages: the chat so far.

    Returns:
        Empty for other models, and for servers that give no log-probabilities.

    Raises:
        ServerError: the server does not answer.
    """
    if isinstance(llm, TellsFirstTokens):
        return llm.first_token_log_probabilities(messages)
    if not (isinstance(llm, OpenAI) and llm.metadata.is_chat_model):
        return {}
    with server_errors(llm):
        try:
            stream = llm.stream_chat(messages, logprobs=True, top_logprobs=_MOST_LIKELY_TOKENS)
            for part in stream:
                choices = getattr(part.raw, "choices", None)
                held = choices[0].logprobs if choices else None
                if held is not None and held.content:
                    return {token.token: token.logprob for token in held.content[0].top_logprobs}
        except openai.BadRequestError:
            # The server does not know these parameters.
            return {}
    return {}
