"""Proof that a server answers with a LoRA adapter, by its model list and the canaries."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePath

from llama_index_medqa.errors import AdapterNotActive
from llama_index_medqa.llms.adapter_manifest import AdapterManifest, Canary
from llama_index_medqa.llms.vllm_api import ModelCard, ServerApi
from llama_index_medqa.prompts import CHAT

# Mean absolute differences of log-probabilities between vLLM and transformers with peft; measured on the CPU, see
# benchmarks/results/vllm_serving.json. llama.cpp, which rounds activations to 8 bits, stays below the second on
# SmolLM2's Q4_1 weights; tests/integration/test_llama_cpp_adapter.py shows it.
FLOAT32_NOISE = 1e-4
BFLOAT16_NOISE = 0.08
# How much of the adapter's effect must be seen, where 1 is all of it and 0 is the base model.
_LEAST_SHARE, _MOST_SHARE = 0.8, 1.2

# Of names such as "smollm2-135m-instruct-q4_1.gguf" and "smollm2-135m-instruct-bf16-0.1.2".
_PRECISION_OR_VERSION = re.compile(
    r"\.gguf$|[-._](?:i?q\d+(?:_\w+)?|bf16|f16|fp16|f32)(?=[-.]|$)|-\d+\.\d+\.\d+$", re.IGNORECASE
)

_GAP = (
    "Without a manifest nothing tells whose adapter answers, of which base model, or with which prompt it was trained. "
    "Give manifest=, and make one with: medqa adapter manifest"
)


@dataclass(frozen=True, slots=True)
class Check:
    """A check that the server passed.

    Attributes:
        name: ``served names``, ``base model``, ``prompt``, ``tokens``, ``base weights`` or ``adapter weights``.
        detail: the values that were seen.
    """

    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class AdapterProof:
    """The checks that were passed, and what they leave open.

    Attributes:
        checks: in the order in which they were made.
        gap: what could not be checked; empty where everything was.
    """

    checks: tuple[Check, ...]
    gap: str = ""


def prove_adapter(
    api: ServerApi,
    *,
    base_model: str,
    adapter: str,
    manifest: AdapterManifest | None,
    prompt_format: str,
    prompt_hash: str,
    comparison: str,
) -> AdapterProof:
    """Check that a server answers with an adapter.

    Args:
        api: the server.
        base_model: name under which it lists the base model.
        adapter: name under which it lists the adapter.
        manifest: of the adapter that is expected; without one, only that the adapter differs from its base is checked.
        prompt_format: of the client.
        prompt_hash: of the client's template and format.
        comparison: a text to compare base model and adapter with where there is no manifest.

    Raises:
        AdapterNotActive: a check failed; it names the check, the values and what to do.
        ServerError: the server cannot be asked.
    """
    base_card = _base_card(api, base_model, adapter)
    checks = [Check("served names", f"{adapter!r} is listed as an adapter of {base_model!r}")]
    if manifest is None:
        checks.append(_differs(api, base_model, adapter, comparison))
        return AdapterProof(tuple(checks), _GAP)
    checks.append(_check_base(base_card, manifest))
    checks.append(_check_prompt(manifest, prompt_format, prompt_hash))
    checks.extend(_check_canaries(api, base_model, adapter, manifest))
    return AdapterProof(tuple(checks))


def _base_card(api: ServerApi, base_model: str, adapter: str) -> ModelCard:
    """Return the base model's card after checking both names."""
    cards = api.models()
    by_name = {card.name: card for card in cards}
    shown = ", ".join(f"{card.name!r}" + (f" (adapter of {card.parent!r})" if card.parent else "") for card in cards)
    bases = [card for card in cards if card.parent is None]
    if adapter in {card.name for card in bases}:
        raise AdapterNotActive(
            "served names",
            f"{adapter!r} is the served name of a base model, so that would answer; the server lists {shown}",
            f"Give the adapter's own name; where it has none, {api.how_to_load('NAME')}",
        )
    if adapter not in by_name:
        raise AdapterNotActive(
            "served names",
            f"the server lists no adapter {adapter!r}, only {shown or 'nothing'}",
            f"To have it, {api.how_to_load(adapter)}; or ask for one that is there",
        )
    if by_name[adapter].parent != base_model:
        raise AdapterNotActive(
            "served names",
            f"{adapter!r} is listed as an adapter of {by_name[adapter].parent!r}, not of {base_model!r}",
            f"Give base_model={by_name[adapter].parent!r}",
        )
    return by_name.get(base_model, ModelCard(base_model))


