"""Where a model runs and in which precision, how texts become batches of tokens, and the model on torch."""

import json
import logging
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from llama_index_medqa.errors import InputError, MissingExtraError, WeightsError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

Precision = Literal["auto", "float32", "bfloat16"]
Backend = Literal["auto", "torch"]
Vectors = NDArray[np.float32]
# What a tokenizer makes of texts: input_ids, attention_mask and so on, each with a list of integers for every text.
Tokens = Mapping[str, list[list[int]]]

# Measured: a CPU is fastest when a batch's activations stay in its caches, a GPU when it has much to do at once.
_TOKENS_PER_BATCH = {"cpu": 2_048, "cuda": 65_536}


@dataclass(frozen=True)
class Execution:
    """How a model is run.

    Attributes:
        backend: ``torch``.
        precision: ``float32`` or ``bfloat16`` (products of matrices in bfloat16, everything else in float32).
        device: torch device, such as ``cpu`` or ``cuda:1``.
        tokens_per_batch: most tokens in a batch, padding included; a longer text is a batch of its own.
    """

    backend: str
    precision: str
    device: str
    tokens_per_batch: int

    def __str__(self) -> str:
        return f"{self.backend}, {self.precision}, {self.device}"


def choose_execution(
    backend: Backend, precision: Precision, device: str | None, tokens_per_batch: int | None, feature: str
) -> Execution:
    """Decides what was left to ``auto``: the fastest way whose vectors are as good as float32's.

    bfloat16 is taken where the processor computes in it; its vectors have a cosine of 0.9999 and more with those of
    float32.

    Args:
        backend: a backend, or ``auto``.
        precision: a precision, or ``auto``.
        device: a torch device; None takes CUDA where there is one, else the CPU.
        tokens_per_batch: most tokens in a batch; None takes what suits the device.
        feature: what is to be run, for the error message.

    Raises:
        MissingExtraError: torch is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtraError(feature, "embeddings") from error

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    kind = torch.device(device).type
    if precision == "auto":
        precision = "bfloat16" if _computes_in_bfloat16(device) else "float32"
    if backend == "auto":
        backend = "torch"
    most = tokens_per_batch or _TOKENS_PER_BATCH.get(kind, _TOKENS_PER_BATCH["cpu"])
    return Execution(backend, precision, device, most)


def _computes_in_bfloat16(device: str) -> bool:
    """Whether the device has instructions for products of bfloat16 matrices, not only an emulation."""
    import torch

    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return kind == "cpu" and bool({"avx512_bf16", "amx_bf16", "bf16"} & _processor_flags())


def _processor_flags() -> set[str]:
    """Instruction sets of this processor, as Linux names them (``bf16`` is Arm's); empty elsewhere."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next(
        (set(line.partition(":")[2].split()) for line in lines if line.startswith(("flags", "Features"))), set()
    )


class Runner(Protocol):
    """Runs a batch of token ids through a model and its pooling."""

    def __call__(self, batch: Mapping[str, NDArray[np.int64]]) -> Vectors:
        """Vectors of shape (texts, dimension), of any length.

        Args:
            batch: ``input_ids``, ``attention_mask`` and what else the tokenizer makes, each of shape (texts, tokens).
        """


