"""Splitting into windows of the embedder's tokens, with character spans."""

import hashlib
import json
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property, lru_cache, partial
from itertools import accumulate, chain, pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.node_parser.interface import TextSplitter
from llama_index.core.schema import BaseNode, Document, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.utils import get_tqdm_iterable

from llama_index_medqa.errors import InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_Item = TypeVar("_Item")
TOKENIZER_FILE = "tokenizer.json"
# Only a bound on memory (about 100 MB); the cache is exact at any size.
_WORD_CACHE_LIMIT = 1_000_000
# Texts whose words are counted together, and given to a process together.
_BATCH = 1000
_WORDS_AN_INPUT = 1024
# Tokenizers differ in what they make of runs of whitespace, and of whitespace at the ends.
_IRREGULAR_WORD = re.compile(r"^\s|\s$|\s\s|^$")
# Words, numbers, signs and scripts in which a tokenizer could merge across a space, if it ever does so.
_SEPARABILITY_PROBES = (
    "a b",
    "the heart failure",
    "p < 0.05 (95% CI 1.2-3.4)",
    "TNF-α , IL-6 ; β2",
    "H. pylori e.g. don't",
    "naïve café Ärzte",
    "1 000 mg / kg",
    "心 不全 の 患者",
    "\u0301 x \u0301",
    "x\ny z\t.",
    "… « » -- __ ''",
)


def stable_node_id(index: int, document: BaseNode) -> str:
    """Return the id of chunk number ``index``, from 0, on any machine: ``PMID:123#0``."""
    return f"{document.node_id}#{index}"


def record_hash(document: BaseNode) -> str:
    """Return the hash of a document's record. Where it has no record, LlamaIndex's own hash of the document."""
    return str(document.metadata.get("record_hash") or document.hash)


def require_overlap_below_size(chunk_size: int, chunk_overlap: int) -> None:
    """Raise unless the overlap is less than the chunk size.

    Raises:
        InputError: they do not.
    """
    if chunk_overlap >= chunk_size:
        raise InputError(
            f"chunk_overlap ({chunk_overlap}) must be less than chunk_size ({chunk_size}): "
            "choose a smaller overlap or a larger chunk."
        )


