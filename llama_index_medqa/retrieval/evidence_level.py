"""The level of evidence of a kind of study."""

from collections.abc import Iterable
from types import MappingProxyType

# The order of the Oxford Centre for Evidence-Based Medicine's 2011 levels for questions of treatment, as far as
# PubMed's publication types tell it; the steps between them are ours.
EVIDENCE_LEVELS = MappingProxyType(
    {
        "Meta-Analysis": 1.0,
        "Systematic Review": 1.0,
        "Practice Guideline": 1.0,
        "Guideline": 1.0,
        "Randomized Controlled Trial": 0.8,
        "Pragmatic Clinical Trial": 0.8,
        "Controlled Clinical Trial": 0.6,
        "Clinical Trial": 0.6,
        "Clinical Trial, Phase III": 0.6,
        "Clinical Trial, Phase IV": 0.6,
        "Observational Study": 0.4,
        "Comparative Study": 0.4,
        "Multicenter Study": 0.4,
        "Review": 0.3,
        "Case Reports": 0.1,
    }
)


def evidence_level(publication_types: Iterable[str]) -> float:
    """Return the highest level of a record's publication types, 0 to 1.

    0 where none is known.
    """
    return max((EVIDENCE_LEVELS.get(kind, 0.0) for kind in publication_types), default=0.0)
