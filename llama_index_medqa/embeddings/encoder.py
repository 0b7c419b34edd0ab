"""Encodes texts in batches, with the backend and precision for the machine."""

import importlib.metadata
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from llama_index_medqa.embeddings.batching import Tokens, plan_batches
from llama_index_medqa.embeddings.onnx_backend import OnnxModel, is_onnx_only
from llama_index_medqa.embeddings.openvino_backend import on_openvino
from llama_index_medqa.embeddings.torch_backend import LazyModel, ReadyModel, Vectors
from llama_index_medqa.errors import InputError, MissingExtraError, WeightsError
from llama_index_medqa.redaction import logger_of

logger = logger_of(__name__)

Precision = Literal["auto", "float32", "bfloat16", "int8"]
Backend = Literal["auto", "torch", "openvino", "onnx"]

# A CPU is fastest when a batch's activations stay in its caches (all-MiniLM-L6-v2 takes a sixth longer with 4,096
# tokens than with 1,024), a GPU when it has much to do at once.
_TOKENS_PER_BATCH = {"cpu": 2_048, "cuda": 65_536}


@dataclass(frozen=True)
class Execution:
    """Backend, precision and device that a model runs with.

    Attributes:
        backend: ``torch``, ``openvino`` or ``onnx``.
        precision: of the products of matrices: ``float32``, ``bfloat16`` or ``int8``; ``as stored`` with ``onnx``.
        device: torch device, such as ``cpu`` or ``cuda:1``.
        tokens_per_batch: most tokens in a batch, padding included; a longer text is a batch of its own.
        automatic: whether the backend was left to ``auto``, so that another may take its place.
    """

    backend: str
    precision: str
    device: str
    tokens_per_batch: int
    automatic: bool = False

    def __str__(self) -> str:
        return f"{self.backend}, {self.precision}, {self.device}"


def choose_execution(
    backend: Backend,
    precision: Precision,
    device: str | None,
    tokens_per_batch: int | None,
    feature: str,
    *,
    model_name: str = "",
) -> Execution:
    """Resolve ``auto`` to the fastest execution of float32 quality.

    That is bfloat16 where the processor computes in it, on OpenVINO where that is installed and the processor is a
    CPU; else float32 on torch. int8 changes the vectors and is never chosen. A folder that holds its model as ONNX
    alone is run by ONNX Runtime, in the precision that it was stored in.

    Args:
        backend: a backend, or ``auto``.
        precision: a precision, or ``auto``.
        device: a torch device; None takes CUDA where there is one, else the CPU.
        tokens_per_batch: most tokens in a batch; None takes what suits the device.
        feature: what is to be run, for error messages.
        model_name: folder of the model, or its id on the Hugging Face hub.

    Raises:
        MissingExtraError: torch is not installed.
        InputError: the backend has no such precision, or does not run on the device.
    """
    if backend == "onnx" or is_onnx_only(model_name):
        return _onnx_execution(backend, precision, device, tokens_per_batch, feature)
    if find_spec("torch") is None:
        raise MissingExtraError(feature, "embeddings")
    return _torch_or_openvino(backend, precision, device, tokens_per_batch, feature)


def _torch_or_openvino(
    backend: Backend, precision: Precision, device: str | None, tokens_per_batch: int | None, feature: str
) -> Execution:
    needs_cpu = backend == "openvino" or precision == "int8"
    device = device or ("cpu" if needs_cpu or not _has_cuda() else "cuda")
    kind = _kind(device)
    if needs_cpu and (backend == "torch" or kind != "cpu"):
        raise InputError(
            f"{feature} has no backend={backend!r} with precision={precision!r} on {device!r}: int8 is OpenVINO's, and "
            "OpenVINO runs on the CPU here. Leave out backend and device, or choose another precision."
        )
    chosen: str = precision
    if precision == "auto":
        chosen = "bfloat16" if computes_in_bfloat16(device) else "float32"
    on_openvino = needs_cpu or (
        backend == "auto" and kind == "cpu" and chosen == "bfloat16" and find_spec("openvino") is not None
    )
    most = tokens_per_batch or _TOKENS_PER_BATCH.get(kind, _TOKENS_PER_BATCH["cpu"])
    return Execution("openvino" if on_openvino else "torch", chosen, device, most, automatic=backend == "auto")