class TextEncoder:
    """A sentence-transformers model that turns texts into L2-normalised float32 vectors.

    Texts are tokenized once, sorted by their number of tokens and run in batches of nearly equal lengths, so that
    little is computed for padding; the vectors come back in the order of the texts. One call runs at a time.

    Args:
        model_name: folder of the model, or its id on the Hugging Face hub.
        execution: see :func:`choose_execution`.
        feature: what loads the model, for error messages.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        WeightsError: there is no model of that name.
        InputError: the model does not begin with a transformer over texts.
    """

    def __init__(self, model_name: str, execution: Execution, feature: str) -> None:
        self.model_name = model_name
        self.execution = execution
        self.model = _load_model(model_name, execution.device, feature)
        _require_text_transformer(self.model, model_name, feature)
        self._tokenizer: Any = self.model.tokenizer
        self._run: Runner = _TorchRunner(self.model, execution)
        self._busy = threading.Lock()

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self.model.get_embedding_dimension() or 0

    @property
    def most_tokens(self) -> int:
        """Most tokens of a text that are read, special ones included; the rest is cut off."""
        return int(self.model.max_seq_length or min(self._tokenizer.model_max_length, sys.maxsize))

    @property
    def settings(self) -> str:
        """What else than weights and text decides the vectors: modules, pooling and the longest text."""
        modules = [f"{type(module).__name__} {_settings_of(module)}" for module in self.model]
        return "; ".join([*modules, f"{self.most_tokens} tokens"])

    @property
    def hub_revision(self) -> str:
        """The revision of a model of the Hugging Face hub."""
        first: Any = self.model[0]
        return str(first.auto_model.config._commit_hash)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """The model's inputs for texts, one list for each text, not yet padded.

        Args:
            texts: with their prefixes; those that are too long are cut, and a warning says how many.
        """
        most = self.most_tokens
        with self._busy:
            tokens = self._tokenizer(list(texts), truncation=True, max_length=most, verbose=False)
            full = [text for text, ids in zip(texts, tokens["input_ids"], strict=True) if len(ids) == most]
            whole = self._tokenizer(full, verbose=False)["input_ids"] if full else []
        too_long = sum(len(ids) > most for ids in whole)
        if too_long:
            logger.warning(
                "%d of %d texts are longer than the %d tokens that %s reads; the rest of each is not embedded. "
                "Split them into smaller chunks.",
                too_long, len(texts), most, self.model_name,
            )  # fmt: skip
        return dict(tokens)

    def encode(self, tokens: Tokens, rows: Sequence[int] | None = None) -> Vectors:
        """L2-normalised vectors of shape (texts, dimension), in the order that was asked for.

        Args:
            tokens: of :meth:`tokenize`.
            rows: which of the texts; None takes all.
        """
        rows = range(len(tokens["input_ids"])) if rows is None else rows
        vectors = np.empty((len(rows), self.dimension), dtype=np.float32)
        lengths = [len(tokens["input_ids"][row]) for row in rows]
        with self._busy:
            for places in plan_batches(lengths, self.execution.tokens_per_batch):
                vectors[places] = self._run(self._pad(tokens, [rows[place] for place in places]))
        # As torch.nn.functional.normalize does it: a vector of zeros stays one.
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors

    def _pad(self, tokens: Tokens, rows: Sequence[int]) -> dict[str, NDArray[np.int64]]:
        fillers = {"input_ids": self._tokenizer.pad_token_id, "token_type_ids": self._tokenizer.pad_token_type_id}
        longest = max(len(tokens["input_ids"][row]) for row in rows)
        left = self._tokenizer.padding_side == "left"
        padded = {}
        for name, values in tokens.items():
            array = np.full((len(rows), longest), fillers.get(name, 0), dtype=np.int64)
            for line, row in zip(array, rows, strict=True):
                start = longest - len(values[row]) if left else 0
                line[start : start + len(values[row])] = values[row]
            padded[name] = array
        return padded


def _settings_of(module: Any) -> str:
    return json.dumps(module.get_config_dict(), sort_keys=True, default=str)


def plan_batches(lengths: Sequence[int], most_tokens: int) -> list[list[int]]:
    """Groups texts of like length, so that none of the groups exceeds a number of tokens when padded.

    Args:
        lengths: tokens of each text.
        most_tokens: of a group, padding included. A text that is longer by itself is a group of its own.

    Returns:
        Indices into ``lengths``, the longest texts first, so that a lack of memory shows at once.
    """
    groups: list[list[int]] = []
    most_texts = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if not groups or len(groups[-1]) == most_texts:
            most_texts = max(1, most_tokens // max(1, lengths[index]))
            groups.append([])
        groups[-1].append(index)
    return groups


class _TorchRunner:
    def __init__(self, model: "SentenceTransformer", execution: Execution) -> None:
        self._model = model.eval()
        self._execution = execution

    def __call__(self, batch: Mapping[str, NDArray[np.int64]]) -> Vectors:
        import torch

        kind = torch.device(self._execution.device).type
        bfloat16 = self._execution.precision == "bfloat16"
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16) if bfloat16 else nullcontext():
            features = {name: torch.from_numpy(array).to(self._execution.device) for name, array in batch.items()}
            vectors = self._model(features)["sentence_embedding"]
        result: Vectors = vectors.float().cpu().numpy()
        return result


def _load_model(model_name: str, device: str, feature: str) -> "SentenceTransformer":
    try:
        from sentence_transformers import SentenceTransformer
    except ModuleNotFoundError as error:
        raise MissingExtraError(feature, "embeddings") from error
    try:
        # Weights are kept in float32 whatever they are saved in, so that precision alone decides how they are used.
        return SentenceTransformer(model_name, device=device, model_kwargs={"dtype": "float32"})
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"No embedding model could be loaded from {model_name!r} ({_first_line(error)}). "
            "Give the folder of a sentence-transformers model, or a model id that the Hugging Face hub can deliver."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _require_text_transformer(model: "SentenceTransformer", model_name: str, feature: str) -> None:
    first: Any = model[0]
    plain_texts = set(getattr(first, "modality_config", {"text": None})) == {"text"}
    if not (plain_texts and hasattr(first, "auto_model") and getattr(model.tokenizer, "is_fast", False)):
        raise InputError(
            f"{feature} runs models that begin with a transformer over plain texts and a fast tokenizer; "
            f"{model_name!r} begins with {type(first).__name__}. Use LlamaIndex's HuggingFaceEmbedding for it."
        )
