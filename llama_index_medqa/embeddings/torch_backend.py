"""A sentence-transformers model, loaded only if its files do not tell enough."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from llama_index_medqa.embeddings.batching import Batch, TextTokenizer
from llama_index_medqa.errors import InputError, MissingExtraError, WeightsError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_WEIGHTS = {".bin", ".safetensors"}
# Weights of other programs, which nothing here reads.
_OTHER_WEIGHTS = {".gguf", ".h5", ".msgpack", ".onnx", ".ot"}

Vectors = NDArray[np.float32]


class Runner(Protocol):
    """Runs a batch of token ids through model and pooling."""

    def __call__(self, batch: Batch) -> Vectors:
        """Return vectors (texts, dimension), not normalised.

        Args:
            batch: at least the inputs that the model has.
        """


class ReadyModel(NamedTuple):
    """A model that is ready to turn texts into vectors.

    Attributes:
        run: the model with its pooling.
        tokenizer: makes its batches.
        dimension: length of the vectors.
        settings: what else than weights and text decides the vectors: modules, pooling and the longest text.
    """

    run: Runner
    tokenizer: TextTokenizer
    dimension: int
    settings: str


class LazyModel:
    """A sentence-transformers model that is loaded when needed.

    Its files are read first.

    Loading takes seconds, most of them for importing torch and sentence-transformers.

    Args:
        model_name: folder of the model, or its id on the Hugging Face hub.
        device: torch device.
        feature: what loads the model, for error messages.
    """

    def __init__(self, model_name: str, device: str, feature: str) -> None:
        self.model_name = model_name
        self.device = device
        self._feature = feature
        self._folder = Path(model_name) if Path(model_name).is_dir() else None

    @cached_property
    def model(self) -> "SentenceTransformer":
        """Return the model in float32.

        Raises:
            MissingExtraError: sentence-transformers is not installed.
            WeightsError: there is no model of that name.
            InputError: it does not begin with a transformer over texts.
        """
        model = _load(self.model_name, self.device, self._feature)
        first: Any = model[0]
        plain_texts = set(getattr(first, "modality_config", {"text": None})) == {"text"}
        if not (plain_texts and hasattr(first, "auto_model") and getattr(model.tokenizer, "is_fast", False)):
            raise InputError(
                f"{self._feature} runs models that begin with a transformer over plain texts and a fast tokenizer; "
                f"{self.model_name!r} begins with {type(first).__name__}. Use LlamaIndex's HuggingFaceEmbedding for it."
            )
        return model.eval()

    @cached_property
    def fingerprint(self) -> str:
        """Return the hash of a folder's weights, or the revision of a hub model.

        The model's name where the hub states no revision.
        """
        if self._folder:
            return _hash_of(_files(self._folder, lambda path: path.suffix in _WEIGHTS))
        # Loading brings a model's newest revision into the hub's cache.
        _ = self.model
        return _cached_revision(self.model_name)

    @cached_property
    def configuration(self) -> str:
        """Return the other settings that decide the vectors.

        The hashes of a folder's other files, or a hub model's settings.
        """
        if self._folder:
            files = _files(self._folder, lambda path: path.suffix not in _WEIGHTS | _OTHER_WEIGHTS)
            return "; ".join(f"{path.relative_to(self._folder).as_posix()} {_hash_of([path])}" for path in files)
        return self.settings

    @cached_property
    def tokenizer(self) -> TextTokenizer:
        """Return the model's own tokenizer."""
        tokenizer: Any = self.model.tokenizer
        most_tokens = int(self.model.max_seq_length or min(tokenizer.model_max_length, sys.maxsize))
        return TextTokenizer.of(tokenizer, most_tokens)

    @property
    def inputs(self) -> list[str]:
        """Return the names of the model's inputs."""
        tokenizer: Any = self.model.tokenizer
        return list(tokenizer.model_input_names)

    @property
    def dimension(self) -> int:
        """Return the length of the vectors."""
        return self.model.get_embedding_dimension() or 0

    @cached_property
    def settings(self) -> str:
        """Return the settings; see :class:`ReadyModel`."""
        modules = [f"{type(module).__name__} {_settings_of(module)}" for module in self.model]
        return "; ".join([*modules, f"{self.tokenizer.most_tokens} tokens"])

    def on_torch(self, precision: str) -> ReadyModel:
        """Return the model run by torch in ``float32`` or ``bfloat16``."""
        run = _TorchRunner(self.model, self.inputs, self.device, precision)
        return ReadyModel(run, self.tokenizer, self.dimension, self.settings)


class _TorchRunner:
    def __init__(self, model: "SentenceTransformer", inputs: list[str], device: str, precision: str) -> None:
        self.model = model
        self._inputs = inputs
        self._device = device
        self._precision = precision

    def __call__(self, batch: Batch) -> Vectors:
        import torch

        kind = torch.device(self._device).type
        bfloat16 = self._precision == "bfloat16"
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16) if bfloat16 else nullcontext():
            features = {name: torch.from_numpy(batch[name]).to(self._device) for name in self._inputs if name in batch}
            vectors = self.model(features)["sentence_embedding"]
        result: Vectors = vectors.float().cpu().numpy()
        return result


def _load(model_name: str, device: str, feature: str) -> "SentenceTransformer":
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


def _cached_revision(model_name: str) -> str:
    """Return a model's cached hub revision, or its name without one."""
    from huggingface_hub import try_to_load_from_cache

    # Where sentence-transformers keeps models; None is the hub's own cache.
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
    found = [try_to_load_from_cache(model_name, name, cache_dir=cache) for name in ("modules.json", "config.json")]
    return next((Path(path).parent.name for path in found if isinstance(path, str)), model_name)


def _settings_of(module: Any) -> str:
    return json.dumps(module.get_config_dict(), sort_keys=True, default=str)


def _files(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and wanted(path))


def _hash_of(files: Iterable[Path]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of several files."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()[:16]
