"""Merges an adapter into its base model, checked by its canaries."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from llama_index_medqa.errors import InputError, MedQAError
from llama_index_medqa.llms.adapter_manifest import AdapterManifest, check_adapter
from llama_index_medqa.llms.adapter_proof import BFLOAT16_NOISE, mean_difference

_CONVERTER: Final = "convert_hf_to_gguf.py"


@dataclass(frozen=True, slots=True)
class Merged:
    """A model with an adapter merged into it.

    Attributes:
        folder: where it lies.
        difference: mean absolute difference of its log-probabilities from the adapter's canaries.
    """

    folder: Path
    difference: float


def merge(adapter: Path, base: str, out: Path) -> Merged:
    """Write base model plus adapter in bfloat16, with the tokenizer.

    Args:
        adapter: folder with a manifest.
        base: folder or hub id of its base model.
        out: folder to write; it must not exist.

    Raises:
        InputError: the folder exists, the adapter is not that of its manifest, or the merged model does not find the
            canaries as likely as the adapter did.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if out.exists():
        raise InputError(f"{out} exists. Give a folder that does not.")
    manifest = check_adapter(adapter)
    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"The base model {base} cannot be loaded: {reason} Give its folder with --base.") from error
    merged: Any = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    merged = merged.to(torch.bfloat16)
    difference = _difference(merged, manifest)
    if difference > BFLOAT16_NOISE:
        raise InputError(
            f"The merged model is not the adapter: log-probabilities differ by {difference:.2g}, and "
            f"rounding explains {BFLOAT16_NOISE:g}. Give the base model of its training, {manifest.base_model!r}."
        )
    merged.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return Merged(out, difference)


def _difference(model: Any, manifest: AdapterManifest) -> float:
    import torch

    found: list[float] = []
    stored: list[float] = []
    for canary in manifest.canaries:
        ids = torch.tensor([canary.token_ids])
        with torch.inference_mode():
            table = model(ids).logits[0, :-1].float().log_softmax(-1)
        found += table.gather(1, ids[0, 1:, None])[:, 0].tolist()
        stored += canary.adapter_logprobs
    return mean_difference(found, stored)


def to_gguf(model: Path, out: Path, kind: str) -> None:
    """Write a model folder as GGUF by llama.cpp's own converter.

    Args:
        model: a merged model.
        out: the file.
        kind: the converter's ``--outtype``, such as ``q8_0`` or ``bf16``.

    Raises:
        InputError: the converter is not on the PATH.
        MedQAError: it failed.
    """
    command = gguf_command(model, out, kind)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise MedQAError(f"{_CONVERTER} failed: {last}. The merged model is in {model}.")


def gguf_command(model: Path, out: Path, kind: str) -> Sequence[str]:
    """Return the converter's command line.

    Raises:
        InputError: the converter is not on the PATH.
    """
    program = shutil.which(_CONVERTER)
    if program is None:
        raise InputError(
            f"GGUF is written by llama.cpp's {_CONVERTER}, which is not on the PATH, and no maintained package brings "
            "it. Put llama.cpp's checkout there, or leave --gguf out: vLLM quantises a merged model while it loads "
            "(medqa serve --quantization fp8)."
        )
    return (program, str(model), "--outfile", str(out), "--outtype", kind)
