"""Embeddings by sentence-transformers, for queries and for passages."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from llama_index.core.bridge.pydantic import Field, PrivateAttr

from llama_index_medqa.embeddings.cache import EmbeddingCache, cache_key
from llama_index_medqa.embeddings.encoder import Backend, Execution, Precision, TextEncoder, choose_execution
from llama_index_medqa.embeddings.torch_backend import Vectors
from llama_index_medqa.errors import InputError
from llama_index_medqa.redaction import logger_of

logger = logger_of(__name__)

_BGE_INSTRUCTION = "Represent this sentence for searching relevant passages: "


class TransformerEmbedding(BaseEmbedding):
    """Embeds texts as L2-normalised float32 vectors.

    Queries and passages go through different methods (``get_query_embedding``, ``get_text_embedding``) and get
    different prefixes, so the two roles cannot be mixed up. Pooling comes from the model's own configuration
    (mean pooling where it has none).

    The model is loaded when the first text is embedded.

    Args:
        model_name: folder of the model, or its id on the Hugging Face hub.
        query_prefix: put before every query.
        passage_prefix: put before every passage.
        device: torch device; None takes CUDA where there is one, else the CPU.
        backend: what runs the model: ``torch``; ``openvino`` on a CPU (converted on first use); or ``onnx``, which is
            ONNX Runtime on a CPU, for folders with ``onnx/model.onnx``: it needs neither torch nor
            sentence-transformers. ``auto`` takes ``onnx`` for a folder without torch's weights; else OpenVINO where it
            is installed and computes in bfloat16; else torch.
        precision: ``auto`` takes bfloat16 where the device computes in it, else float32. Vectors of the two have
            a cosine of 0.9999 and more, so an index may be built with one and asked with the other. ``int8``
            (OpenVINO's) is faster still, and its vectors differ: an index that was built with it can only be asked
            with it.
        tokens_per_batch: most tokens that go through the model at once; None takes what suits the device.
        embed_batch_size: passages that are sorted by length and stored in the cache together.
        cache_dir: folder of vectors that were computed before, in which a passage is looked up by the hash of its
            text, its prefix and the model. Queries are never stored. None keeps no vectors.

    Raises:
        InputError: ``embeddings_cache`` is given. LlamaIndex's cache knows the text alone, and would hand the
            vector of a passage to a query with the same words.
        WeightsError: on first use, when there is no model of that name.
        MissingExtraError: on first use, when sentence-transformers, or the OpenVINO that was asked for, is not
            installed.
        EmbeddingCacheError: on first use, when the cache is damaged or cannot be written.
    """

    model_name: str = Field(description="Folder of the model, or its id on the Hugging Face hub.")
    query_prefix: str = Field(default="", description="Put before every query.")
    passage_prefix: str = Field(default="", description="Put before every passage.")
    device: str | None = Field(default=None, description="Torch device; None takes CUDA where there is one.")
    backend: Backend = Field(default="auto", description="What runs the model.")
    precision: Precision = Field(default="auto", description="Precision of the products of matrices.")
    tokens_per_batch: int | None = Field(default=None, gt=0, description="Most tokens in a batch, padding included.")
    embed_batch_size: int = Field(default=2048, gt=0, le=2048, description="Passages sorted and cached together.")
    cache_dir: str | None = Field(default=None, description="Folder of vectors that were computed before.")

    _encoder: TextEncoder | None = PrivateAttr(default=None)
    _loading: Any = PrivateAttr(default_factory=threading.Lock)

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        if self.embeddings_cache is not None:
            raise InputError(
                f"{self.class_name()} cannot use embeddings_cache: its key is the text alone, so a query could be "
                "given a passage's vector. Give cache_dir=FOLDER, whose keys know the role."
            )

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves this component."""
        return "TransformerEmbedding"

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> "TransformerEmbedding":
        """Return a copy that shares the loaded model."""
        copied = self.model_copy()
        copied._loading = threading.Lock()
        return copied

    @property
    def dimension(self) -> int:
        """Return the length of the vectors; loads the model."""
        return self._load().dimension

    @property
    def execution(self) -> Execution:
        """Return the backend, precision and device in use, ``auto`` resolved; loads the model."""
        return self._load().execution

    def identity(self) -> dict[str, str | int]:
        """Return what decides the vectors, and load the model.

        :class:`PubMedIndex` compares it on opening.

        The weights are named by their hash (a hub model by its revision), never by where they lie. float32 and
        bfloat16 are not told apart, because their vectors are interchangeable; int8 is named.
        """
        encoder = self._load()
        identity: dict[str, str | int] = {
            "embedder": Path(self.model_name).name,
            "weights": encoder.fingerprint,
            "dimension": encoder.dimension,
            "query_prefix": self.query_prefix,
            "passage_prefix": self.passage_prefix,
        }
        if encoder.execution.precision == "int8":
            identity["precision"] = "int8"
        return identity

    def describe(self) -> str:
        """Describe model and execution in a line; loads the model."""
        return f"{Path(self.model_name).name} ({self.dimension} dimensions) on {self.execution}"

    def _get_query_embedding(self, query: str) -> Embedding:
        encoder = self._load()
        embedding: Embedding = encoder.encode(encoder.tokenize([self.query_prefix + query]))[0].tolist()
        return embedding

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        embeddings: list[Embedding] = self._encode_passages(texts).tolist()
        return embeddings

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)

    def _encode_passages(self, texts: Sequence[str]) -> Vectors:
        encoder = self._load()
        tokens = encoder.tokenize([self.passage_prefix + text for text in texts])
        if self.cache_dir is None:
            return encoder.encode(tokens)
        cache = EmbeddingCache(Path(self.cache_dir).expanduser())
        keys = [self._cache_key(ids, encoder) for ids in tokens["input_ids"]]
        vectors = cache.get(keys)
        missing = {key: row for row, key in enumerate(keys) if key not in vectors}
        if missing:
            new = dict(zip(missing, encoder.encode(tokens, list(missing.values())), strict=True))
            cache.put(new)
            vectors.update(new)
        return np.stack([vectors[key] for key in keys])

    def _cache_key(self, ids: Sequence[int], encoder: TextEncoder) -> bytes:
        """Return the cache key of a text by its token ids.

        Token ids stand for the text as the model reads it: after the tokenizer's rules, and cut off.
        """
        model = (encoder.fingerprint, encoder.settings, encoder.execution.precision)
        return cache_key("passage", self.passage_prefix, *model, np.array(ids, dtype="<i4").tobytes())

    def _load(self) -> TextEncoder:
        with self._loading:
            if self._encoder is None:
                feature = self.class_name()
                execution = choose_execution(
                    self.backend,
                    self.precision,
                    self.device,
                    self.tokens_per_batch,
                    feature,
                    model_name=self.model_name,
                )
                self._encoder = TextEncoder(self.model_name, execution, feature)
                logger.info("%s embeds on %s.", Path(self.model_name).name, self._encoder.execution)
        return self._encoder


