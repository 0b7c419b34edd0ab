"""Reciprocal rank fusion and maximal marginal relevance."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

RRF_K = 60


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[str]], k: float = RRF_K, weights: Sequence[float] | None = None
) -> dict[str, float]:
    """Fuse rankings by the sum of ``weight / (k + rank)``.

    Ranks are counted from 1.

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


def with_firsts(scores: dict[str, float], rankings: Sequence[Sequence[str]], within: int) -> dict[str, float]:
    """Return fused scores in which the first of each ranking is among the best.

    What one ranking alone finds, such as the only record with a rare name, is otherwise behind all that both find.

    Args:
        scores: of :func:`reciprocal_rank_fusion`, the best first.
        rankings: that were fused.
        within: how many are the best; where it is less than the number of rankings, that number.

    Returns:
        The same items, the best first, each with the score of the rank that it now has. What is raised displaces the
        last of the best that are first in no ranking.
    """
    size = max(within, len(rankings))
    best, rest = list(scores)[:size], list(scores)[size:]
    firsts = dict.fromkeys(ranking[0] for ranking in rankings if ranking)
    raised = [name for name in rest if name in firsts]
    if not raised:
        return scores
    displaced = [name for name in best if name not in firsts][-len(raised) :]
    kept = [name for name in best if name not in displaced]
    after = [name for name in rest if name not in raised]
    return dict(zip([*kept, *raised, *displaced, *after], scores.values(), strict=True))


def maximal_marginal_relevance(
    relevance: Sequence[float], vectors: npt.NDArray[np.float32], balance: float, limit: int
) -> list[int]:
    """Pick items by relevance less similarity to earlier picks.

    Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking": the next item is the one with the
    greatest ``balance * relevance - (1 - balance) * max(cosine to the picked ones)``.

    Args:
        relevance: of each item.
        vectors: shape (items, dimension), L2-normalised.
        balance: 1 looks at relevance alone, 0 at dissimilarity alone.
        limit: most items to pick.

    Returns:
        Positions of the picked items, in the order in which they were picked; of equals the earlier.
    """
    gain = balance * np.asarray(relevance, dtype=np.float64)
    similarity = np.zeros(len(gain))
    left = np.ones(len(gain), dtype=bool)
    picked: list[int] = []
    while len(picked) < min(limit, len(gain)):
        value = np.where(left, gain - (1.0 - balance) * similarity, -np.inf)
        best = int(np.argmax(value))
        cosines = vectors @ vectors[best]
        similarity = np.maximum(similarity, cosines) if picked else cosines.astype(np.float64)
        left[best] = False
        picked.append(best)
    return picked
