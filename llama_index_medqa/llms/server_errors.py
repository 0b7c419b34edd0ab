"""What goes wrong between a language model and its server, in words that say what to do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import openai
from llama_index.core.llms import LLM
from llama_index.llms.openai import OpenAI

from llama_index_medqa.errors import ServerError
from llama_index_medqa.llms.openai_responses import garbled
from llama_index_medqa.llms.vllm_api import unreachable
from llama_index_medqa.redaction import cause


@contextmanager
def server_errors(llm: LLM) -> Iterator[None]:
    """Turns what the OpenAI client raises about a server into a :class:`ServerError` that says what to do."""
    place = server_place(llm)
    try:
        yield
    except openai.APITimeoutError as error:
        raise ServerError(
            f"The language-model server at {place} gave no answer in time. Raise the timeout, or ask for fewer tokens."
        ) from cause(error)
    except openai.APIConnectionError as error:
        raise ServerError(unreachable(place, error.__cause__ or error)) from cause(error)
    except openai.APIStatusError as error:
        raise ServerError(_refusal(llm, place, error)) from cause(error)
    except (openai.APIError, httpx.TransportError) as error:
        raise ServerError(
            f"The language-model server at {place} broke off its answer ({error or type(error).__name__}). "
            "See whether it still runs, and ask again."
        ) from cause(error)
    except json.JSONDecodeError as error:
        raise garbled(place) from error


def _refusal(llm: LLM, place: str, error: openai.APIStatusError) -> str:
    detail = str(error.message).partition("\n")[0]
    happened = f"The language-model server at {place} answered {error.status_code}: {detail}."
    if error.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return f"{happened} Send fewer requests at a time, or try again later."
    if "context length" in detail or "maximum model length" in detail:
        return f"{happened} Shorten the prompt, or lower max_tokens."
    return f"{happened} Check the model's name ({model_name(llm)!r}) and the server's log."


def server_place(llm: LLM) -> str:
    """Where a model's server is, for messages; its class where it has none."""
    return str(getattr(llm, "api_base", None) or llm.class_name())


def model_name(llm: LLM) -> str:
    """The name of a model as LlamaIndex knows it."""
    if isinstance(llm, OpenAI):
        # Without its metadata, for which the server would be asked.
        return str(llm.model)
    return llm.metadata.model_name
