"""Requests to a vLLM server other than answers: models, tokens, probabilities, adapters."""

import ssl
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from llama_index_medqa.errors import InputError, ServerError
from llama_index_medqa.redaction import cause, keep_address_secret, keep_secret

# On a CPU, the first request for the probabilities of a prompt compiles for a minute.
_SCORING_SECONDS = 300.0
_SECONDS = 10.0
_LOADING_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model as a server lists it.

    Attributes:
        name: what to ask for.
        root: what it was loaded from; None where the server does not say.
        parent: for an adapter, the served name of the base model; None for a base model.
        context_window: tokens of prompt and answer together; None where the server does not say.
    """

    name: str
    root: str | None = None
    parent: str | None = None
    context_window: int | None = None


@dataclass(frozen=True, slots=True)
class ScoredText:
    """The tokens of a text and their log-probabilities, as a server gives them.

    Attributes:
        count: tokens of the whole text, n.
        token_ids: (n - 1,) all but the first, of which the server does not tell.
        logprobs: natural logarithms of the last tokens, n - 1 of them where the server tells all; the first has none.
    """

    count: int
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class ServerApi:
    """Queries a vLLM server.

    Any OpenAI-compatible server has the list of models.

    Args:
        api_base: address of the server, such as ``http://127.0.0.1:8000/v1``.
        api_key: key of the server, if it needs one.
        headers: further headers of every request.
        client: the httpx client to ask with, in place of one for each question.

    Raises:
        InputError: the address has parameters.
    """

    def __init__(
        self,
        api_base: str,
        *,
        api_key: str | None = None,
        headers: dict[str, str] | None = None,
        client: httpx.Client | None = None,
    ) -> None:
        keep_secret(api_key, *(headers or {}).values())
        keep_address_secret(api_base)
        if "?" in api_base:
            raise InputError(
                f"The address {api_base} cannot hold parameters, because paths are added to it. Leave out what follows "
                "the question mark; a key is given with MEDQA_API_KEY, or as api_key."
            )
        self.api_base = api_base.rstrip("/")
        self._root = self.api_base.removesuffix("/v1")
        self._headers = {**(headers or {}), **({"Authorization": f"Bearer {api_key}"} if api_key else {})}
        self._client = client

    @staticmethod
    def how_to_load(adapter: str) -> str:
        """Return what to do so that the server has an adapter, for messages."""
        return f"load it with medqa serve --adapter {adapter}=PATH"

    def models(self) -> list[ModelCard]:
        """Return the models that the server lists.

        Raises:
            ServerError: nobody answers there, or not in the protocol.
        """
        data = self._ask("GET", f"{self.api_base}/models", "its models")
        try:
            return [
                ModelCard(str(card["id"]), card.get("root"), card.get("parent"), card.get("max_model_len"))
                for card in data["data"]
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise self._stranger("its list of models") from error

    def version(self) -> str:
        """Return the version of vLLM."""
        data = self._ask("GET", f"{self._root}/version", "its version")
        return str(data["version"]) if isinstance(data, dict) and "version" in data else "unknown"

    def token_ids(self, model: str, prompt: str | list[dict[str, str]]) -> tuple[int, ...]:
        """Return the token ids of a prompt.

        Args:
            model: served name of a base model or an adapter.
            prompt: a text for the completion endpoint, or the messages of a chat.
        """
        body = {"model": model, "prompt" if isinstance(prompt, str) else "messages": prompt}
        data = self._ask("POST", f"{self._root}/tokenize", "the tokens of a prompt", body)
        try:
            return tuple(data["tokens"])
        except (KeyError, TypeError) as error:
            raise self._stranger("its tokens") from error

    def score(self, model: str, text: str, *, add_special_tokens: bool = True) -> ScoredText:
        """Return the log-probabilities of the tokens of a text.

        Args:
            model: served name of a base model or an adapter.
            text: at least two tokens long.
            add_special_tokens: whether the server puts the begin-of-text token before it, where its model has one.
        """
        body = {
            "model": model,
            "prompt": text,
            "max_tokens": 1,
            "temperature": 0,
            "prompt_logprobs": 0,
            "add_special_tokens": add_special_tokens,
        }
        data = self._ask("POST", f"{self.api_base}/completions", "log-probabilities", body, _SCORING_SECONDS)
        try:
            # The actual token comes first in each entry; the first entry is null.
            entries = [next(iter(entry.items())) for entry in data["choices"][0]["prompt_logprobs"][1:]]
            ids = tuple(int(token_id) for token_id, _ in entries)
            return ScoredText(len(ids) + 1, ids, tuple(float(value["logprob"]) for _, value in entries))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise ServerError(
                f"The server at {self.api_base} gives no log-probabilities of prompts, so what it serves cannot be "
                "proved. Serve the model with vLLM, or give verify_first=False."
            ) from error

    def load_adapter(self, name: str, path: str) -> None:
        """Load a LoRA adapter into the running server.

        Args:
            name: what to ask for afterwards.
            path: its folder, as the server's machine sees it.

        Raises:
            ServerError: the server refuses, with its own reason, or was not started with
                ``VLLM_ALLOW_RUNTIME_LORA_UPDATING=True``.
        """
        body = {"lora_name": name, "lora_path": path}
        self._ask("POST", f"{self.api_base}/load_lora_adapter", f"to load {name!r}", body, _LOADING_SECONDS)

    def unload_adapter(self, name: str) -> None:
        """Remove a LoRA adapter from the running server.

        Raises as :meth:`load_adapter`.
        """
        url = f"{self.api_base}/unload_lora_adapter"
        self._ask("POST", url, f"to unload {name!r}", {"lora_name": name}, _LOADING_SECONDS)

    def _ask(
        self, method: str, url: str, what: str, body: dict[str, Any] | None = None, timeout: float = _SECONDS
    ) -> Any:
        try:
            with self._open_client() as client:
                answer = client.request(method, url, json=body, headers=self._headers, timeout=timeout)
                answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise ServerError(self._refusal(error.response, what)) from cause(error)
        except httpx.TimeoutException as error:
            raise ServerError(
                f"The server at {self.api_base} was asked {what} and gave no answer within {timeout:g} seconds. "
                "Look at its log, and ask again when it is less busy."
            ) from cause(error)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ServerError(unreachable(self.api_base, error)) from cause(error)
        if not answer.headers.get("content-type", "").startswith("application/json"):
            return answer.text
        try:
            data = answer.json()
        except ValueError as error:
            raise self._stranger("its answer") from error
        if isinstance(data, dict) and data.get("error"):
            # LM Studio says so of paths that it does not know, with status 200.
            raise ServerError(self._refusal(answer, what))
        return data

    def _open_client(self) -> AbstractContextManager[httpx.Client]:
        if self._client is not None:
            return nullcontext(self._client)
        if is_loopback(self.api_base):
            return httpx.Client(trust_env=False, verify=loopback_tls())
        return httpx.Client()

    def _refusal(self, answer: httpx.Response, what: str) -> str:
        if answer.status_code == httpx.codes.NOT_FOUND and "lora_adapter" in str(answer.url) and not _reason(answer):
            return (
                f"The server at {self.api_base} loads no adapters while it runs. Start it with the environment "
                "variable VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, or name the adapter when it starts."
            )
        reason = f" ({_reason(answer)})" if _reason(answer) else ""
        advice = "See its log" if answer.is_server_error else "Check the address (it usually ends in /v1) and the key"
        return f"The server at {self.api_base} answered {answer.status_code} when asked {what}{reason}. {advice}."

    def _stranger(self, what: str) -> ServerError:
        return ServerError(
            f"What answers at {self.api_base} is not an OpenAI-compatible server: {what} cannot be read. "
            "Check the address (it usually ends in /v1)."
        )


def _reason(answer: httpx.Response) -> str:
    """Return the server's own reason for a refusal; empty without one."""
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(error.get("message", error) if isinstance(error, dict) else error).partition("\n")[0]


