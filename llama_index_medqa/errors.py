"""All errors that this package raises on purpose.

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
    ├── IndexNotFoundError           no index at the given path or address
    ├── IndexIdentityError           the index was built with something else than it is opened with
    ├── IndexBusyError               another process writes to the index, and waiting was not wanted
    ├── StorageError                 the database of an index cannot be read or written: damaged, or the disk is full
    │   └── DamagedVectorsError      its files of vectors are damaged: they can be made again from the stored texts
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
    """Base class of all errors of llama-index-medqa.

    No message of theirs holds a key.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(redacted(item) if isinstance(item, str) else item for item in arguments))


class InputError(MedQAError, ValueError):
    """A file, record or argument cannot be used as given."""


class UsageError(InputError):
    """The command cannot be used with these options and arguments.

    Whatever the data; exit code 2.
    """


class SourceFormatError(InputError):
    """The input is not PubMed/MEDLINE data, or it is broken in the middle."""


class EmptyCorpusError(InputError):
    """The input holds no record with text to index."""


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
    """Model weights are missing, or not those that were asked for."""


class EmbeddingCacheError(MedQAError):
    """The cache of vectors cannot be used."""


class SearchCacheError(MedQAError):
    """The cache of the search by words cannot be used."""


class IndexNotFoundError(MedQAError):
    """There is no index at the given path or address."""


class IndexIdentityError(MedQAError):
    """The index was built with another embedder, splitter or schema."""


class IndexBusyError(MedQAError):
    """Another process writes to the index."""


class StorageError(MedQAError):
    """The database of an index cannot be read or written.

    It is damaged, or the disk is full.
    """


class DamagedVectorsError(StorageError):
    """The database's files of vectors are damaged; the texts are there, from which they can be made again."""


class ServerError(MedQAError):
    """A server does not answer, or not as expected.

    Of a language model or of Chroma.
    """


class AdapterNotActive(ServerError):  # noqa: N818  # it reads as what it says
    """A server does not provably answer with the LoRA adapter.

    Args:
        check: name of the check that failed.
        detail: the values that were seen.
        advice: what to do.
    """

    def __init__(self, check: str, detail: str, advice: str) -> None:
        super().__init__(f"The check '{check}' failed: {detail}. {advice}.")
        self.check = check


class JudgeError(ServerError):
    """A judge's model gave no usable answer.

    Measures turn it into an unscored case.

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
    """The E-utilities gave no usable answer in time.

    Trying again later helps.
    """


class EntrezAnswerError(EntrezError):
    """None of the E-utilities' answers could be read."""


class EntrezRequestError(EntrezError):
    """The E-utilities refused the request.

    Repeating it as it is does not help.
    """


class HistoryExpiredError(EntrezError):
    """NCBI's history server no longer has a stored search.

    Search again.
    """
