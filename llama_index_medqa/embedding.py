"""Embeddings by sentence-transformers, with the role of a text (query or passage) kept apart."""

import asyncio
import hashlib
import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from llama_index.core.bridge.pydantic import Field, PrivateAttr

from llama_index_medqa.errors import InputError, MissingExtraError, WeightsError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

_READ_SIZE = 1 << 20


class TransformerEmbedding(BaseEmbedding):
    """Embeds texts with a sentence-transformers model; vectors are float32 and L2-normalised.

    Queries and passages go through different methods (``get_query_embedding``, ``get_text_embedding``) and get
    different prefixes, so the two roles cannot be mixed up. Pooling comes from the model's own configuration
    (mean pooling where it has none).

    The model is loaded when the first text is embedded.

    Args:
        model_name: folder of the model, or its id on the Hugging Face hub.
        query_prefix: put before every query.
        passage_prefix: put before every passage.
        device: torch device; None takes CUDA where there is one, else the CPU.
        embed_batch_size: passages in one batch.

    Raises:
        InputError: ``embeddings_cache`` is given. LlamaIndex's cache knows the text alone, and would hand the
            vector of a passage to a query with the same words.
        WeightsError: on first use, when there is no model of that name.
        MissingExtraError: on first use, when sentence-transformers is not installed.
    """

    model_name: str = Field(description="Folder of the model, or its id on the Hugging Face hub.")
    query_prefix: str = Field(default="", description="Put before every query.")
    passage_prefix: str = Field(default="", description="Put before every passage.")
    device: str | None = Field(default=None, description="Torch device; None takes CUDA where there is one.")
    embed_batch_size: int = Field(default=32, gt=0, le=2048, description="Passages in one batch.")

    _model: Any = PrivateAttr(default=None)
    _fingerprint: str | None = PrivateAttr(default=None)
    _loading: Any = PrivateAttr(default_factory=threading.Lock)

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        if self.embeddings_cache is not None:
            raise InputError(
                f"{self.class_name()} cannot use embeddings_cache: its key is the text alone, so a query could be "
                "given a passage's vector. Leave it out; PubMedIndex embeds an unchanged record only once."
            )

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex saves this component."""
        return "TransformerEmbedding"

    @property
    def dimension(self) -> int:
        """Length of the vectors. Loads the model."""
        return self._load().get_embedding_dimension() or 0

    def identity(self) -> dict[str, str | int]:
        """What decides the vectors, for :class:`PubMedIndex` to compare on opening. Loads the model.

        The weights are named by their hash (a hub model by its revision), never by where they lie.
        """
        return {
            "embedder": Path(self.model_name).name,
            "weights": self._weights_fingerprint(),
            "dimension": self.dimension,
            "query_prefix": self.query_prefix,
            "passage_prefix": self.passage_prefix,
        }

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._encode([query], self.query_prefix)[0]

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._encode([text], self.passage_prefix)[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return self._encode(texts, self.passage_prefix)

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)

    def _encode(self, texts: list[str], prefix: str) -> list[Embedding]:
        model = self._load()
        prefixed = [prefix + text for text in texts]
        self._report_truncation(prefixed)
        vectors = model.encode(
            prefixed,
            batch_size=self.embed_batch_size,
            # The prefix is already there; an empty prompt keeps the model's own default prompt out.
            prompt="",
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        embeddings: list[Embedding] = vectors.tolist()
        return embeddings

    def _report_truncation(self, texts: list[str]) -> None:
        model = self._load()
        limit = model.max_seq_length or sys.maxsize
        # A token has at least one character, so only a text of more characters than that can be too long.
        suspects = [text for text in texts if len(text) > limit]
        if not suspects:
            return
        too_long = sum(len(ids) > limit for ids in model.tokenizer(suspects, verbose=False)["input_ids"])
        if too_long:
            logger.warning(
                "%d of %d texts are longer than the %d tokens that %s reads; the rest of each is not embedded. "
                "Split them into smaller chunks.",
                too_long, len(texts), limit, self.model_name,
            )  # fmt: skip

    def _load(self) -> "SentenceTransformer":
        with self._loading:
            if self._model is None:
                self._model = _load_model(self.model_name, self.device, self.class_name())
        model: SentenceTransformer = self._model
        return model

    def _weights_fingerprint(self) -> str:
        if self._fingerprint is None:
            folder = Path(self.model_name)
            self._fingerprint = _hash_of_weights(folder) if folder.is_dir() else _hub_revision(self._load())
        return self._fingerprint


class E5Embedding(TransformerEmbedding):
    """Embeddings of the E5 family, with its prefixes ``query:`` and ``passage:`` fixed.

    E5 models were trained with these prefixes (Wang et al. 2022, arXiv 2212.03533, section 4) and lose accuracy
    without them.

    Args:
        model_name: folder of the model, or its id on the Hugging Face hub.
    """

    model_name: str = Field(default="intfloat/e5-large-unsupervised", description="Folder or hub id of an E5 model.")
    query_prefix: str = Field(default="query: ", frozen=True, description="Fixed by E5's training.")
    passage_prefix: str = Field(default="passage: ", frozen=True, description="Fixed by E5's training.")

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        prefixes = (self.query_prefix, self.passage_prefix)
        if prefixes != ("query: ", "passage: "):
            raise InputError(
                f"E5Embedding has the fixed prefixes 'query: ' and 'passage: ', got {prefixes[0]!r} and "
                f"{prefixes[1]!r}. Use TransformerEmbedding for other prefixes."
            )

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex saves this component."""
        return "E5Embedding"


def _load_model(model_name: str, device: str | None, feature: str) -> "SentenceTransformer":
    try:
        from sentence_transformers import SentenceTransformer
    except ModuleNotFoundError as error:
        raise MissingExtraError(feature, "embeddings") from error
    try:
        return SentenceTransformer(model_name, device=device)
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"No embedding model could be loaded from {model_name!r} ({_first_line(error)}). "
            "Give the folder of a sentence-transformers model, or a model id that the Hugging Face hub can deliver."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _hub_revision(model: "SentenceTransformer") -> str:
    transformer: Any = model[0]
    return str(transformer.auto_model.config._commit_hash)


def _hash_of_weights(folder: Path) -> str:
    """16 hexadecimal digits of the SHA-256 of all weight files of a model folder, in the order of their names."""
    digest = hashlib.sha256()
    files = sorted([*folder.rglob("*.safetensors"), *folder.rglob("*.bin")])
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(_READ_SIZE):
                digest.update(block)
    return digest.hexdigest()[:16]
