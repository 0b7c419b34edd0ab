"""How near claims and sentences are in meaning, by E5's vectors."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from llama_index.core.base.embeddings.base import BaseEmbedding

from llama_index_medqa.errors import InputError
from llama_index_medqa.sentence_vectors import SentenceVectors

Floats = npt.NDArray[np.float32]


@cache
def _centre() -> Floats:
    """The mean of the passage vectors of the 6,099 sentences of SciFact's abstracts, by multilingual-e5-small.

    All vectors of E5 point much the same way, biomedical ones even more. Without what they share, cosines tell apart
    what is on one topic.
    """
    text = (files(__package__) / "e5_centre.txt").read_text(encoding="utf-8")
    return np.array(text.split(), dtype=np.float32)


class Meaning:
    """Compares claims with sentences. A claim is embedded as a query: it asks for the passage that holds it.

    Args:
        embed_model: multilingual-e5-small.
    """

    def __init__(self, embed_model: BaseEmbedding) -> None:
        self._embed_model = embed_model
        self._sentences = SentenceVectors(embed_model)

    def nearest(self, claims: Sequence[str], sentences: Sequence[str]) -> list[float]:
        """Of each claim the cosine with the nearest sentence, -1 to 1; 0 where there is no sentence.

        Raises:
            InputError: the embedder has vectors of another length.
        """
        if not sentences:
            return [0.0] * len(claims)
        queries = np.array([self._embed_model.get_query_embedding(claim) for claim in claims], dtype=np.float32)
        passages = self._sentences.of(sentences)
        if passages.shape[1] != len(_centre()):
            raise InputError(f"Vectors of {len(_centre())} numbers are needed, not of {passages.shape[1]}.")
        nearest: list[float] = (_centred(queries) @ _centred(passages).T).max(axis=1).tolist()
        return nearest


def _centred(vectors: Floats) -> Floats:
    shifted = vectors - _centre()
    return np.asarray(shifted / np.linalg.norm(shifted, axis=1, keepdims=True), dtype=np.float32)
