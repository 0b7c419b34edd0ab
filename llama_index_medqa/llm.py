"""Language models behind an OpenAI-compatible server: a LoRA adapter on vLLM, or any other."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
from llama_index.core.base.llms.types import LLMMetadata
from llama_index.core.bridge.pydantic import Field
from llama_index.core.llms import LLM
from llama_index.llms.openai_like import OpenAILike

from llama_index_medqa.errors import InputError, ServerError

# Servers on one's own machines need no key, but the protocol wants the header.
_NO_KEY = "none"


class VllmLora(OpenAILike):
    """A LoRA adapter served by vLLM, asked for by its own name.

    vLLM answers under two names: the base model's (``--served-model-name``) and each adapter's (``--lora-modules
    NAME=PATH``). A client that asks for the first never touches the adapter, and nothing tells. Here the adapter's
    name is what is asked for, always.

    Args:
        base_model: name under which the server lists the base model.
        adapter: name under which the server lists the adapter; None asks for the base model.
        api_base: address of the server, such as ``http://127.0.0.1:8000/v1``.
        is_chat_model: whether to use the chat endpoint; a base model without a chat template has none.
        temperature: 0 to 1.
        max_tokens: most tokens of an answer.
        timeout: seconds to wait for an answer.

    Raises:
        InputError: the adapter has the name of the base model, so that the base would answer.
    """

    base_model: str = Field(description="Name under which the server lists the base model.")
    adapter: str | None = Field(default=None, description="Name under which the server lists the adapter.")
    # Required in the base class; here it follows from base_model and adapter.
    model: str = Field(default="", description="The name that is asked for: the adapter's, else the base model's.")
    # Kept out of to_dict(), so that no saved payload holds it.
    api_key: str | None = Field(default=None, exclude=True, repr=False, description="Key of the server, if any.")
    default_headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False)
    temperature: float = Field(default=0.0, ge=0.0, le=1.0, description="0 gives the same answer every time.")
    max_tokens: int | None = Field(default=256, gt=0, description="Most tokens of an answer.")

    def __init__(self, base_model: str, adapter: str | None = None, *, api_base: str, **data: Any) -> None:
        if adapter == base_model:
            raise InputError(
                f"The adapter has the name of the base model, {base_model!r}, so the base model would answer. "
                "Give the adapter's own name, the NAME of vLLM's --lora-modules NAME=PATH."
            )
        data.update(model=adapter or base_model, base_model=base_model, adapter=adapter, api_base=api_base)
        data["api_key"] = data.get("api_key") or _NO_KEY
        super().__init__(**data)

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex saves this component."""
        return "VllmLora"


def served_models(
    api_base: str, *, api_key: str | None = None, transport: httpx.BaseTransport | None = None
) -> list[str]:
    """The names of the models that an OpenAI-compatible server lists.

    Args:
        api_base: address of the server, such as ``http://127.0.0.1:8000/v1``.
        api_key: key of the server, if it needs one.
        transport: httpx transport to use in place of the network.

    Raises:
        ServerError: nobody answers there, or not in the protocol.
    """
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        with httpx.Client(transport=transport, timeout=10) as client:
            answer = client.get(f"{api_base.rstrip('/')}/models", headers=headers)
            answer.raise_for_status()
            return [str(card["id"]) for card in answer.json()["data"]]
    except httpx.HTTPStatusError as error:
        raise ServerError(
            f"The server at {api_base} answered {error.response.status_code} when asked for its models. "
            "Check the address (it usually ends in /v1) and the key."
        ) from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise ServerError(_unreachable(api_base, error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError(
            f"What answers at {api_base} is not an OpenAI-compatible server: its list of models cannot be read. "
            "Check the address (it usually ends in /v1)."
        ) from error


@contextmanager
def server_errors(llm: LLM) -> Iterator[None]:
    """Turns what the OpenAI client raises about a server into a :class:`ServerError` that says what to do."""
    place = str(getattr(llm, "api_base", None) or llm.class_name())
    try:
        yield
    except openai.APITimeoutError as error:
        raise ServerError(
            f"The language-model server at {place} gave no answer in time. Raise the timeout, or ask for fewer tokens."
        ) from error
    except openai.APIConnectionError as error:
        raise ServerError(_unreachable(place, error.__cause__ or error)) from error
    except openai.APIStatusError as error:
        detail = str(error.message).partition("\n")[0]
        raise ServerError(
            f"The language-model server at {place} answered {error.status_code}: {detail}. "
            f"Check the model's name ({model_name(llm)!r}) and the server's log."
        ) from error
    except openai.APIError as error:
        raise ServerError(f"The language-model server at {place} broke off its answer ({error}). Ask again.") from error


def model_name(llm: LLM) -> str:
    """The name of a model as LlamaIndex knows it."""
    metadata: LLMMetadata = llm.metadata
    return metadata.model_name


def _unreachable(place: str, error: BaseException) -> str:
    return (
        f"No language-model server answers at {place} ({error}). Start one there, give its address, or use "
        "`--llm extractive`, which needs none."
    )
