"""A LoRA adapter on vLLM."""

from typing import Any

from llama_index_medqa.llms.served_adapter import ServedAdapter


class VllmLora(ServedAdapter):
    """A LoRA adapter on vLLM, called by its own name and proved to answer.

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

    def __init__(self, base_model: str, adapter: str | None = None, *, api_base: str, **data: Any) -> None:
        # Type checkers make one of the fields where a subclass has none.
        super().__init__(base_model, adapter, api_base=api_base, **data)

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves this component."""
        return "VllmLora"
