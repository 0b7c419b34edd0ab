"""A LoRA adapter behind a server, proved to be the one that answers."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any, Self

from llama_index.core.base.llms.types import ChatMessage, LLMMetadata
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW

from llama_index_medqa.errors import InputError
from llama_index_medqa.llms.adapter_manifest import read_manifest
from llama_index_medqa.llms.adapter_proof import AdapterProof, prove_adapter
from llama_index_medqa.llms.openai_compatible import ServedLlm
from llama_index_medqa.llms.vllm_api import ServerApi
from llama_index_medqa.prompts import CHAT, GROUNDED_ANSWER, PROMPT_FORMATS, template_hash
from llama_index_medqa.redaction import keep_address_secret, keep_secret, logger_of, redacted

_logger = logger_of(__name__)

# Servers on one's own machines need no key, but the protocol wants the header.
_NO_KEY = "none"
# What base model and adapter are compared with where there is no manifest.
_COMPARISON = "Walking lowered the systolic blood pressure by 6.2 mm Hg in adults with hypertension."


class ServedAdapter(ServedLlm):
    """A LoRA adapter on a server, called by its own name and proved to answer.

    What :class:`~llama_index_medqa.llms.vllm_lora.VllmLora` and
    :class:`~llama_index_medqa.llms.llama_cpp_lora.LlamaCppLora` share; the second's docstring says what differs.

    Raises:
        InputError: the adapter has the name of the base model, so that the base would answer; an unknown format.
    """

    base_model: str = Field(description="Name under which the server lists the base model.")
    adapter: str | None = Field(default=None, description="Name under which the server lists the adapter.")
    manifest: str | None = Field(default=None, description="The adapter's manifest, or the folder that holds it.")
    verify_first: bool = Field(default=True, description="Whether to verify the adapter once, before first use.")
    prompt_format: str = Field(default="plain", description="What stands around prompts at the completion endpoint.")
    prompt_hash: str = Field(default="", description="template_hash of what will be asked.")
    # Required in the base class; here it follows from base_model and adapter.
    model: str = Field(default="", description="The name that is asked for: the adapter's, else the base model's.")
    # Kept out of to_dict(), so that no saved payload holds it.
    api_key: str | None = Field(default=None, exclude=True, repr=False, description="Key of the server, if any.")
    default_headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False)
    temperature: float = Field(default=0.0, ge=0.0, le=1.0, description="0 gives the same answer every time.")
    max_tokens: int | None = Field(default=256, gt=0, description="Most tokens of an answer.")
    context_window: int = Field(default=0, ge=0, description="Tokens of prompt and answer; 0: as the server says.")
    should_use_structured_outputs: bool = Field(default=True, description="The server constrains answers to a schema.")

    _served_window: int = PrivateAttr(default=0)
    _verified: bool = PrivateAttr(default=False)
    _verifying: threading.Lock = PrivateAttr(default_factory=threading.Lock)

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
        keep_secret(data["api_key"], *(data.get("default_headers") or {}).values())
        keep_address_secret(api_base)
        super().__init__(**data)

    @property
    def metadata(self) -> LLMMetadata:
        """Return what LlamaIndex needs to know of the model.

        The server is asked for the context window once.

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
        """Return the fields for events, without asking the server."""
        return {"class_name": self.class_name(), **self._known_metadata().model_dump()}

    def _ask_window(self) -> int:
        windows = {card.name: card.context_window for card in self._api().models() if card.context_window}
        # An adapter has its base model's.
        return windows.get(self.base_model) or next(iter(windows.values()), DEFAULT_CONTEXT_WINDOW)

    def with_adapter(self, adapter: str | None, *, manifest: str | None = None) -> Self:
        """Return the model with another adapter of the same server.

        Connections are shared.

        Args:
            adapter: name under which the server lists it; None asks for the base model.
            manifest: of that adapter.
        """
        _require_other_name(adapter, self.base_model)
        other = self.model_copy(update={"adapter": adapter, "model": adapter or self.base_model, "manifest": manifest})
        other._verified, other._verifying = False, threading.Lock()
        return other

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return a copy that shares the connections."""
        other = self.model_copy()
        other._verifying = threading.Lock()
        return other

    def verify(self) -> AdapterProof:
        """Prove that the server answers with the manifest's adapter.

        Without an adapter there is nothing to prove.

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
            _logger.warning("%s on %s: %s", self.adapter, redacted(self._address), proof.gap)
        self._verified = True
        return proof

    def room_for(self, asked: str | Sequence[ChatMessage]) -> int:
        """Return the free tokens beside a prompt and its answer.

        Negative where both exceed the context window.

        Args:
            asked: the formatted prompt for the completion endpoint, or the messages for the chat endpoint.

        Raises:
            ServerError: the server counts no tokens; vLLM and llama.cpp do.
        """
        prompt: str | list[dict[str, str]]
        if isinstance(asked, str):
            prompt = asked
        else:
            prompt = [{"role": str(message.role.value), "content": message.content or ""} for message in asked]
        used = len(self._api().token_ids(self.model, prompt))
        return self.metadata.context_window - (self.max_tokens or 0) - used

    def _before_use(self) -> None:
        if self._verified or not self.verify_first or self.adapter is None:
            return
        with self._verifying:
            if not self._verified:
                self.verify()

    async def _abefore_use(self) -> None:
        if not self._verified and self.verify_first and self.adapter is not None:
            await asyncio.to_thread(self._before_use)

    def _api(self) -> ServerApi:
        return ServerApi(self._address, **self._access())

    def _access(self) -> dict[str, Any]:
        key = None if self.api_key == _NO_KEY else self.api_key
        return {"api_key": key, "headers": self.default_headers, "client": self._http_client}


def _require_other_name(adapter: str | None, base_model: str) -> None:
    if adapter == base_model:
        raise InputError(
            f"The adapter has the name of the base model, {base_model!r}, so the base model would answer. "
            "Give the adapter's own name: of vLLM's --lora-modules NAME=PATH, or of the file on llama.cpp's server."
        )


def _joined(messages: Sequence[ChatMessage]) -> str:
    """Join a conversation to one prompt, for models without a chat template."""
    return "\n\n".join(message.content or "" for message in messages)
