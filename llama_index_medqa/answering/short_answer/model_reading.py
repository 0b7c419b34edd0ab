"""A model's yes or no from the evidence, for questions that the verifier cannot decide."""

import math
from collections.abc import Mapping

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM

from llama_index_medqa.answering.short_answer.exact_answer import Label

# How much likelier "yes" must be than "no", as the natural logarithm of the ratio. Chosen on 47 training questions of
# PubMedQA and BioASQ with Qwen2.5-Coder-1.5B-Instruct: 27 of the 29 labels that it gave were right.
_LEAST_FOR_YES = 1.1
_MOST_FOR_NO = -0.3
# What a word has at most that is not among the likeliest.
_HARDLY = 1e-6

YES_OR_NO = "Do the passages say yes or no to this question? Answer with one word, Yes or No.\nAnswer:"


def yes_or_no_of(llm: LLM, prompt: str) -> Label | None:
    """Return a model's yes or no.

    None where it is not sure, or does not say how sure it is.

    Args:
        llm: a chat model behind a server that gives log-probabilities.
        prompt: evidence and question, and then :data:`YES_OR_NO`. Where the prompt of the draft began the same, the
            server has read most of it.

    Raises:
        ServerError: the server does not answer.
    """
    # Quotes ask no model, and its client is slow to import.
    from llama_index_medqa.llms.first_token import first_token_log_probabilities

    return label_of(first_token_log_probabilities(llm, [ChatMessage(role="user", content=prompt)]))


def label_of(log_probabilities: Mapping[str, float]) -> Label | None:
    """Return yes or no by the likeliest first tokens.

    None where neither is likely enough.
    """
    chances = {"yes": _HARDLY, "no": _HARDLY}
    for token, value in log_probabilities.items():
        word = token.strip().casefold()
        if word in chances:
            chances[word] += math.exp(value)
    if max(chances.values()) <= 2 * _HARDLY:
        return None
    log_odds = math.log(chances["yes"] / chances["no"])
    if log_odds >= _LEAST_FOR_YES:
        return "yes"
    return "no" if log_odds <= _MOST_FOR_NO else None
