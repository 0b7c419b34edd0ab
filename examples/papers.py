"""The index that the examples ask: invented abstracts, without a model and without a network."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llama_index.core import Document
from tokenizers import Tokenizer, models, pre_tokenizers

from llama_index_medqa import PubMedIndex, PubMedReader, TokenNodeParser
from llama_index_medqa.testing import HashEmbedding

PAPERS = Path(__file__).with_name("papers.jsonl")


def open_papers() -> PubMedIndex:
    """Indexes the abstracts of ``papers.jsonl`` in a temporary folder."""
    return index_of(PubMedReader().lazy_load_data(PAPERS))


def index_of(documents: Iterable[Document], **store_arguments: Any) -> PubMedIndex:
    """Indexes documents in a temporary folder, or on the vector store that is given."""
    folder = tempfile.mkdtemp(prefix="medqa-example-")
    # A tokenizer whose tokens are words; an embedding model brings its own.
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))  # noqa: S106  # no password
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(f"{folder}/tokenizer.json")
    index = PubMedIndex.open(
        f"{folder}/index",
        embed_model=HashEmbedding(),
        node_parser=TokenNodeParser(tokenizer=f"{folder}/tokenizer.json"),
        create=True,
        **store_arguments,
    )
    index.ingest(documents)
    return index
