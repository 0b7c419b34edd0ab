"""A LoRA adapter on llama.cpp."""

from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr

from llama_index_medqa.errors import AdapterNotActive
from llama_index_medqa.llms.llama_cpp_api import LlamaCppApi, lora_scales
from llama_index_medqa.llms.served_adapter import ServedAdapter


class LlamaCppLora(ServedAdapter):
    """A LoRA adapter on a llama.cpp server, turned on in each request and proved to answer.

    llama.cpp ignores the name of the model in a request: it applies the adapters that it was started with, at the
    scales that it was started with, or none. Here every request says which adapter it wants.

    Args:
        base_model: name under which the server lists the base model (``--alias``).
        adapter: file name of the adapter without ``.gguf``; None asks for the base model.
        api_base: address of the server, such as ``http://127.0.0.1:8080/v1``.
        more: as for :class:`~llama_index_medqa.llms.vllm_lora.VllmLora`.

    Raises:
        InputError: the adapter has the name of the base model, so that the base would answer; an unknown format.
    """

    _adapter_ids: dict[str, int] | None = PrivateAttr(default=None)

    def __init__(self, base_model: str, adapter: str | None = None, *, api_base: str, **data: Any) -> None:
        # Type checkers make one of the fields where a subclass has none.
        super().__init__(base_model, adapter, api_base=api_base, **data)

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves this component."""
        return "LlamaCppLora"

    def _get_model_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        return super()._get_model_kwargs(**{"lora": lora_scales(self._known_adapters(), self.model), **kwargs})

    def _known_adapters(self) -> dict[str, int]:
        """Return the server's number of each adapter.

        Raises:
            AdapterNotActive: the one to ask is not among them.
        """
        if self._adapter_ids is None:
            self._adapter_ids = self._api().adapter_ids()
        if self.adapter is not None and self.adapter not in self._adapter_ids:
            shown = ", ".join(map(repr, self._adapter_ids)) or "no adapter"
            raise AdapterNotActive(
                "served names",
                f"the server was started with {shown}, not with {self.adapter!r}",
                LlamaCppApi.how_to_load(self.adapter).capitalize(),
            )
        return self._adapter_ids

    def _api(self) -> LlamaCppApi:
        return LlamaCppApi(self._address, **self._access())