class TokenNodeParser(TextSplitter):
    """Splits documents into windows of whole words, by the embedder's tokens.

    The boundaries are those of LlamaIndex's ``TokenTextSplitter`` run with the same tokenizer. What differs:
    metadata never takes room from the text, ``start_char_idx``/``end_char_idx`` are exact
    (``document.text[start:end] == node.text``), node ids are stable, and the token count of every word is looked
    up once instead of each time the word appears.

    Every chunk gets the metadata of its document, ``record_hash``, ``chunk_count`` (chunks of the document, from 1)
    and, where the document says in ``section_spans`` what its sections are, ``section``: the one that holds most of
    the chunk.

    Args:
        tokenizer: folder with a ``tokenizer.json``, such a file, or a model id on the Hugging Face hub.
        chunk_size: most tokens in a chunk, without the special tokens that the embedder adds.
        chunk_overlap: most tokens that a chunk shares with the one before; less than ``chunk_size``.
        num_workers: processes that look for the boundaries where there are thousands of documents; the chunks are the
            same. A script that sets it needs ``if __name__ == "__main__":``.

    Raises:
        InputError: ``chunk_overlap`` is not less than ``chunk_size``, or there is no tokenizer at the given path.
    """

    tokenizer: str = Field(description="Folder with a tokenizer.json, such a file, or a model id on the hub.")
    chunk_size: int = Field(default=128, gt=0, description="Most tokens in a chunk.")
    chunk_overlap: int = Field(default=64, ge=0, description="Most tokens shared with the chunk before.")

    num_workers: int = Field(
        default=1, gt=0, exclude=True, description="Processes that split; the chunks are the same."
    )

    _counter: "_TokenCounter | None" = PrivateAttr(default=None)

    def __init__(self, **data: Any) -> None:
        data.setdefault("id_func", stable_node_id)
        if isinstance(data["id_func"], dict):  # as to_dict() writes it
            data["id_func"] = stable_node_id
        super().__init__(**data)
        require_overlap_below_size(self.chunk_size, self.chunk_overlap)

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves it."""
        return "TokenNodeParser"

    def identity(self) -> dict[str, str | int]:
        """Return what decides where chunks begin and end. :class:`PubMedIndex` compares it on opening."""
        return {
            "splitter": self.class_name(),
            "chunk_size": self.chunk_size,
            "chunk_overlap": self.chunk_overlap,
            "tokenizer": self._token_counter().fingerprint,
        }

    def split_text(self, text: str) -> list[str]:
        """Return the chunks of a text, in order. Without leading and trailing white space."""
        return [text[start:end] for start, end in self.split_spans(text)]

    def split_spans(self, text: str) -> list[tuple[int, int]]:
        """Return the spans of a text's chunks, in order. ``text[start:end]``, in characters; empty for a blank text."""
        [spans] = self.split_all_spans([text])
        return spans

    def split_all_spans(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return the spans of many texts' chunks.

        Words of all texts are counted together; by ``num_workers`` processes if they are many.
        """
        return list(self._all_spans(texts))

    def _all_spans(self, texts: Sequence[str]) -> Iterator[list[tuple[int, int]]]:
        batches = list(_batches(texts, _BATCH))
        workers = min(self.num_workers, len(batches))
        if workers <= 1:
            for batch in batches:
                yield from _split_all(self._token_counter(), batch, self.chunk_size, self.chunk_overlap)
            return
        split = partial(_split_in_worker, self.tokenizer, self.chunk_size, self.chunk_overlap)
        # The tokenizer has threads, which a fork would not copy.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for spans in pool.map(split, batches):
                yield from spans

    def _parse_nodes(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> list[BaseNode]:
        texts = [node.get_content() for node in nodes]
        progress = get_tqdm_iterable(nodes, show_progress, "Splitting into chunks")
        chunks: list[BaseNode] = []
        for node, text, spans in zip(progress, texts, self._all_spans(texts), strict=True):
            chunks.extend(self._chunks(node, text, spans))
        return chunks

    def _postprocess_parsed_nodes(self, nodes: list[BaseNode], parent_doc_map: dict[str, Document]) -> list[BaseNode]:
        # The base class looks the spans up again with str.find, which is wrong where a text repeats itself.
        return nodes

    def _chunks(self, node: BaseNode, text: str, spans: list[tuple[int, int]]) -> list[TextNode]:
        metadata = dict(node.metadata) if self.include_metadata else {}
        sections = _sections(metadata.pop("section_spans", None))
        first_character = (node.start_char_idx or 0) if isinstance(node, TextNode) else 0
        source = node.source_node or RelatedNodeInfo(node_id=node.node_id, node_type=node.get_type())
        metadata["record_hash"] = record_hash(node)
        own_keys = ["section", "chunk_count", "record_hash"]
        chunks = [
            TextNode(
                id_=self.id_func(number, node),
                text=text[start:end],
                start_char_idx=first_character + start,
                end_char_idx=first_character + end,
                metadata={**metadata, **_section_of(start, end, sections), "chunk_count": len(spans)},
                excluded_embed_metadata_keys=[*node.excluded_embed_metadata_keys, *own_keys],
                excluded_llm_metadata_keys=[*node.excluded_llm_metadata_keys, *own_keys],
                relationships={NodeRelationship.SOURCE: source},
            )
            for number, (start, end) in enumerate(spans)
        ]
        if self.include_prev_next_rel:
            _link_neighbours(chunks)
        return chunks

    def _token_counter(self) -> "_TokenCounter":
        if self._counter is None:
            self._counter = _TokenCounter(load_tokenizer(self.tokenizer))
        return self._counter


class _TokenCounter:
    """Counts tokens, each distinct word once, because tokenizing is slow.

    A word is what lies between two plain spaces; it is counted together with the space before it.

    Attributes:
        separable: whether the count of a text is the sum of the counts of its words.
    """

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self._tokenizer = tokenizer
        self._counts: dict[str, int] = {}
        self._counts_at_start: dict[str, int] = {}  # words that nothing precedes
        self._irregular: set[str] = set()
        self.separable = all(
            self._encoded_length(text) == sum(map(self._encoded_length, _cut_before(text, " ")))
            for text in _SEPARABILITY_PROBES
        )

    @cached_property
    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits of the tokenizer's hash."""
        return hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()[:16]

    def words(self, texts: Iterable[str]) -> list[list[str]]:
        """Return the words of each text. The tokens of new words are counted."""
        if len(self._counts) > _WORD_CACHE_LIMIT:
            self._counts.clear()
            self._counts_at_start.clear()
            self._irregular.clear()
        found = [text.split(" ") for text in texts]
        first_words = {words[0] for words in found}
        unknown = list(set(chain.from_iterable(words[1:] for words in found)).difference(self._counts))
        self._counts.update(zip(unknown, self._encoded_lengths([" " + word for word in unknown]), strict=True))
        unknown_first = list(first_words.difference(self._counts_at_start))
        self._counts_at_start.update(zip(unknown_first, self._encoded_lengths(unknown_first), strict=True))
        self._irregular.update(word for word in (*unknown, *unknown_first) if _IRREGULAR_WORD.search(word))
        return found

    def lengths(self, words: list[str]) -> list[int]:
        """Return the number of tokens of each word of a text.

        All but the first are counted with the space before them.
        """
        first, *others = words
        return [self._counts_at_start[first], *map(self._counts.__getitem__, others)]

    def total(self, text: str, words: list[str], lengths: list[int]) -> int:
        """Return the number of tokens of a text."""
        if self.separable and self._irregular.isdisjoint(words):
            return sum(lengths)
        return self._encoded_length(text)

    def pieces(self, text: str, size: int) -> tuple[list[str], list[int]]:
        """Cut a text into pieces of at most ``size`` tokens.

        At spaces, a longer word at line ends, then between characters.

        Returns:
            The pieces, which joined are the text, and the number of tokens of each.
        """
        cut = next((pieces for pieces in _cuts(text) if len(pieces) > 1), [text])
        lengths = self._encoded_lengths(cut)
        if len(cut) == 1 or max(lengths) <= size:
            return cut, lengths
        parts = [
            self.pieces(piece, size) if length > size else ([piece], [length])
            for piece, length in zip(cut, lengths, strict=True)
        ]
        return [piece for part, _ in parts for piece in part], [length for _, part in parts for length in part]

    def _encoded_length(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def _encoded_lengths(self, pieces: list[str]) -> list[int]:
        """Return the number of tokens of each piece alone."""
        # A list of "words" is one input, of which each word is encoded as if it were alone: cheaper than an input each.
        batches = list(_batches(pieces, _WORDS_AN_INPUT))
        encodings = self._tokenizer.encode_batch(batches, is_pretokenized=True, add_special_tokens=False)
        return [
            counts[number]
            for batch, encoding in zip(batches, encodings, strict=True)
            for counts in [Counter(encoding.word_ids)]
            for number in range(len(batch))
        ]


def load_tokenizer(location: str) -> "Tokenizer":
    """Load a fast tokenizer without truncation and padding.

    Args:
        location: folder with a ``tokenizer.json``, such a file, or a model id on the Hugging Face hub.

    Raises:
        InputError: there is no tokenizer there.
    """
    from tokenizers import Tokenizer

    path = Path(location)
    file = path / TOKENIZER_FILE if path.is_dir() else path
    if file.is_file():
        tokenizer = Tokenizer.from_file(str(file))
    elif path.exists() or location.startswith((".", "/", "~")):
        raise InputError(f"No {TOKENIZER_FILE} at {location}: give the model's folder, or a model id on the hub.")
    else:
        tokenizer = Tokenizer.from_pretrained(location)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _cut_before(text: str, separator: str) -> list[str]:
    """Cut a text before each separator. Every piece but the first begins with it; joined, the pieces are the text."""
    first, *others = text.split(separator)
    return [*([first] if first else []), *(separator + other for other in others)]


def _cuts(text: str) -> Iterable[list[str]]:
    """Return the ways to cut a text, the coarsest first."""
    yield _cut_before(text, " ")
    yield _cut_before(text, "\n")
    yield list(text)


def _split_all(counter: _TokenCounter, texts: Sequence[str], size: int, overlap: int) -> list[list[tuple[int, int]]]:
    return [
        _split(counter, text, words, size, overlap) for text, words in zip(texts, counter.words(texts), strict=True)
    ]


def _split_in_worker(location: str, size: int, overlap: int, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
    return _split_all(_worker_counter(location), texts, size, overlap)


@lru_cache(1)
def _worker_counter(location: str) -> _TokenCounter:
    return _TokenCounter(load_tokenizer(location))


def _split(counter: _TokenCounter, text: str, words: list[str], size: int, overlap: int) -> list[tuple[int, int]]:
    lengths = counter.lengths(words)
    if counter.total(text, words, lengths) <= size:
        windows = [(0, len(text))]
    else:
        if max(lengths) <= size:
            offsets = [max(0, end + number - 1) for number, end in enumerate(accumulate(map(len, words), initial=0))]
        else:
            pieces, lengths = counter.pieces(text, size)
            offsets = [0, *accumulate(map(len, pieces))]
        windows = [(offsets[first], offsets[last]) for first, last in _windows(lengths, size, overlap)]
    spans = [_stripped(text, start, end) for start, end in windows]
    return [(start, end) for start, end in spans if start < end]


def _windows(lengths: Sequence[int], size: int, overlap: int) -> list[tuple[int, int]]:
    """Group pieces into windows of at most ``size`` tokens.

    Windows are ``[first, last)``, as TokenTextSplitter makes them.

    A new window keeps as many of the last pieces as fit into ``overlap``, fewer where the next piece needs the room.
    A piece of more than ``size`` tokens, which is a single character then, has a window of its own.
    """
    totals = [0, *accumulate(lengths)]
    windows = []
    first = last = 0
    while True:
        last = max(bisect_right(totals, totals[first] + size) - 1, first + 1)
        windows.append((first, last))
        if last == len(lengths):
            return windows
        first = bisect_left(totals, totals[last] - min(overlap, size - lengths[last]), first, last)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without white space at its ends."""
    window = text[start:end]
    start += len(window) - len(window.lstrip())
    return start, start + len(window.strip())


def _sections(section_spans: str | None) -> list[tuple[str, int, int]]:
    return [(label, start, end) for label, start, end in json.loads(section_spans)] if section_spans else []


def _section_of(start: int, end: int, sections: list[tuple[str, int, int]]) -> dict[str, str]:
    """Return the section that holds most of the span. The earlier one of equals."""
    shares = [(min(end, last) - max(start, first), label) for label, first, last in sections]
    if not shares:
        return {}
    return {"section": max(shares, key=lambda share: share[0])[1]}


def _link_neighbours(chunks: list[TextNode]) -> None:
    """Link each chunk to its neighbours by id alone. Their metadata would else be stored three times."""
    for before, after in pairwise(chunks):
        before.relationships[NodeRelationship.NEXT] = RelatedNodeInfo(node_id=after.node_id)
        after.relationships[NodeRelationship.PREVIOUS] = RelatedNodeInfo(node_id=before.node_id)
