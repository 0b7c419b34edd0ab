"""A language model behind an OpenAI-compatible server.

Its answers are whole or an error.
"""

import asyncio
import inspect
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import openai
from llama_index.core.base.llms.generic_utils import prompt_to_messages
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
)
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai.utils import to_openai_message_dicts
from llama_index.llms.openai_like import OpenAILike

from llama_index_medqa.errors import InputError, ServerError
from llama_index_medqa.llms.openai_responses import (
    CUT_OFF,
    as_chat,
    as_completion,
    async_chat_stream,
    async_completion_stream,
    chat_as_completion,
    chat_stream,
    completion_stream,
    is_cut_off,
)
from llama_index_medqa.llms.server_errors import server_errors
from llama_index_medqa.llms.unstated_end import UNSTATED, stating_ends
from llama_index_medqa.llms.vllm_api import is_loopback, loopback_tls

_Answer = TypeVar("_Answer", CompletionResponse, ChatResponse)

# What the OpenAI client takes by name; all else that vLLM knows goes into the body as it is.
_KNOWN_COMPLETION = frozenset(inspect.signature(openai.resources.Completions.create).parameters)
_KNOWN_CHAT = frozenset(inspect.signature(openai.resources.chat.Completions.create).parameters)
# LlamaIndex wraps its requests in retries of its own around those of the client, so that 3 would become 12.
_stream_chat_once = inspect.unwrap(OpenAI._stream_chat)
_astream_chat_once = inspect.unwrap(OpenAI._astream_chat)


