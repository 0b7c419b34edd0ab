"""Language models behind an OpenAI-compatible server: a LoRA adapter on vLLM, or any other."""

import asyncio
import inspect
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import httpx
import openai
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.llms import LLM
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai.utils import to_openai_message_dicts
from llama_index.llms.openai_like import OpenAILike

from llama_index_medqa.adapter import read_manifest
from llama_index_medqa.adapter_proof import AdapterProof, prove_adapter
from llama_index_medqa.answers import (
    as_chat,
    as_completion,
    async_chat_stream,
    async_completion_stream,
    chat_stream,
    completion_stream,
    garbled,
    is_cut_off,
)
from llama_index_medqa.errors import InputError, ServerError
from llama_index_medqa.prompts import CHAT, GROUNDED_ANSWER, PROMPT_FORMATS, template_hash
from llama_index_medqa.server_api import ServerApi, is_loopback, unreachable

_Answer = TypeVar("_Answer", CompletionResponse, ChatResponse)

_logger = logging.getLogger(__name__)

# Servers on one's own machines need no key, but the protocol wants the header.
_NO_KEY = "none"
# What the OpenAI client takes by name; all else that vLLM knows goes into the body as it is.
_KNOWN_COMPLETION = frozenset(inspect.signature(openai.resources.Completions.create).parameters)
_KNOWN_CHAT = frozenset(inspect.signature(openai.resources.chat.Completions.create).parameters)
# LlamaIndex wraps its requests in retries of its own around those of the client, so that 3 would become 12.
_stream_chat_once = inspect.unwrap(OpenAI._stream_chat)
_astream_chat_once = inspect.unwrap(OpenAI._astream_chat)
# What base model and adapter are compared with where there is no manifest.
_COMPARISON = "Walking lowered the systolic blood pressure by 6.2 mm Hg in adults with hypertension."


