"""CPU time of splitters into windows of 128 tokens, 64 overlapping, and their agreement.

Usage::

    pip install langchain-text-splitters==1.1.3
    python -m benchmarks.indexing.chunking_speed --rounds 3 [--abstracts 5183] [DATA]

All splitters count with the tokenizer of the embedder: WordPiece (all-MiniLM-L6-v2) and Unigram
(multilingual-e5-small). DATA is the shared data, by default ``$MEDQA_SHARED_DATA``; the texts are title and abstract of
SciFact's corpus. Every run of a splitter loads its tokenizer and knows no word yet ("cold"), except ``medqa_warm``,
which has seen the texts. ``medqa_nodes`` also builds LlamaIndex's nodes, as does ``llama_index_nodes``. The share of
texts that are cut into the same chunks as by LlamaIndex's splitter stands beside each.
"""

import argparse
import json
import logging
import os
import resource
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common.provenance import RESULTS, provenance, write_results

SIZE, OVERLAP = 128, 64
TOKENIZERS = {"WordPiece": "all-MiniLM-L6-v2", "Unigram": "multilingual-e5-small"}
REFERENCE = "llama_index"
Chunks = list[list[str]]
Splitter = Callable[[list[str]], Chunks]


def medqa(folder: str) -> Splitter:
    """Return our splitter."""
    from llama_index_medqa import TokenNodeParser

    parser = TokenNodeParser(tokenizer=folder, chunk_size=SIZE, chunk_overlap=OVERLAP)

    def split(texts: list[str]) -> Chunks:
        found = parser.split_all_spans(texts)
        return [[text[start:end] for start, end in spans] for text, spans in zip(texts, found, strict=True)]

    return split


def medqa_nodes(folder: str) -> Splitter:
    """Return our splitter with LlamaIndex's nodes."""
    from llama_index_medqa import TokenNodeParser

    return _through_nodes(TokenNodeParser(tokenizer=folder, chunk_size=SIZE, chunk_overlap=OVERLAP))


def llama_index(folder: str) -> Splitter:
    """Return LlamaIndex's TokenTextSplitter with the same tokenizer."""
    splitter = _llama_index(folder)
    return lambda texts: [splitter.split_text(text) for text in texts]


def llama_index_nodes(folder: str) -> Splitter:
    """Return LlamaIndex's splitter with nodes."""
    return _through_nodes(_llama_index(folder))


def _llama_index(folder: str) -> Any:
    from llama_index.core.node_parser import TokenTextSplitter

    # Its warning about a long piece has a broken format string.
    logging.getLogger("llama_index.core.node_parser.text.token").setLevel(logging.ERROR)
    return TokenTextSplitter(chunk_size=SIZE, chunk_overlap=OVERLAP, tokenizer=_encode(folder))


def langchain_recursive(folder: str) -> Splitter:
    """Return LangChain's RecursiveCharacterTextSplitter, lengths in tokens."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    encode = _encode(folder)
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=SIZE, chunk_overlap=OVERLAP, length_function=lambda text: len(encode(text))
    )
    return lambda texts: [splitter.split_text(text) for text in texts]


def langchain_tokens(folder: str) -> Splitter:
    """Return LangChain's TokenTextSplitter's work with this tokenizer.

    Windows of token ids, decoded.
    """
    from langchain_text_splitters.base import Tokenizer, split_text_on_tokens

    from llama_index_medqa.indexing.node_parser import load_tokenizer

    windows = Tokenizer(
        chunk_overlap=OVERLAP, tokens_per_chunk=SIZE, decode=load_tokenizer(folder).decode, encode=_encode(folder)
    )
    return lambda texts: [split_text_on_tokens(text=text, tokenizer=windows) for text in texts]


SPLITTERS = {
    splitter.__name__: splitter
    for splitter in (medqa, medqa_nodes, llama_index, llama_index_nodes, langchain_recursive, langchain_tokens)
}


def _encode(folder: str) -> Callable[[str], list[int]]:
    from llama_index_medqa.indexing.node_parser import load_tokenizer

    tokenizer = load_tokenizer(folder)
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def _through_nodes(parser: Any) -> Splitter:
    from llama_index.core.schema import Document

    def split(texts: list[str]) -> Chunks:
        chunks: Chunks = [[] for _ in texts]
        for node in parser([Document(text=text, id_=str(number)) for number, text in enumerate(texts)]):
            chunks[int(node.ref_doc_id)].append(node.text)
        return chunks

    return split


def measure(folder: str, texts: list[str], rounds: int) -> dict[str, dict[str, Any]]:
    """Return CPU seconds of every splitter and round, and agreement.

    The share of texts that it splits as the reference does.
    """
    seconds: dict[str, list[float]] = {name: [] for name in (*SPLITTERS, "medqa_warm")}
    chunks: dict[str, Chunks] = {}
    for number in range(rounds):
        for name, make in SPLITTERS.items():
            start = _cpu()
            split = make(folder)
            chunks[name] = split(texts)
            seconds[name].append(_cpu() - start)
            if make is medqa:
                start = _cpu()
                chunks["medqa_warm"] = split(texts)
                seconds["medqa_warm"].append(_cpu() - start)
            sys.stderr.write(f"round {number + 1}: {name} {seconds[name][-1]:.2f} s\n")
    reference = statistics.median(seconds[REFERENCE])
    return {
        name: {
            "cpu_s": [round(second, 3) for second in seconds[name]],
            "times_llama_index": round(reference / statistics.median(seconds[name]), 2),
            "chunks": sum(map(len, found)),
            "texts_cut_alike": sum(map(list.__eq__, found, chunks[REFERENCE])) / len(texts),
        }
        for name, found in chunks.items()
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = []
    for kind, found in results["tokenizers"].items():
        lines += [
            f"{kind} ({TOKENIZERS[kind]}), {results['abstracts']:,} abstracts",
            "",
            "| splitter | CPU s | x LlamaIndex | chunks | texts cut as LlamaIndex does |",
            "|---|--:|--:|--:|--:|",
        ]
        for name, row in found.items():
            seconds = statistics.median(row["cpu_s"])
            share = f"{row['texts_cut_alike']:.1%}"
            lines.append(f"| {name} | {seconds:.2f} | {row['times_llama_index']:.1f} | {row['chunks']:,} | {share} |")
        lines.append("")
    lines.append(f"Medians of {results['rounds']} alternating runs.")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, compare, write the results."""
    parser = argparse.ArgumentParser(description="Speed of splitters.")
    parser.add_argument("data", nargs="?", type=Path, default=os.environ.get("MEDQA_SHARED_DATA"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--abstracts", type=int, default=5183)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give the shared data's folder, or set MEDQA_SHARED_DATA")
    from llama_index_medqa.weights import locate

    corpus = arguments.data / "retrieval/scifact/corpus.jsonl"
    rows = [json.loads(line) for line in corpus.read_text().splitlines()[: arguments.abstracts]]
    texts = [f"{row['title']}\n{row['text']}" for row in rows]
    for make in SPLITTERS.values():  # imports are nobody's time
        make(str(locate(TOKENIZERS["WordPiece"])))(texts[:2])
    results = {
        "provenance": provenance([corpus], ["llama-index-core", "langchain-text-splitters", "tokenizers"]),
        "rounds": arguments.rounds,
        "abstracts": len(texts),
        "tokenizers": {kind: measure(str(locate(name)), texts, arguments.rounds) for kind, name in TOKENIZERS.items()},
    }
    write_results("chunking_speed", results)
    (RESULTS / "chunking_speed.md").write_text(table(results))
    sys.stdout.write(table(results))


if __name__ == "__main__":
    main()
