"""Every error that this package raises on purpose.

Each message says what happened and what to do next. The tree::

    MedQAError
    ├── InputError                   a file, record or argument cannot be used as given (also a ValueError)
    │   ├── UsageError               options or arguments of the command that cannot go together or do not exist
    │   ├── SourceFormatError        not PubMed/MEDLINE data, or broken in the middle
    │   └── EmptyCorpusError         nothing to index
    ├── MissingExtraError            an optional dependency is not installed (also an ImportError)
    ├── WeightsError                 model weights are missing, or not the ones that were asked for
    ├── EmbeddingCacheError          the file of earlier vectors cannot be used
    ├── SearchCacheError             the file for the search by words cannot be used
    ├── IndexNotFoundError           no index at the given place
    ├── IndexIdentityError           the index was built with something else than it is opened with
    ├── IndexBusyError               another process writes to the index, and waiting was not wanted
    ├── StorageError                 the database of an index cannot be read or written: damaged, or the disk is full
    ├── ServerError                  a server of a language model or of Chroma does not answer, or not as expected
    │   ├── AdapterNotActive         the server answers, but not with the LoRA adapter that was asked for
    │   └── JudgeError               a judge's model gave no usable answer; evaluation counts it as an unscored case
    └── EntrezError                  NCBI's E-utilities do not give what was asked for
        ├── EntrezUnavailableError   no usable answer before the deadline: try again later
        ├── EntrezAnswerError        answers came, but none could be read
        ├── EntrezRequestError       the request was refused: repeating it does not help
        └── HistoryExpiredError      a stored search is no longer on the history server: search again
"""

from llama_index_medqa.redaction import redacted


class MedQAError(Exception):
    """Base of all errors raised on purpose by llama-index-medqa; no message of theirs holds a key."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(redacted(item) if isinstance(item, str) else item for item in arguments))


class InputError(MedQAError, ValueError):
    """A file, record or argument cannot be used as given."""


class UsageError(InputError):
    """The command cannot be used with these options and arguments, whatever the data: exit code 2."""


class SourceFormatError(InputError):
    """The input is not PubMed/MEDLINE data, or it is broken in the middle."""


class EmptyCorpusError(InputError):
    """The input holds no record with text, so there is nothing to index."""


class MissingExtraError(MedQAError, ImportError):
    """An optional dependency is not installed.

    Args:
        feature: what needs it, as the user wrote it, for example ``E5Embedding``.
        extra: the name of the extra that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra '{extra}'. Install it with: pip install \"llama-index-medqa[{extra}]\""
        )


class WeightsError(MedQAError):
    """Model weights are missing, or are not the ones that were asked for."""


class EmbeddingCacheError(MedQAError):
    """The file of vectors that were computed before cannot be used."""


class SearchCacheError(MedQAError):
    """The file that the search by words is kept in cannot be used."""


class IndexNotFoundError(MedQAError):
    """There is no index at the given place."""


class IndexIdentityError(MedQAError):
    """The index was built with another embedder, splitter or schema than it is opened with."""


class IndexBusyError(MedQAError):
    """Another process writes to the index, and waiting for it was not wanted."""


class StorageError(MedQAError):
    """The database of an index cannot be read or written: it is damaged, or the disk is full."""


class ServerError(MedQAError):
    """A server of a language model or of Chroma does not answer, or not as expected."""


class AdapterNotActive(ServerError):  # noqa: N818  # it reads as what it says
    """A server answers, but not, or not provably, with the LoRA adapter that was asked for.

    Args:
        check: name of the check that failed.
        detail: the values that were seen.
        advice: what to do.
    """

    def __init__(self, check: str, detail: str, advice: str) -> None:
        super().__init__(f"The check '{check}' failed: {detail}. {advice}.")
        self.check = check


class JudgeError(ServerError):
    """A judge's model gave no usable answer. Measures turn it into an unscored case.

    Args:
        reason: why, in words that can be counted.
        detail: what was seen.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = redacted(reason)
        self.detail = redacted(detail)


class EntrezError(MedQAError):
    """NCBI's E-utilities do not give what was asked for."""


class EntrezUnavailableError(EntrezError):
    """The E-utilities gave no usable answer before the deadline; trying again later helps."""


class EntrezAnswerError(EntrezError):
    """The E-utilities answered several times, and none of the answers could be read."""


class EntrezRequestError(EntrezError):
    """The E-utilities refused the request; repeating it as it is does not help."""


class HistoryExpiredError(EntrezError):
    """A stored search is no longer on NCBI's history server; search again."""