class VllmLora(OpenAILike):
    """A LoRA adapter served by vLLM, asked for by its own name, and proved to be the one that answers.

    vLLM answers under two names: the base model's (``--served-model-name``) and each adapter's (``--lora-modules
    NAME=PATH``). A client that asks for the first never touches the adapter, and nothing tells. Here the adapter's
    name is what is asked for, always, and :meth:`verify` runs once before first use.

    An answer that ends at ``max_tokens`` has ``additional_kwargs["finish_reason"] == "length"``; one that ends in any
    other way before the model ended it is an error.

    Args:
        base_model: name under which the server lists the base model.
        adapter: name under which the server lists the adapter; None asks for the base model.
        api_base: address of the server, such as ``http://127.0.0.1:8000/v1``.
        manifest: the adapter's ``adapter_manifest.json``, or the folder that holds it.
        verify_first: whether to run :meth:`verify` before first use.
        is_chat_model: whether to use the chat endpoint; a base model without a chat template has none.
        prompt_format: what stands around prompts at the completion endpoint: a name in ``prompts.PROMPT_FORMATS``.
        prompt_hash: ``prompts.template_hash`` of what will be asked; empty for the grounded answer.
        stop: texts that end an answer; None for those of the prompt format.
        temperature: 0 to 1.
        max_tokens: most tokens of an answer.
        context_window: tokens of prompt and answer together; 0 takes it from the server.
        timeout: seconds to wait for an answer, or for its next piece when streaming.
        max_retries: how often a request is repeated that the server could not take (429, 5xx, no connection).

    Raises:
        InputError: the adapter has the name of the base model, so that the base would answer; an unknown format.
    """

    base_model: str = Field(description="Name under which the server lists the base model.")
    adapter: str | None = Field(default=None, description="Name under which the server lists the adapter.")
    manifest: str | None = Field(default=None, description="The adapter's manifest, or the folder that holds it.")
    verify_first: bool = Field(default=True, description="Whether to verify the adapter once, before first use.")
    prompt_format: str = Field(default="plain", description="What stands around prompts at the completion endpoint.")
    prompt_hash: str = Field(default="", description="template_hash of what will be asked.")
    stop: list[str] | None = Field(default=None, description="Texts that end an answer; None: the prompt format's.")
    # Required in the base class; here it follows from base_model and adapter.
    model: str = Field(default="", description="The name that is asked for: the adapter's, else the base model's.")
    # Kept out of to_dict(), so that no saved payload holds it.
    api_key: str | None = Field(default=None, exclude=True, repr=False, description="Key of the server, if any.")
    default_headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False)
    temperature: float = Field(default=0.0, ge=0.0, le=1.0, description="0 gives the same answer every time.")
    max_tokens: int | None = Field(default=256, gt=0, description="Most tokens of an answer.")
    context_window: int = Field(default=0, ge=0, description="Tokens of prompt and answer; 0: as the server says.")
    should_use_structured_outputs: bool = Field(default=True, description="vLLM constrains answers to a schema.")

    _served_window: int = PrivateAttr(default=0)
    _verified: bool = PrivateAttr(default=False)
    _verifying: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    # The loop that the asynchronous client belongs to: its connections die with it.
    _loop: asyncio.AbstractEventLoop | None = PrivateAttr(default=None)

    def __init__(self, base_model: str, adapter: str | None = None, *, api_base: str, **data: Any) -> None:
        _require_other_name(adapter, base_model)
        # The base class has defaults of its own for these, which would win over the fields'.
        data = {name: type(self).model_fields[name].default for name in ("temperature", "max_tokens")} | data
        chat = data.get("is_chat_model", False)
        prompt_format = CHAT if chat else data.get("prompt_format", "plain")
        if not chat:
            if prompt_format not in PROMPT_FORMATS:
                raise InputError(f"There is no prompt format {prompt_format!r}: choose {', '.join(PROMPT_FORMATS)}.")
            chosen = PROMPT_FORMATS[prompt_format]
            data.setdefault("stop", list(chosen.stop))
            data.setdefault("completion_to_prompt", chosen.render)
            data.setdefault("messages_to_prompt", lambda messages: chosen.render(_joined(messages)))
        data["prompt_format"] = prompt_format
        data["prompt_hash"] = data.get("prompt_hash") or template_hash(GROUNDED_ANSWER, prompt_format)
        data.update(model=adapter or base_model, base_model=base_model, adapter=adapter, api_base=api_base)
        data["api_key"] = data.get("api_key") or _NO_KEY
        super().__init__(**data)

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex saves this component."""
        return "VllmLora"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex asks of a model; the context window is asked of the server once.

        Raises:
            ServerError: nobody answers there, or not in the protocol.
        """
        if not (self.context_window or self._served_window):
            self._served_window = self._ask_window()
        return self._known_metadata()

    def _known_metadata(self) -> LLMMetadata:
        data: LLMMetadata = super().metadata
        data.context_window = self.context_window or self._served_window
        return data

    def to_payload(self) -> dict[str, Any]:
        """What events say of this model; the server is not asked for it."""
        return {"class_name": self.class_name(), **self._known_metadata().model_dump()}

    def _ask_window(self) -> int:
        windows = {card.name: card.context_window for card in self._api().models() if card.context_window}
        # An adapter has its base model's.
        return windows.get(self.base_model) or next(iter(windows.values()), DEFAULT_CONTEXT_WINDOW)

    def with_adapter(self, adapter: str | None, *, manifest: str | None = None) -> Self:
        """The same model with another adapter of the same server; connections are shared.

        Args:
            adapter: name under which the server lists it; None asks for the base model.
            manifest: of that adapter.
        """
        _require_other_name(adapter, self.base_model)
        other = self.model_copy(update={"adapter": adapter, "model": adapter or self.base_model, "manifest": manifest})
        other._verified, other._verifying = False, threading.Lock()
        return other

    def verify(self) -> AdapterProof:
        """Proves that the server answers with the adapter of the manifest; without an adapter, there is nothing to.

        The adapter is listed under its own name; base model, template and tokens are those of training; served base
        model and adapter find the tokens of the manifest's canaries as likely as transformers and peft did. Without a
        manifest, only that the adapter differs from its base model is checked, and the gap is logged.

        Returns:
            What was checked, with the values seen, and what was not.

        Raises:
            AdapterNotActive: a check failed; it names the check, the values and what to do.
            ServerError: the server cannot be asked.
            InputError: the manifest cannot be read.
        """
        if self.adapter is None:
            return AdapterProof((), f"{self.base_model!r} itself is asked for, no adapter")
        proof = prove_adapter(
            self._api(),
            base_model=self.base_model,
            adapter=self.adapter,
            manifest=read_manifest(self.manifest) if self.manifest else None,
            prompt_format=self.prompt_format,
            prompt_hash=self.prompt_hash,
            comparison=_COMPARISON,
        )
        if proof.gap:
            _logger.warning("%s on %s: %s", self.adapter, self.api_base, proof.gap)
        self._verified = True
        return proof

    def room_for(self, asked: str | Sequence[ChatMessage]) -> int:
        """The tokens of the context window that a prompt and its answer leave free; negative where it is too long.

        Args:
            asked: the formatted prompt for the completion endpoint, or the messages for the chat endpoint.

        Raises:
            ServerError: the server counts no tokens; vLLM does.
        """
        prompt: str | list[dict[str, str]]
        if isinstance(asked, str):
            prompt = asked
        else:
            prompt = [{"role": str(message.role.value), "content": message.content or ""} for message in asked]
        used = len(self._api().token_ids(self.model, prompt))
        return self.metadata.context_window - (self.max_tokens or 0) - used

    def complete_many(
        self, prompts: Sequence[str], *, concurrency: int = 32, **kwargs: Any
    ) -> list[CompletionResponse]:
        """Completes several prompts at a time; the server batches them.

        Args:
            prompts: in any number.
            concurrency: most requests at a time.
            kwargs: as for ``complete``.

        Returns:
            The answers in the order of the prompts.

        Raises:
            ServerError: the first failure; prompts that were not sent by then are not sent.
        """
        with ThreadPoolExecutor(max_workers=_checked(concurrency)) as pool:
            futures = [pool.submit(self.complete, prompt, **kwargs) for prompt in prompts]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    async def acomplete_many(
        self, prompts: Sequence[str], *, concurrency: int = 32, **kwargs: Any
    ) -> list[CompletionResponse]:
        """As :meth:`complete_many`, asynchronously."""
        slots = asyncio.Semaphore(_checked(concurrency))

        async def one(prompt: str) -> CompletionResponse:
            async with slots:
                return await self.acomplete(prompt, **kwargs)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(prompt)) for prompt in prompts]
        return [task.result() for task in tasks]

    # What follows is what OpenAI's public methods call; they emit LlamaIndex's events.

    def _complete(self, prompt: str, **kwargs: Any) -> CompletionResponse:
        settings = self._settings_for_use(kwargs)
        with server_errors(self):
            answer = self._get_client().completions.create(prompt=prompt, stream=False, **settings)
        return self._whole_schema(as_completion(answer, self._place), settings)

    async def _acomplete(self, prompt: str, **kwargs: Any) -> CompletionResponse:
        settings = await self._asettings_for_use(kwargs)
        with server_errors(self):
            answer = await self._get_aclient().completions.create(prompt=prompt, stream=False, **settings)
        return self._whole_schema(as_completion(answer, self._place), settings)

    def _stream_complete(self, prompt: str, **kwargs: Any) -> CompletionResponseGen:
        settings = self._settings_for_use({**kwargs, "stream": True})

        def pieces() -> CompletionResponseGen:
            with server_errors(self):
                yield from completion_stream(
                    self._get_client().completions.create(prompt=prompt, **settings), self._place
                )

        return pieces()

    async def _astream_complete(self, prompt: str, **kwargs: Any) -> CompletionResponseAsyncGen:
        settings = await self._asettings_for_use({**kwargs, "stream": True})

        async def pieces() -> CompletionResponseAsyncGen:
            with server_errors(self):
                chunks = await self._get_aclient().completions.create(prompt=prompt, **settings)
                async for response in async_completion_stream(chunks, self._place):
                    yield response

        return pieces()

    def _chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        settings = self._settings_for_use(kwargs)
        asked: Any = to_openai_message_dicts(messages, model=self.model)
        with server_errors(self):
            answer = self._get_client().chat.completions.create(messages=asked, stream=False, **settings)
        return self._whole_schema(as_chat(answer, self._place), settings)

    async def _achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        settings = await self._asettings_for_use(kwargs)
        asked: Any = to_openai_message_dicts(messages, model=self.model)
        with server_errors(self):
            answer = await self._get_aclient().chat.completions.create(messages=asked, stream=False, **settings)
        return self._whole_schema(as_chat(answer, self._place), settings)

    def _stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        self._before_use()

        def pieces() -> ChatResponseGen:
            with server_errors(self):
                yield from chat_stream(_stream_chat_once(self, messages, **kwargs), self._place)

        return pieces()

    async def _astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        await self._abefore_use()
        responses = await _astream_chat_once(self, messages, **kwargs)

        async def pieces() -> ChatResponseAsyncGen:
            with server_errors(self):
                async for response in async_chat_stream(responses, self._place):
                    yield response

        return pieces()

    def _settings_for_use(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        self._before_use()
        return self._get_model_kwargs(**kwargs)

    async def _asettings_for_use(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        await self._abefore_use()
        return self._get_model_kwargs(**kwargs)

    def _before_use(self) -> None:
        if self._verified or not self.verify_first or self.adapter is None:
            return
        with self._verifying:
            if not self._verified:
                self.verify()

    async def _abefore_use(self) -> None:
        if not self._verified and self.verify_first and self.adapter is not None:
            await asyncio.to_thread(self._before_use)

    def _get_model_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        settings = {**super()._get_model_kwargs(**kwargs)}
        if "max_tokens" in kwargs:
            # The base class lets the field win over what is asked for here.
            settings["max_tokens"] = kwargs["max_tokens"]
        if self.stop:
            settings.setdefault("stop", self.stop)
        if settings.get("stream"):
            settings.setdefault("stream_options", {"include_usage": True})
        names = _KNOWN_CHAT if self.is_chat_model else _KNOWN_COMPLETION
        known = {name: value for name, value in settings.items() if name in names}
        more = {name: value for name, value in settings.items() if name not in known}
        return {**known, "extra_body": {**(known.get("extra_body") or {}), **more}} if more else known

    def _whole_schema(self, response: _Answer, settings: dict[str, Any]) -> _Answer:
        """The response, where it is not the cut beginning of an answer that was to fit a schema."""
        schema = settings.get("response_format") or (settings.get("extra_body") or {}).get("response_format")
        if schema and is_cut_off(response):
            raise ServerError(
                f"The answer of {self.model!r} was to fit a schema and reached {settings.get('max_tokens')} tokens "
                "before it was whole. Raise max_tokens, or ask for less."
            )
        return response

    def _use_chat_completions(self, kwargs: dict[str, Any]) -> bool:
        # The base class asks the metadata, for which the server would be asked.
        return bool(kwargs.get("use_chat_completions", self.is_chat_model))

    @property
    def _place(self) -> str:
        return str(self.api_base)

    def _api(self) -> ServerApi:
        key = None if self.api_key == _NO_KEY else self.api_key
        return ServerApi(self._place, api_key=key, headers=self.default_headers, client=self._http_client)

    def _get_credential_kwargs(self, is_async: bool = False) -> dict[str, Any]:
        settings: dict[str, Any] = super()._get_credential_kwargs(is_async=is_async)
        if settings["http_client"] is None and is_loopback(self._place):
            kind = openai.DefaultAsyncHttpxClient if is_async else openai.DefaultHttpxClient
            settings["http_client"] = kind(trust_env=False)
        return settings

    def _get_aclient(self) -> openai.AsyncOpenAI:
        loop = asyncio.get_running_loop()
        if self._loop is not loop and self._async_http_client is None:
            self._aclient = None
        self._loop = loop
        client: openai.AsyncOpenAI = super()._get_aclient()
        return client


def _require_other_name(adapter: str | None, base_model: str) -> None:
    if adapter == base_model:
        raise InputError(
            f"The adapter has the name of the base model, {base_model!r}, so the base model would answer. "
            "Give the adapter's own name, the NAME of vLLM's --lora-modules NAME=PATH."
        )


def _joined(messages: Sequence[ChatMessage]) -> str:
    """A conversation as one prompt, for a model that has no chat template."""
    return "\n\n".join(message.content or "" for message in messages)


def _checked(concurrency: int) -> int:
    if concurrency < 1:
        raise InputError(f"concurrency must be at least 1, not {concurrency}.")
    return concurrency


@contextmanager
def server_errors(llm: LLM) -> Iterator[None]:
    """Turns what the OpenAI client raises about a server into a :class:`ServerError` that says what to do."""
    place = server_place(llm)
    try:
        yield
    except openai.APITimeoutError as error:
        raise ServerError(
            f"The language-model server at {place} gave no answer in time. Raise the timeout, or ask for fewer tokens."
        ) from error
    except openai.APIConnectionError as error:
        raise ServerError(unreachable(place, error.__cause__ or error)) from error
    except openai.APIStatusError as error:
        raise ServerError(_refusal(llm, place, error)) from error
    except (openai.APIError, httpx.TransportError) as error:
        raise ServerError(
            f"The language-model server at {place} broke off its answer ({error or type(error).__name__}). "
            "See whether it still runs, and ask again."
        ) from error
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
    if isinstance(llm, VllmLora):
        # Without its metadata, for which the server would be asked.
        return str(llm.model)
    return llm.metadata.model_name
