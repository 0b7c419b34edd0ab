"""A text encoder in ONNX on ONNX Runtime, without torch."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from llama_index_medqa.embeddings.batching import Batch, TextTokenizer
from llama_index_medqa.embeddings.torch_backend import ReadyModel, Vectors
from llama_index_medqa.errors import WeightsError

_FILES = ("onnx/model.onnx", "model.onnx")
_TORCH_WEIGHTS = ("*.safetensors", "*.bin")
_POOLINGS = ("cls", "mean")
_KNOWN_MODULES = {"Transformer", "Pooling", "Normalize"}


def onnx_file(model_name: str) -> Path | None:
    """Return the ONNX file of a model folder in sentence-transformers' layout.

    None where there is none.

    Args:
        model_name: folder of the model, or its id on a hub.
    """
    folder = Path(model_name)
    return next((folder / name for name in _FILES if (folder / name).is_file()), None)


def is_onnx_only(model_name: str) -> bool:
    """Return whether a folder holds ONNX and no weights for torch."""
    has_torch_weights = any(next(Path(model_name).glob(pattern), None) for pattern in _TORCH_WEIGHTS)
    return onnx_file(model_name) is not None and not has_torch_weights


class OnnxModel:
    """A sentence encoder whose transformer is stored as ONNX.

    Its folder has sentence-transformers' layout.

    Args:
        model_name: the folder.

    Raises:
        WeightsError: the folder holds no ONNX file, or more than a transformer with CLS or mean pooling.
    """

    def __init__(self, model_name: str) -> None:
        file = onnx_file(model_name)
        if file is None:
            raise WeightsError(
                f"{model_name!r} is no folder with {' or '.join(_FILES)}. Give one that has it, or leave out "
                "backend='onnx'."
            )
        self._folder = Path(model_name)
        self._content = file.read_bytes()

    @property
    def fingerprint(self) -> str:
        """Return the first 16 hexadecimal digits of the ONNX file's SHA-256."""
        return hashlib.sha256(self._content).hexdigest()[:16]

    def ready(self) -> ReadyModel:
        """Return the model, ready to turn texts into vectors."""
        pooling, most_tokens = self._pooling(), self._most_tokens()
        run = _OnnxRunner(self._content, pooling, str(self._folder))
        tokenizer = self._tokenizer(most_tokens)
        return ReadyModel(run, tokenizer, run.dimension, f"ONNX; pooling {pooling}; {most_tokens} tokens")

    def _pooling(self) -> str:
        modules = self._json("modules.json") or []
        kinds = {str(module["type"]).rpartition(".")[2] for module in modules}
        config = self._json("1_Pooling/config.json") or {"pooling_mode": "mean"}
        chosen = [
            name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
            for name, value in config.items()
            if name.startswith("pooling_mode_") and value is True
        ]
        chosen = chosen or [str(config.get("pooling_mode"))]
        if len(chosen) != 1 or chosen[0] not in _POOLINGS or not kinds <= _KNOWN_MODULES:
            raise WeightsError(
                f"{self._folder} has pooling {', '.join(chosen)} and modules {', '.join(sorted(kinds))}; the backend "
                f"'onnx' knows {' and '.join(_POOLINGS)} pooling, without further layers. Use backend='torch'."
            )
        return str(chosen[0])

    def _most_tokens(self) -> int:
        own = self._json("sentence_bert_config.json") or {}
        return int(own.get("max_seq_length") or self._configuration()["max_position_embeddings"])

    def _tokenizer(self, most_tokens: int) -> TextTokenizer:
        path = self._folder / "tokenizer.json"
        if not path.is_file():
            raise WeightsError(f"{self._folder} holds no tokenizer.json. Give the whole folder of the model.")
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.enable_truncation(most_tokens)
        # What a text is padded with matters to no model: the attention mask hides it.
        tokenizer.enable_padding(pad_id=int(self._configuration().get("pad_token_id") or 0))
        return TextTokenizer(tokenizer)

    def _configuration(self) -> dict[str, Any]:
        found = self._json("config.json")
        if found is None:
            raise WeightsError(f"{self._folder} holds no config.json. Give the whole folder of the model.")
        configuration: dict[str, Any] = found
        return configuration

    def _json(self, name: str) -> Any:
        path = self._folder / name
        return json.loads(path.read_bytes()) if path.is_file() else None


class _OnnxRunner:
    """Runs the texts of a batch unpadded, several at a time.

    Dynamically quantised models scale what they compute by the largest value in the batch: beside other texts a text
    would get another vector, by a cosine of .997 to .9985 in bge-small-en-v1.5. Alone it costs no more.
    """

    def __init__(self, content: bytes, pooling: str, folder: str) -> None:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        # Waiting threads would keep the processors busy.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Texts are shared out among threads, not the parts of one text, which would wait for one another.
        settings.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
        self._inputs = [port.name for port in self._session.get_inputs()]
        self._pooling = pooling
        self._threads = _available_processors()
        shape = self._session.get_outputs()[0].shape
        if len(shape) != 3 or not isinstance(shape[2], int):
            raise WeightsError(
                f"The ONNX file in {folder} gives {shape}, not a vector for each token. Use backend='torch'."
            )
        self.dimension: int = shape[2]

    def __call__(self, batch: Batch) -> Vectors:
        rows = range(len(batch["input_ids"]))
        if len(rows) == 1 or self._threads == 1:
            return np.stack([self._vector(batch, row) for row in rows])
        with ThreadPoolExecutor(self._threads) as pool:
            return np.stack(list(pool.map(lambda row: self._vector(batch, row), rows)))

    def _vector(self, batch: Batch, row: int) -> Vectors:
        kept = batch["attention_mask"][row].astype(bool)
        inputs = {name: batch[name][row][kept][np.newaxis] for name in self._inputs}
        tokens: Vectors = self._session.run(None, inputs)[0][0]
        vector: Vectors = tokens[0] if self._pooling == "cls" else tokens.mean(axis=0)
        return vector


def _available_processors() -> int:
    """Return the number of processors for this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
