"""Writes a trained encoder as packaged: int8 ONNX, tokenizer, card."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.verifier.encoder import LABELS

_NAMES = ("input_ids", "attention_mask", "token_type_ids")


def export(model: Any, tokenizer: Path, card: Mapping[str, Any], out: Path) -> Path:
    """Return the folder with ``model.onnx``, ``tokenizer.json`` and ``card.json``.

    Weights are rounded to int8 channel by channel, those of the embeddings too; activations are rounded as they come.

    Args:
        model: a ``BertForSequenceClassification``.
        tokenizer: its ``tokenizer.json``.
        card: what is said of the model; the hash of the file is added.
        out: the folder.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    out.mkdir(parents=True, exist_ok=True)
    whole = out / "float.onnx"
    to_onnx(model, whole)
    quantize_dynamic(whole, out / "model.onnx", per_channel=True, weight_type=QuantType.QInt8)
    whole.unlink()
    shutil.copyfile(tokenizer, out / "tokenizer.json")
    write_card(out, card)
    return out


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write the model's card with the hash of its file."""
    sha256 = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    full_card = {**card, "labels": list(LABELS), "sha256": sha256}
    (folder / "card.json").write_text(json.dumps(full_card, indent=2) + "\n", encoding="utf-8")


def to_onnx(model: Any, file: Path) -> None:
    """Write a model as float32 ONNX, for batches and texts of any length."""
    import torch

    model.eval()
    example = tuple(torch.ones((2, 8), dtype=torch.long) for _ in _NAMES)
    torch.onnx.export(
        _Logits(model),
        example,
        str(file),
        input_names=list(_NAMES),
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in _NAMES} | {"logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


def _Logits(model: Any) -> Any:  # noqa: N802  # makes a module
    import torch

    class Logits(torch.nn.Module):
        """Returns the model's logits alone."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).logits

    return Logits()