class ServedLlm(OpenAILike):
    """Sends the requests of :class:`~llama_index_medqa.llms.vllm_lora.VllmLora`.

    An answer that ends before the model ended it, or was allowed to, is an error; so is everything that the OpenAI
    client raises, in words that say what to do.
    """

    stop: list[str] | None = Field(default=None, description="Texts that end an answer; None: the prompt format's.")

    # The loop that the asynchronous client belongs to: its connections die with it.
    _loop: asyncio.AbstractEventLoop | None = PrivateAttr(default=None)

    def complete_many(
        self, prompts: Sequence[str], *, concurrency: int = 32, **kwargs: Any
    ) -> list[CompletionResponse]:
        """Complete several prompts at a time; the server batches them.

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
        """Complete several prompts asynchronously; see :meth:`complete_many`."""
        slots = asyncio.Semaphore(_checked(concurrency))

        async def one(prompt: str) -> CompletionResponse:
            async with slots:
                answer: CompletionResponse = await self.acomplete(prompt, **kwargs)
                return answer

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(prompt)) for prompt in prompts]
        return [task.result() for task in tasks]

    # In place of OpenAILike's and OpenAI's, which leave out the log-probabilities of a chat.

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Complete a prompt.

        ``formatted`` says that the prompt format stands around it already.
        """
        asked = self._formatted(prompt, formatted)
        if self._use_chat_completions(kwargs):
            return chat_as_completion(self._chat(prompt_to_messages(asked), **kwargs))
        return self._complete(asked, **kwargs)

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Complete a prompt asynchronously; see :meth:`complete`."""
        asked = self._formatted(prompt, formatted)
        if self._use_chat_completions(kwargs):
            return chat_as_completion(await self._achat(prompt_to_messages(asked), **kwargs))
        return await self._acomplete(asked, **kwargs)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Complete a prompt as a stream; see :meth:`complete`."""
        asked = self._formatted(prompt, formatted)
        if self._use_chat_completions(kwargs):
            # A generator: events are told of nothing else that streams.
            return (chat_as_completion(part) for part in self._stream_chat(prompt_to_messages(asked), **kwargs))
        return self._stream_complete(asked, **kwargs)

    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """Complete a prompt as an asynchronous stream."""
        asked = self._formatted(prompt, formatted)
        if not self._use_chat_completions(kwargs):
            return await self._astream_complete(asked, **kwargs)
        responses = await self._astream_chat(prompt_to_messages(asked), **kwargs)
        return (chat_as_completion(response) async for response in responses)

    def _formatted(self, prompt: str, formatted: bool) -> str:
        return prompt if formatted or self.completion_to_prompt is None else self.completion_to_prompt(prompt)

    # What these and OpenAI's chats call.

    def _complete(self, prompt: str, **kwargs: Any) -> CompletionResponse:
        settings = self._settings_for_use(kwargs)
        with server_errors(self):
            answer = self._get_client().completions.create(prompt=prompt, stream=False, **settings)
        return self._whole_schema(as_completion(answer, self._address), settings)

    async def _acomplete(self, prompt: str, **kwargs: Any) -> CompletionResponse:
        settings = await self._asettings_for_use(kwargs)
        with server_errors(self):
            answer = await self._get_aclient().completions.create(prompt=prompt, stream=False, **settings)
        return self._whole_schema(as_completion(answer, self._address), settings)

    def _stream_complete(self, prompt: str, **kwargs: Any) -> CompletionResponseGen:
        settings = self._settings_for_use({**kwargs, "stream": True})

        def pieces() -> CompletionResponseGen:
            with server_errors(self):
                yield from completion_stream(
                    self._get_client().completions.create(prompt=prompt, **settings), self._address
                )

        return pieces()

    async def _astream_complete(self, prompt: str, **kwargs: Any) -> CompletionResponseAsyncGen:
        settings = await self._asettings_for_use({**kwargs, "stream": True})

        async def pieces() -> CompletionResponseAsyncGen:
            with server_errors(self):
                chunks = await self._get_aclient().completions.create(prompt=prompt, **settings)
                async for response in async_completion_stream(chunks, self._address):
                    yield response

        return pieces()

    def _chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        settings = self._settings_for_use(kwargs)
        asked: Any = to_openai_message_dicts(messages, model=self.model)
        with server_errors(self):
            answer = self._get_client().chat.completions.create(messages=asked, stream=False, **settings)
        return self._whole_schema(as_chat(answer, self._address), settings)

    async def _achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        settings = await self._asettings_for_use(kwargs)
        asked: Any = to_openai_message_dicts(messages, model=self.model)
        with server_errors(self):
            answer = await self._get_aclient().chat.completions.create(messages=asked, stream=False, **settings)
        return self._whole_schema(as_chat(answer, self._address), settings)

    def _stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        self._before_use()

        def pieces() -> ChatResponseGen:
            with server_errors(self):
                yield from chat_stream(_stream_chat_once(self, messages, **kwargs), self._address)

        return pieces()

    async def _astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        await self._abefore_use()
        responses = await _astream_chat_once(self, messages, **kwargs)

        async def pieces() -> ChatResponseAsyncGen:
            with server_errors(self):
                async for response in async_chat_stream(responses, self._address):
                    yield response

        return pieces()

    def _settings_for_use(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        self._before_use()
        return self._get_model_kwargs(**kwargs)

    def _get_client(self) -> openai.OpenAI:
        return stating_ends(super()._get_client())

    async def _asettings_for_use(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        await self._abefore_use()
        return self._get_model_kwargs(**kwargs)

    def _before_use(self) -> None:
        """Prepare for a request; does nothing here."""

    async def _abefore_use(self) -> None:
        """Prepare for an asynchronous request; does nothing here."""

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
        """Return a response, or raise if its schema was cut off."""
        _mark_cut_off(response, settings.get("max_tokens"))
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
    def _address(self) -> str:
        return str(self.api_base)

    def _get_credential_kwargs(self, is_async: bool = False) -> dict[str, Any]:
        settings: dict[str, Any] = super()._get_credential_kwargs(is_async=is_async)
        if settings["http_client"] is None and is_loopback(self._address):
            kind = openai.DefaultAsyncHttpxClient if is_async else openai.DefaultHttpxClient
            settings["http_client"] = kind(trust_env=False, verify=loopback_tls())
        return settings

    def _get_aclient(self) -> openai.AsyncOpenAI:
        loop = asyncio.get_running_loop()
        if self._loop is not loop and self._async_http_client is None:
            self._aclient = None
        self._loop = loop
        return stating_ends(super()._get_aclient())


def _mark_cut_off(response: CompletionResponse | ChatResponse, most: int | None) -> None:
    """Mark an answer as cut off by its count of tokens.

    For servers that give no reason to finish.
    """
    known = response.additional_kwargs
    if known.get("finish_reason") == UNSTATED and most is not None and known.get("completion_tokens", 0) >= most:
        known["finish_reason"] = CUT_OFF


def _checked(concurrency: int) -> int:
    if concurrency < 1:
        raise InputError(f"concurrency must be at least 1, not {concurrency}.")
    return concurrency
