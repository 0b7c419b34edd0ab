"""Errors of language-model servers, each with what to do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
from llama_index.core.llms import LLM

from llama_index_medqa.errors import ServerError
from llama_index_medqa.llms.openai_responses import garbled
from llama_index_medqa.llms.vllm_api import unreachable
from llama_index_medqa.redaction import cause

if TYPE_CHECKING:
    import openai


@contextmanager
def server_errors(llm: LLM) -> Iterator[None]:
    """Turn the OpenAI client's errors into :class:`ServerError`."""
    # Slow to import, and needed only where a model is asked.
    import openai

    address = server_address(llm)
    try:
        yield
    except openai.APITimeoutError as error:
        raise ServerError(
            f"The language-model server at {address} gave no answer in time. "
            "Raise the timeout, or ask for fewer tokens."
        ) from cause(error)
    except openai.APIConnectionError as error:
        raise ServerError(unreachable(address, error.__cause__ or error)) from cause(error)
    except openai.APIStatusError as error:
        raise ServerError(_refusal(llm, address, error)) from cause(error)
    except (openai.APIError, httpx.TransportError) as error:
        raise ServerError(
            f"The language-model server at {address} broke off its answer ({error or type(error).__name__}). "
            "See whether it still runs, and ask again."
        ) from cause(error)
    except json.JSONDecodeError as error:
        raise garbled(address) from error


def _refusal(llm: LLM, address: str, error: "openai.APIStatusError") -> str:
    detail = str(error.message).partition("\n")[0]
    happened = f"The language-model server at {address} answered {error.status_code}: {detail}."
    if error.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return f"{happened} Send fewer requests at a time, or try again later."
    if "context length" in detail or "maximum model length" in detail:
        return f"{happened} Shorten the prompt, or lower max_tokens."
    return f"{happened} Check the model's name ({model_name(llm)!r}) and the server's log."


def server_address(llm: LLM) -> str:
    """Return the address of a model's server, or the model's class.

    For messages.
    """
    return str(getattr(llm, "api_base", None) or llm.class_name())


def model_name(llm: LLM) -> str:
    """Return the name of a model as LlamaIndex knows it."""
    from llama_index.llms.openai import OpenAI

    if isinstance(llm, OpenAI):
        # Without its metadata, for which the server would be asked.
        return str(llm.model)
    return llm.metadata.model_name