def _check_base(card: ModelCard, manifest: AdapterManifest) -> Check:
    if not same_model(card.root or "", manifest.base_model):
        raise AdapterNotActive(
            "base model",
            f"the server loaded its base model from {card.root!r}, and the adapter was trained on "
            f"{manifest.base_model!r}",
            "Serve that model, or give the manifest of the adapter that belongs to this one",
        )
    root = str(card.root)
    # A proof is kept in results, which are handed on: folders of one machine say nothing there.
    shown = PurePath(root).name if PurePath(root).is_absolute() else root
    return Check("base model", f"{shown!r} is the adapter's {manifest.base_model!r}")


def same_model(one: str, other: str) -> bool:
    """Return whether two names or paths can mean the same model.

    A path matches a hub id, and a path on another machine, by its last part; a folder of the hub's cache by the
    hub id in it; a GGUF file by its name without precision and version. Their weights are compared by the canaries.
    """
    return bool(one) and _short_name(one) == _short_name(other)


def _short_name(name: str) -> str:
    parts = PurePath(name).parts
    cached = next((part for part in reversed(parts) if part.startswith("models--")), None)
    return _PRECISION_OR_VERSION.sub("", cached.rpartition("--")[2] if cached else parts[-1]).lower()


def _check_prompt(manifest: AdapterManifest, prompt_format: str, prompt_hash: str) -> Check:
    seen = (prompt_format, prompt_hash)
    expected = (manifest.prompt_format, manifest.prompt_hash)
    if seen != expected:
        raise AdapterNotActive(
            "prompt",
            f"the adapter was trained with the prompt format and template hash {expected}, and would be asked with "
            f"{seen}",
            f"Give prompt_format={expected[0]!r} and the template that it was trained with (prompt_hash=), or train "
            "it with this one",
        )
    return Check("prompt", f"format {prompt_format!r}, template {prompt_hash}")


def _check_canaries(api: ServerApi, base_model: str, adapter: str, manifest: AdapterManifest) -> Iterator[Check]:
    chat = manifest.prompt_format == CHAT
    if chat:
        _check_chat_template(api, base_model, manifest.canaries)
    base = _served(api, base_model, manifest.canaries, chat=chat)
    yield Check("tokens", f"{len(manifest.canaries)} canaries have the same tokens as in training")
    # A server may tell of the last tokens only.
    last = [(canary, len(values)) for canary, values in zip(manifest.canaries, base, strict=True)]
    stored_base = [value for canary, count in last for value in canary.base_logprobs[-count:]]
    stored = [value for canary, count in last for value in canary.adapter_logprobs[-count:]]
    flat_base = list(chain.from_iterable(base))
    noise = mean_difference(flat_base, stored_base)
    if noise > BFLOAT16_NOISE:
        raise AdapterNotActive(
            "base weights",
            f"the served base model {base_model!r} finds the canaries' tokens likelier or less likely than the "
            f"adapter's base model did: by {noise:.2g} on average, and rounding explains {BFLOAT16_NOISE:g}",
            f"Serve {manifest.base_model!r} itself, not quantised further and not tuned",
        )
    yield Check("base weights", f"log-probabilities of {len(flat_base)} tokens differ by {noise:.1e} on average")
    served = list(chain.from_iterable(_served(api, adapter, manifest.canaries, chat=chat)))
    yield _check_effect(served, flat_base, stored, stored_base, adapter, noise)


