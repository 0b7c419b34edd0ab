"""Requests to a llama.cpp server other than answers: models, tokens, probabilities, adapters."""

from pathlib import PurePath
from typing import Any

from llama_index_medqa.errors import ServerError
from llama_index_medqa.llms.vllm_api import ModelCard, ScoredText, ServerApi

# Tokens at the end of a text that are scored, each by a request of its own. Those are tokens of the answer, on which
# an adapter has the most effect.
LAST_TOKENS = 16

# Makes the sampler take one token. Log-probabilities are those before it.
_CERTAIN = 1e4
_SECONDS = 300.0


class LlamaCppApi(ServerApi):
    """Queries a llama.cpp server (``llama-server``, or xllamacpp's).

    The server gives no log-probabilities of prompts. So each of the last tokens of a text is asked for as the next
    token of what stands before it.

    Args:
        api_base: address of the server, such as ``http://127.0.0.1:8080/v1``.
        last_tokens: how many tokens of a text to score, from its end.
        more: the other arguments of :class:`~llama_index_medqa.llms.vllm_api.ServerApi`.
    """

    def __init__(self, api_base: str, *, last_tokens: int = LAST_TOKENS, **more: Any) -> None:
        super().__init__(api_base, **more)
        self._last_tokens = last_tokens

    @staticmethod
    def how_to_load(adapter: str) -> str:
        """Return what to do so that the server has an adapter, for messages."""
        return f"start llama.cpp's server with --lora {adapter}.gguf"

    def models(self) -> list[ModelCard]:
        """Return the base model and the adapters that were loaded with it.

        An adapter's name is that of its file, without ``.gguf``.

        Raises:
            ServerError: nobody answers there, or it is no llama.cpp server.
        """
        base = super().models()[0].name
        properties = self._ask("GET", f"{self._root}/props", "its properties")
        try:
            root, window = str(properties["model_path"]), int(properties["default_generation_settings"]["n_ctx"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._stranger("its properties") from error
        return [
            ModelCard(base, root, context_window=window),
            *(ModelCard(name, parent=base, context_window=window) for name in self.adapter_ids()),
        ]

    def adapter_ids(self) -> dict[str, int]:
        """Return the server's number of each adapter, by its name."""
        adapters = self._ask("GET", f"{self._root}/lora-adapters", "its adapters")
        try:
            return {PurePath(adapter["path"]).stem: int(adapter["id"]) for adapter in adapters}
        except (KeyError, TypeError, ValueError) as error:
            raise self._stranger("its list of adapters") from error

    def version(self) -> str:
        """Return the build of llama.cpp."""
        properties = self._ask("GET", f"{self._root}/props", "its properties")
        return str(properties.get("build_info", "unknown")) if isinstance(properties, dict) else "unknown"

    def token_ids(self, model: str, prompt: str | list[dict[str, str]]) -> tuple[int, ...]:
        """Return the token ids of a prompt; see the base class."""
        if isinstance(prompt, str):
            return self._tokens(prompt, add_special_tokens=True)
        what = "a prompt in its chat template"
        data = self._ask("POST", f"{self._root}/apply-template", what, {"messages": prompt})
        if not isinstance(data, dict) or "prompt" not in data:
            raise self._stranger(what)
        return self._tokens(str(data["prompt"]), add_special_tokens=False)

    def score(self, model: str, text: str, *, add_special_tokens: bool = True) -> ScoredText:
        """Return the log-probabilities of the last tokens of a text.

        Args:
            model: name of the base model, or of an adapter.
            text: at least two tokens long.
            add_special_tokens: whether to put the begin-of-text token before it, where the model has one.
        """
        ids = self._tokens(text, add_special_tokens=add_special_tokens)
        lora = lora_scales(self.adapter_ids(), model)
        first = max(1, len(ids) - self._last_tokens)
        # Only the first request reads the prompt anew. What the server kept of it may be another adapter's.
        values = tuple(
            self._next_token(ids[:end], ids[end], lora, cached=end > first) for end in range(first, len(ids))
        )
        return ScoredText(len(ids), ids[1:], values)

    def _tokens(self, text: str, *, add_special_tokens: bool) -> tuple[int, ...]:
        body = {"content": text, "add_special": add_special_tokens, "parse_special": True}
        data = self._ask("POST", f"{self._root}/tokenize", "the tokens of a prompt", body)
        try:
            return tuple(map(int, data["tokens"]))
        except (KeyError, TypeError, ValueError) as error:
            raise self._stranger("its tokens") from error

    def _next_token(
        self, before: tuple[int, ...], token_id: int, lora: list[dict[str, float]], *, cached: bool
    ) -> float:
        body = {
            "prompt": list(before),
            "n_predict": 1,
            "n_probs": 1,
            "post_sampling_probs": False,
            "temperature": 0,
            "logit_bias": [[token_id, _CERTAIN]],
            "cache_prompt": cached,
            "lora": lora,
        }
        data = self._ask("POST", f"{self._root}/completion", "log-probabilities", body, _SECONDS)
        try:
            (written,) = data["completion_probabilities"]
            found, value = int(written["id"]), float(written["logprob"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._stranger("its log-probabilities") from error
        if found != token_id:
            raise ServerError(
                f"The server at {self.api_base} gives log-probabilities of other tokens than it is asked for, so what "
                "it serves cannot be proved. Use the version of xllamacpp that this package was tested with."
            )
        return value


def lora_scales(adapter_ids: dict[str, int], name: str) -> list[dict[str, float]]:
    """Return the ``lora`` field of a request: one adapter on, the others off.

    Args:
        adapter_ids: the server's number of each adapter.
        name: of an adapter; any other name turns all off, so that the base model answers.
    """
    return [{"id": number, "scale": float(other == name)} for other, number in adapter_ids.items()]
