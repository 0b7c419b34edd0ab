"""Former place of :mod:`llama_index_medqa.verification.verdicts`, kept for one minor version."""

import warnings

from llama_index_medqa.verification.verdicts import AnswerSentence, Citation, Finding, FindingKind, Verdict

__all__ = ["AnswerSentence", "Citation", "Finding", "FindingKind", "Verdict"]
warnings.warn("Import from llama_index_medqa.verification.verdicts.", DeprecationWarning, stacklevel=2)
