"""The command ``medqa verify``: sentences against a text, records or an index."""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_index_medqa.cli.options import (
    EXIT_FAILED,
    EmbedderOption,
    IndexOption,
    JsonOption,
    ProfileOption,
    QuietOption,
    StrictnessOption,
    VerboseOption,
    chosen_profile,
    chosen_strictness,
    print_json,
    terminal_for,
)
from llama_index_medqa.errors import InputError, UsageError
from llama_index_medqa.profiles import EMBEDDED, Profile
from llama_index_medqa.pubmed.pmids import is_pmid, pmid_of

if TYPE_CHECKING:
    from llama_index_medqa.cli.display.terminal import Terminal
    from llama_index_medqa.cli.display.verification import Verification, VerifiedAgainst, VerifiedSentence
    from llama_index_medqa.server.records import RecordSource
    from llama_index_medqa.verification.passages import Passage
    from llama_index_medqa.verification.verdicts import Strictness

# As `medqa gate`: what was asked for was done, and the verdict is no.
_STDIN = "-"
# As Markdown has them.
_HEADING = re.compile(r"^[ ]{0,3}#{1,6}(?:[ \t].*)?$", re.MULTILINE)
_MOST_NAMED = 20


@dataclass(frozen=True)
class _Claims:
    """The sentences to verify.

    Attributes:
        written: the sentences with their citation marks.
        headings: of a draft; no sentences.
    """

    written: tuple[str, ...]
    headings: tuple[str, ...] = ()


