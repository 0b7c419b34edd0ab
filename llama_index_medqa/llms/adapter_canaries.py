"""Computes an adapter's canaries with transformers and peft.

The server's figures are compared with them, so they must not come from it.
"""

import importlib.metadata
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core.prompts import BasePromptTemplate

from llama_index_medqa.errors import InputError, MissingExtraError
from llama_index_medqa.llms.adapter_manifest import (
    AdapterManifest,
    Canary,
    Dtype,
    TrainingRun,
    adapter_settings,
    weights_sha256,
    write_manifest,
)
from llama_index_medqa.prompts import CHAT, GROUNDED_ANSWER, PROMPT_FORMATS, template_hash

if TYPE_CHECKING:
    import torch

_PASSAGE = (
    "[PMID:00000001] Walking and blood pressure: a randomized trial.\n"
    "We asked 96 adults with hypertension to walk for 30 minutes a day or to go on as before. "
    "After 12 weeks, walking had lowered the systolic blood pressure by 6.2 mm Hg (95% CI 3.1 to 9.3)."
)

# Written for this purpose; the papers do not exist. Prompts of the kinds that adapters of this project are trained on.
CANARY_TEXTS: tuple[tuple[str, str], ...] = (
    (
        GROUNDED_ANSWER.format(context_str=_PASSAGE, query_str="Does walking lower blood pressure?"),
        "After 12 weeks, walking had lowered the systolic blood pressure by 6.2 mm Hg [PMID:00000001].",
    ),
    (
        GROUNDED_ANSWER.format(context_str=_PASSAGE, query_str="Do statins cause muscle pain?"),
        "I cannot answer this from the indexed literature.",
    ),
    (
        "Give the abstract of the medical paper with this title.\nWalking and blood pressure: a randomized trial.",
        "BACKGROUND: Physical activity is recommended for adults with hypertension. METHODS: We randomly assigned "
        "96 patients to walking or usual care. RESULTS: Systolic blood pressure fell by 6.2 mm Hg.",
    ),
)


def make_manifest(
    adapter: str | os.PathLike[str],
    base: str,
    *,
    prompt_format: str,
    template: BasePromptTemplate = GROUNDED_ANSWER,
    base_name: str | None = None,
    training: TrainingRun | None = None,
    texts: Sequence[tuple[str, str]] = CANARY_TEXTS,
    dtype: Dtype = "float32",
) -> AdapterManifest:
    """Write an adapter's manifest with its canaries into its folder.

    Args:
        adapter: folder that peft or LLaMA-Factory saved.
        base: folder or hub id of the base model.
        prompt_format: what stands around its prompts: a name in ``prompts.PROMPT_FORMATS``, or ``chat``.
        template: what it was trained to be asked.
        base_name: of the base model where it differs from ``base``, such as the hub id of a local copy.
        training: how it was made; None where that is not known.
        texts: pairs of prompt and answer.
        dtype: in which to compute.

    Raises:
        MissingExtraError: peft is not installed.
        InputError: adapter or base model is missing, they do not fit, or the adapter changes nothing.
    """
    facts = _facts(adapter, template, prompt_format)
    canaries = compute_canaries(adapter, base, prompt_format=prompt_format, texts=texts, dtype=dtype)
    _require_change(adapter, canaries)
    manifest = AdapterManifest(
        base_model=base_name or base,
        **facts,
        dtype=dtype,
        canaries=tuple(canaries),
        training=training,
        versions={name: importlib.metadata.version(name) for name in ("peft", "torch", "transformers")},
    )
    write_manifest(manifest, adapter)
    return manifest


