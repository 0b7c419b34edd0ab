"""Vectors of sentences, each computed once while it is in use."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from llama_index.core.base.embeddings.base import BaseEmbedding

# Some 20 answers' evidence; 384 numbers a sentence make 6 MB.
_MOST_KEPT = 4096


class SentenceVectors:
    """Embeds sentences of answers and of evidence alike, as texts: both stand on the same side.

    Args:
        embed_model: any LlamaIndex embedder.
    """

    def __init__(self, embed_model: BaseEmbedding) -> None:
        self._embed_model = embed_model
        self._kept: OrderedDict[str, npt.NDArray[np.float32]] = OrderedDict()

    def of(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The vectors, ``(n, dim) float32, L2-normalised``; those that are not known yet in one batch."""
        wanted = dict.fromkeys(texts)
        vectors = {text: self._kept[text] for text in wanted if text in self._kept}
        missing = [text for text in wanted if text not in vectors]
        if missing:
            embedded = np.asarray(self._embed_model.get_text_embedding_batch(missing), dtype=np.float32)
            embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
            vectors.update(zip(missing, embedded, strict=True))
        self._keep(vectors)
        return np.stack([vectors[text] for text in texts])

    def _keep(self, vectors: dict[str, npt.NDArray[np.float32]]) -> None:
        for text, vector in vectors.items():
            self._kept[text] = vector
            self._kept.move_to_end(text)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