def _check_effect(
    served: list[float], base: list[float], stored: list[float], stored_base: list[float], adapter: str, noise: float
) -> Check:
    """Check the effect of the served adapter against the manifest."""
    allowed = FLOAT32_NOISE if noise <= FLOAT32_NOISE else BFLOAT16_NOISE
    difference = mean_difference(served, stored)
    share = effect_share(served, base, stored, stored_base)
    seen = (
        f"log-probabilities of {adapter!r} differ from the manifest's by {difference:.1e} on average (rounding: at "
        f"most {allowed:g}), and {share:.0%} of the adapter's effect is seen"
    )
    if difference <= allowed and _LEAST_SHARE <= share <= _MOST_SHARE:
        return Check("adapter weights", seen)
    if mean_difference(served, base) <= min(noise, allowed):
        raise AdapterNotActive(
            "adapter weights",
            f"{adapter!r} answers like the base model: {seen}",
            "Its weights are zero or the server did not apply them: serve the adapter of the manifest, and look at the "
            "server's log for modules that it left out",
        )
    raise AdapterNotActive(
        "adapter weights",
        f"{adapter!r} is not the adapter of the manifest: {seen}",
        "Serve the adapter that the manifest belongs to, or give the manifest of the one that is served",
    )


def _check_chat_template(api: ServerApi, model: str, canaries: Sequence[Canary]) -> None:
    for canary in canaries:
        rendered = api.token_ids(model, [{"role": "user", "content": canary.prompt}])
        if canary.token_ids[: len(rendered)] != rendered:
            raise AdapterNotActive(
                "tokens",
                f"the server's chat template turns a prompt into {len(rendered)} tokens other than those of training",
                "Serve the model with the chat template that it was trained with",
            )


def _served(api: ServerApi, model: str, canaries: Sequence[Canary], *, chat: bool) -> list[tuple[float, ...]]:
    """Return the served log-probabilities of each canary."""
    values: list[tuple[float, ...]] = []
    for canary in canaries:
        scored = api.score(model, canary.text, add_special_tokens=not chat)
        if (scored.count, scored.token_ids) != (len(canary.token_ids), canary.token_ids[1:]):
            raise AdapterNotActive(
                "tokens",
                f"the server cuts a canary into {scored.count} tokens, and in training it had {len(canary.token_ids)}, "
                "or the same number of others",
                "Serve the model with the tokenizer that it was trained with; look at the begin-of-text token first",
            )
        values.append(scored.logprobs)
    return values


def _differs(api: ServerApi, base_model: str, adapter: str, text: str) -> Check:
    base = api.score(base_model, text).logprobs
    again = api.score(base_model, text).logprobs
    served = api.score(adapter, text).logprobs
    noise, difference = mean_difference(again, base), mean_difference(served, base)
    seen = f"log-probabilities of {adapter!r} and {base_model!r} differ by {difference:.1e} on average"
    if difference <= max(FLOAT32_NOISE, 2 * noise):
        raise AdapterNotActive(
            "adapter weights",
            seen,
            "The adapter's weights are zero or the server did not apply them: look at its log for modules that it left "
            "out",
        )
    return Check("adapter weights", seen)


def mean_difference(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the mean absolute difference of two sequences of one length."""
    return math.fsum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def effect_share(
    served: Sequence[float], base: Sequence[float], stored: Sequence[float], stored_base: Sequence[float]
) -> float:
    """Return the slope of the served effects on the stored ones.

    Through zero: how much of the adapter's effect is seen.

    1 when the adapter is applied, 0 when the base model answers. Rounding cancels out over many tokens.
    """
    seen = [a - b for a, b in zip(served, base, strict=True)]
    expected = [a - b for a, b in zip(stored, stored_base, strict=True)]
    product = math.fsum(a * b for a, b in zip(seen, expected, strict=True))
    return product / math.fsum(value * value for value in expected)