def unreachable(address: str, error: BaseException) -> str:
    """Return the message for a server that does not answer."""
    return (
        f"No language-model server answers at {address} ({error}). Start one there, give its address, or use "
        "`--llm extractive`, which needs none."
    )


def is_loopback(address: str) -> bool:
    """Return whether an address is on this machine.

    A proxy of the environment has no way there.
    """
    return urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")


@cache
def loopback_tls() -> ssl.SSLContext:
    """Return the certificates for servers on this machine.

    certifi's, as httpx takes them by itself.

    Read once: it takes as long as some thirty requests, and each event loop needs a client of its own.
    """
    return httpx.create_ssl_context(trust_env=False)


def served_name(api_base: str, api_key: str | None, wanted: str | None, options: str) -> str:
    """Return the wanted name, or that of the only served model.

    Args:
        api_base: address of an OpenAI-compatible server.
        api_key: its key.
        wanted: name of a model; None takes the only one.
        options: the options of a command by which one is chosen, for the error.

    Raises:
        ServerError: the server does not answer, or does not serve it.
    """
    served = [card.name for card in ServerApi(api_base, api_key=api_key).models()]
    if not wanted and len(served) == 1:
        return served[0]
    if not wanted or wanted not in served:
        raise ServerError(
            f"The server at {api_base} does not serve {wanted or 'a single model'!r}; it serves "
            f"{', '.join(map(repr, served)) or 'nothing'}. Choose one with {options}."
        )
    return wanted
