"""Rankings made of rankings: reciprocal rank fusion, and marginal relevance against repetition."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

RRF_K = 60


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[str]], k: float = RRF_K, weights: Sequence[float] | None = None
) -> dict[str, float]:
    """Joins rankings into one by the sum of ``weight / (k + rank)``, the rank counted from 1.

    Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods", where k = 60.

    Args:
        rankings: the best first, each item once a ranking.
        k: how little the first ranks stand out; 0 or more.
        weights: one for each ranking; 1 where left out.

    Returns:
        The score of each item, the best first; of equals the one that is first in the earliest ranking.
    """
    scores: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + weight / (k + rank)
    return dict(sorted(scores.items(), key=lambda scored: -scored[1]))


def maximal_marginal_relevance(
    relevance: Sequence[float], vectors: npt.NDArray[np.float32], balance: float, limit: int
) -> list[int]:
    """Picks items one by one, each for its relevance less its likeness to what was picked before.

    Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking": the next item is the one with the
    greatest ``balance * relevance - (1 - balance) * max(cosine to the picked ones)``.

    Args:
        relevance: of each item.
        vectors: shape (items, dimension), L2-normalised.
        balance: 1 looks at relevance alone, 0 at likeness alone.
        limit: most items to pick.

    Returns:
        Positions of the picked items, in the order in which they were picked; of equals the earlier.
    """
    gain = balance * np.asarray(relevance, dtype=np.float64)
    likeness = np.zeros(len(gain))
    left = np.ones(len(gain), dtype=bool)
    picked: list[int] = []
    while len(picked) < min(limit, len(gain)):
        value = np.where(left, gain - (1.0 - balance) * likeness, -np.inf)
        best = int(np.argmax(value))
        cosines = vectors @ vectors[best]
        likeness = np.maximum(likeness, cosines) if picked else cosines.astype(np.float64)
        left[best] = False
        picked.append(best)
    return picked