def _facts(adapter: str | os.PathLike[str], template: BasePromptTemplate, prompt_format: str) -> dict[str, Any]:
    """Return what the manifest says without running a model."""
    if prompt_format not in (CHAT, *PROMPT_FORMATS):
        raise InputError(f"There is no prompt format {prompt_format!r}: choose {', '.join((*PROMPT_FORMATS, CHAT))}.")
    if importlib.util.find_spec("peft") is None:
        raise MissingExtraError("The manifest of an adapter", "adapter")
    return {
        "prompt_format": prompt_format,
        "prompt_hash": template_hash(template, prompt_format),
        "lora": adapter_settings(adapter),
        "weights_sha256": weights_sha256(adapter),
    }


def _require_change(adapter: str | os.PathLike[str], canaries: Sequence[Canary]) -> None:
    if all(canary.base_logprobs == canary.adapter_logprobs for canary in canaries):
        raise InputError(
            f"The adapter in {adapter} changes nothing: base model and adapter find every token equally likely. "
            "It was never trained, or its weights were not saved. Train it again."
        )


def compute_canaries(
    adapter: str | os.PathLike[str],
    base: str,
    *,
    prompt_format: str,
    texts: Sequence[tuple[str, str]] = CANARY_TEXTS,
    dtype: Dtype = "float32",
) -> list[Canary]:
    """Compute the log-probabilities of texts by base model and adapter.

    Args:
        adapter: folder that peft saved.
        base: folder or hub id of the base model.
        prompt_format: what stands around prompts.
        texts: pairs of prompt and answer.
        dtype: in which to compute.

    Raises:
        InputError: no base model, or the adapter does not fit it.
    """
    import torch

    tokenizer, model = _load(str(adapter), base, dtype)
    canaries = []
    for prompt, answer in texts:
        text = _rendered(tokenizer, prompt_format, prompt, answer)
        # A chat template has the special tokens in its text.
        token_ids = tuple(tokenizer(text, add_special_tokens=prompt_format != CHAT)["input_ids"])
        ids = torch.tensor([token_ids])
        with torch.inference_mode():
            with_adapter = _logprobs(model(ids).logits, ids)
            with model.disable_adapter():
                without = _logprobs(model(ids).logits, ids)
        canaries.append(
            Canary(prompt=prompt, text=text, token_ids=token_ids, base_logprobs=without, adapter_logprobs=with_adapter)
        )
    return canaries


def _load(adapter: str, base: str, dtype: Dtype) -> tuple[Any, Any]:
    """Load the base's tokenizer, and the base model with the adapter."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not Path(base).is_dir() and (base.startswith((".", "/", "~")) or base.count("/") != 1):
        raise InputError(
            f"{base} is neither a folder nor a hub id such as mistralai/Mistral-7B-v0.1: give one of them."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, dtype))
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"The base model {base} cannot be loaded: {reason} Give its folder.") from error
    try:
        return tokenizer, PeftModel.from_pretrained(model, adapter).eval()
    except RuntimeError as error:
        raise InputError(
            f"The adapter in {adapter} does not fit the base model {base}: its matrices have other shapes. "
            "Give the model that it was trained on."
        ) from error


def _rendered(tokenizer: Any, prompt_format: str, prompt: str, answer: str) -> str:
    if prompt_format != CHAT:
        chosen = PROMPT_FORMATS[prompt_format]
        return f"{chosen.render(prompt)}{chosen.before_answer}{answer}"
    if tokenizer.chat_template is None:
        raise InputError("The base model has no chat template: choose another prompt format, such as 'plain'.")
    turn = [{"role": "user", "content": prompt}]
    return str(tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)) + answer


def _logprobs(logits: "torch.Tensor", ids: "torch.Tensor") -> tuple[float, ...]:
    """Return the log-probability of each token after the first.

    Computed in float32, as vLLM does.

    Args:
        logits: (1, n, vocabulary).
        ids: (1, n).
    """
    table = logits[0, :-1].float().log_softmax(-1)
    # A millionth is below what float32 tells apart here.
    return tuple(min(0.0, round(value, 6)) for value in table.gather(1, ids[0, 1:, None])[:, 0].tolist())