def verify(
    sentence: Annotated[
        str | None, typer.Argument(help="What is to be verified, in English, in quotation marks; or give --draft.")
    ] = None,
    draft: Annotated[
        str | None,
        typer.Option(help="File of sentences to verify, plain text or Markdown, [PMID:123] marks in it; - for stdin."),
    ] = None,
    pmid: Annotated[
        list[str] | None,
        typer.Option(
            help="Record of the index to verify against; may be given again. With neither this nor --text: the records "
            "that a sentence cites, else those that a search finds for it."
        ),
    ] = None,
    text: Annotated[str | None, typer.Option(help="File with the text to verify against, or - for stdin.")] = None,
    folder: IndexOption = "medqa_index",
    profile: ProfileOption = EMBEDDED.name,
    embedder: EmbedderOption = None,
    strictness: StrictnessOption = "balanced",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Verify a sentence, or each of a draft, and quote what supports or contradicts it; needs no language model."""
    _require_one_way(pmid, text, draft)
    sureness = chosen_strictness(strictness)
    chosen = chosen_profile(profile, embedder=embedder)
    terminal, claims = terminal_for(as_json), _claims(sentence, draft)
    if text is not None:
        outcome = _against_text(claims, text, sureness)
    else:
        outcome = _against_index(terminal, claims, folder, chosen, _document_ids(pmid or []), sureness)
    if as_json:
        print_json(outcome.as_data())
    else:
        terminal.show_verification(outcome)
    if not outcome.all_supported:
        sys.exit(EXIT_FAILED)


def _require_one_way(pmid: Sequence[str] | None, text: str | None, draft: str | None) -> None:
    """Check that there is one kind of evidence.

    And that standard input is read once.

    Raises:
        UsageError: there is not, or it would be read twice.
    """
    if pmid and text is not None:
        raise UsageError("Give either --pmid or --text: a sentence is verified against records or against a text.")
    if text == _STDIN and draft == _STDIN:
        raise UsageError("Only one of --text and --draft can be -: standard input is read once.")


def _claims(sentence: str | None, draft: str | None) -> _Claims:
    """Split the input into sentences to verify.

    Raises:
        UsageError: there is nothing, or there are both a sentence and a draft.
    """
    from llama_index_medqa.text.sentences import unwrapped
    from llama_index_medqa.verification.citation_marks import sentences_with_marks

    if (sentence is None) == (draft is None):
        raise UsageError('Give either a sentence in quotation marks, such as medqa verify "Tea helps.", or --draft.')
    text = sentence if sentence is not None else _read(str(draft), "--draft")
    headings = [found.group().strip("# \t\r") for found in _HEADING.finditer(text)] if draft is not None else []
    joined = unwrapped(_HEADING.sub("", text) if headings else text)
    written = tuple(joined[start:end] for start, end in sentences_with_marks(joined))
    if not written:
        named = "The sentence" if draft is None else f"The draft {draft}"
        raise UsageError(f"{named} holds nothing to verify: give at least one sentence.")
    return _Claims(written, tuple(filter(None, headings)))


def _read(name: str, option: str) -> str:
    """Read a file or standard input as text.

    Positions in it are those of its characters.

    Raises:
        InputError: it cannot be read, or is no text in UTF-8.
    """
    try:
        content = sys.stdin.buffer.read() if name == _STDIN else Path(name).read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{option} cannot read {name}: {error.strerror}. Give a file that exists.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{option}: {name} is no text in UTF-8. Save it as UTF-8 and try again.") from error


def _against_text(claims: _Claims, text: str, strictness: "Strictness") -> "Verification":
    from llama_index_medqa.cli.display.verification import Verification, VerifiedSentence
    from llama_index_medqa.verification.citation_marks import take_apart
    from llama_index_medqa.verification.verifier import ClaimVerifier, verify_text

    verifier = ClaimVerifier(strictness=strictness)
    judged = verify_text(claims.written, _read(text, "--text"), verifier=verifier)
    sentences = [
        VerifiedSentence(written, take_apart(written).claimed, verdict)
        for written, verdict in zip(claims.written, judged, strict=True)
    ]
    return Verification("text", verifier.identity, tuple(sentences), claims.headings)


def _against_index(
    terminal: "Terminal",
    claims: _Claims,
    folder: str,
    profile: Profile,
    given: Sequence[str],
    strictness: "Strictness",
) -> "Verification":
    from llama_index_medqa.cli.display.verification import Verification, VerifiedSentence
    from llama_index_medqa.indexing.identity import stored_as_of
    from llama_index_medqa.verification.citation_marks import take_apart
    from llama_index_medqa.verification.verifier import ClaimVerifier

    evidence = _IndexEvidence(terminal, folder, profile)
    cited = {written: take_apart(written).claimed for written in claims.written}
    names = {written: given or _records_among(marks) for written, marks in cited.items()}
    # Told before a model is loaded: of a record that is not there nobody knows what it says.
    evidence.require(name for wanted in names.values() for name in wanted)
    verifier = ClaimVerifier(strictness=strictness)
    sentences = []
    for written in claims.written:
        passages = evidence.of(names[written]) if names[written] else evidence.found(take_apart(written).text)
        [judged] = verifier.verify([written], passages)
        sentences.append(VerifiedSentence(written, cited[written], judged))
    return Verification(
        "records" if given else "index",
        verifier.identity,
        tuple(sentences),
        claims.headings,
        evidence.described(sentences),
        folder,
        stored_as_of(evidence.store),
    )


class _IndexEvidence:
    """The records of an index as evidence.

    The search is opened for the first sentence that cites none.

    Args:
        terminal: shows how weights are loaded.
        folder: of the index.
        profile: how to search.
    """

    def __init__(self, terminal: "Terminal", folder: str, profile: Profile) -> None:
        from llama_index_medqa.vector_store.addresses import open_store

        self.store = open_store(folder, create=False)
        self._terminal = terminal
        self._folder = folder
        self._profile = profile
        self._search: RecordSource | None = None

    def require(self, document_ids: Iterable[str]) -> None:
        """Raise for records that the index lacks.

        The message says how they come into it.

        Raises:
            InputError: there are any.
        """
        wanted = list(dict.fromkeys(document_ids))
        held = self.store.metadata_of([f"{name}#0" for name in wanted])
        if missing := [name for name in wanted if f"{name}#0" not in held]:
            named = ", ".join(missing[:_MOST_NAMED])
            more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
            raise InputError(
                f"The index {self._folder} does not hold {named}{more}, so nothing can be verified against it. "
                f"{_how_to_add(missing[:_MOST_NAMED], self._folder)}"
            )

    def of(self, document_ids: Sequence[str]) -> "list[Passage]":
        """Return given records as whole passages."""
        from llama_index.core.schema import NodeWithScore

        from llama_index_medqa.verification.passages import passages_of

        chunks = []
        for name in document_ids:
            first = self.store.nodes([f"{name}#0"])
            if not first:  # deleted by another process meanwhile
                self.require([name])
            count = int(first[0].metadata.get("chunk_count", 1))
            chunks += [*first, *self.store.nodes([f"{name}#{number}" for number in range(1, count)])]
        return passages_of([NodeWithScore(node=chunk) for chunk in chunks])

    def found(self, sentence: str) -> "list[Passage]":
        """Return what a search for a sentence finds, as passages."""
        from llama_index_medqa.components import open_embedder, open_index
        from llama_index_medqa.server.records import RecordSource

        if self._search is None:
            with self._terminal.working("Loading the index"), self._terminal.weights_progress() as progress:
                embedder = open_embedder(self._profile, progress, self._folder)
                index = open_index(self._profile, self._folder, embedder)
            self._search = RecordSource(index, self._profile.retrieval)
        return self._search.found_passages(sentence)

    def described(self, sentences: "Sequence[VerifiedSentence]") -> "dict[str, VerifiedAgainst]":
        """Return the records that verdicts quote, by document id."""
        from llama_index_medqa.cli.display.verification import VerifiedAgainst
        from llama_index_medqa.rendering.references import Reference

        quoted = [citation for one in sentences for citation in (*one.judged.citations, *one.judged.opposing)]
        known = self.store.metadata_of(list(dict.fromkeys(f"{citation.document_id}#0" for citation in quoted)))
        found: dict[str, VerifiedAgainst] = {}
        for citation in quoted:
            row = known.get(f"{citation.document_id}#0", {})
            reference = Reference(citation.document_id, citation.title, citation.pmid, doi=str(row.get("doi", "")))
            found[citation.document_id] = VerifiedAgainst(
                citation.document_id,
                citation.title,
                str(row.get("journal", "")),
                row.get("year"),
                str(row.get("status", "current")),
                reference.link,
            )
        return found


def _how_to_add(document_ids: Sequence[str], folder: str) -> str:
    numbers = [name.removeprefix("PMID:") for name in document_ids if name.startswith("PMID:")]
    if not numbers:
        return "Give records that it holds."
    query = " OR ".join(f"{number}[pmid]" for number in numbers)
    return f'Add it with: medqa index --query "{query}" --index {folder}'


def _records_among(marks: Sequence[str]) -> list[str]:
    """Return the documents among citation marks; "[3]" names none."""
    return [mark for mark in marks if not mark.startswith("[")]


def _document_ids(pmids: Sequence[str]) -> list[str]:
    """Return the ids of records.

    Raises:
        UsageError: a PMID is none.
    """
    numbers = [pmid_of(value) or "" for value in pmids]
    for value, number in zip(pmids, numbers, strict=True):
        if not (number and is_pmid(number)):
            raise UsageError(f"--pmid cannot be {value!r}: give the number of a record, such as 12345678.")
    return list(dict.fromkeys(f"PMID:{number}" for number in numbers))