def _onnx_execution(
    backend: Backend, precision: Precision, device: str | None, tokens_per_batch: int | None, feature: str
) -> Execution:
    if backend not in ("auto", "onnx") or precision != "auto" or _kind(device or "cpu") != "cpu":
        raise InputError(
            f"{feature} has no backend={backend!r} with precision={precision!r} on {device!r} for a model that is "
            "stored as ONNX: ONNX Runtime runs it on the CPU, in the precision that it was stored in. Leave out "
            "backend, precision and device, or give the model with torch's weights."
        )
    return Execution("onnx", "as stored", "cpu", tokens_per_batch or _TOKENS_PER_BATCH["cpu"])


def _kind(device: str) -> str:
    return device.partition(":")[0]


def _has_cuda() -> bool:
    # A build of torch for processors only need not be imported, which takes seconds.
    if importlib.metadata.version("torch").endswith("+cpu"):
        return False
    import torch

    return torch.cuda.is_available()


def computes_in_bfloat16(device: str) -> bool:
    """Return whether a device multiplies bfloat16 matrices in hardware."""
    if _kind(device) == "cuda":
        import torch

        return torch.cuda.get_device_capability(device) >= (8, 0)
    return _kind(device) == "cpu" and bool({"avx512_bf16", "amx_bf16", "bf16"} & _processor_flags())


def _processor_flags() -> set[str]:
    """Return the instruction sets that Linux lists; empty elsewhere.

    ``bf16`` is Arm's name.
    """
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next(
        (set(line.partition(":")[2].split()) for line in lines if line.startswith(("flags", "Features"))), set()
    )


class TextEncoder:
    """Encodes texts as L2-normalised float32 vectors.

    Texts are tokenized once, sorted by their number of tokens and run in batches of nearly equal lengths, so that
    little is computed for padding; the vectors come back in the order of the texts. One call runs at a time.

    Args:
        model_name: folder of the model, or its id on the Hugging Face hub.
        execution: see :func:`choose_execution`.
        feature: what loads the model, for error messages.

    Attributes:
        model_name: as given.
        execution: how the model is run; another than was given where ``auto`` had to take another.
        fingerprint: of the weights.

    Raises:
        MissingExtraError: sentence-transformers is not installed, or the OpenVINO that was asked for.
        WeightsError: there is no model of that name.
        InputError: the model does not begin with a transformer over texts.
    """

    def __init__(self, model_name: str, execution: Execution, feature: str) -> None:
        self.model_name = model_name
        self.execution = execution
        self._busy = threading.Lock()
        self.fingerprint: str
        if execution.backend == "onnx":
            stored = OnnxModel(model_name)
            self._ready, self.fingerprint = stored.ready(), stored.fingerprint
        else:
            model = LazyModel(model_name, execution.device, feature)
            self._ready = self._make_ready(model, feature)
            self.fingerprint = model.fingerprint

    @property
    def dimension(self) -> int:
        """Return the length of the vectors."""
        return self._ready.dimension

    @property
    def settings(self) -> str:
        """Return the settings that decide the vectors beside weights and text.

        Modules, pooling and the longest text.
        """
        return self._ready.settings

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Return the unpadded tokens of each text.

        Args:
            texts: with their prefixes; those that are too long are cut, and a warning says how many.
        """
        tokens, cut = self._ready.tokenizer.tokenize(texts)
        if cut:
            logger.warning(
                "%d of %d texts are longer than the %d tokens that %s reads; the rest of each is not embedded. "
                "Split them into smaller chunks.",
                cut, len(texts), self._ready.tokenizer.most_tokens, self.model_name,
            )  # fmt: skip
        return tokens

    def encode(self, tokens: Tokens, rows: Sequence[int] | None = None) -> Vectors:
        """Return normalised vectors (texts, dimension) in the order of ``rows``.

        Args:
            tokens: of :meth:`tokenize`.
            rows: which of the texts; None takes all.
        """
        rows = range(len(tokens["input_ids"])) if rows is None else rows
        vectors = np.empty((len(rows), self.dimension), dtype=np.float32)
        lengths = [len(tokens["input_ids"][row]) for row in rows]
        with self._busy:
            for positions in plan_batches(lengths, self.execution.tokens_per_batch):
                batch = self._ready.tokenizer.pad(tokens, [rows[number] for number in positions])
                vectors[positions] = self._ready.run(batch)
        # As torch.nn.functional.normalize does it: a vector of zeros stays one.
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors

    def _make_ready(self, model: LazyModel, feature: str) -> ReadyModel:
        if self.execution.backend == "openvino":
            try:
                return on_openvino(model, self.execution.precision, feature)
            except WeightsError as error:
                if not self.execution.automatic or self.execution.precision == "int8":
                    raise
                logger.warning("%s: %s That is done now.", self.model_name, error)
                self.execution = replace(self.execution, backend="torch")
        return model.on_torch(self.execution.precision)