class E5Embedding(TransformerEmbedding):
    """Embeds with a model of the E5 family and its fixed prefixes.

    Queries begin with ``query:``, passages with ``passage:``.

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
        """Return the name under which LlamaIndex saves this component."""
        return "E5Embedding"


class BgeEmbedding(TransformerEmbedding):
    """Embeds with an English BGE model (version 1.5).

    Queries have its fixed instruction.

    BGE models were trained with an instruction before queries and with nothing before passages (Xiao et al. 2023,
    arXiv 2309.07597); the instruction is that of the model's card. The vector is that of the first token (CLS pooling),
    which the model's own configuration says.

    Args:
        model_name: folder of the model, or its id on the Hugging Face hub.
    """

    model_name: str = Field(default="BAAI/bge-small-en-v1.5", description="Folder or hub id of an English BGE model.")
    query_prefix: str = Field(default=_BGE_INSTRUCTION, frozen=True, description="Fixed by BGE's training.")
    passage_prefix: str = Field(default="", frozen=True, description="Fixed by BGE's training.")

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        if (self.query_prefix, self.passage_prefix) != (_BGE_INSTRUCTION, ""):
            raise InputError(
                f"BgeEmbedding has the fixed prefixes {_BGE_INSTRUCTION!r} and '', got {self.query_prefix!r} and "
                f"{self.passage_prefix!r}. Use TransformerEmbedding for other prefixes."
            )

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves this component."""
        return "BgeEmbedding"
