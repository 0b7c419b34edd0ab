"""Splitting by several processes, which takes seconds to start."""

import json

import pytest
from llama_index.core import Document

from llama_index_medqa import TokenNodeParser
from llama_index_medqa.indexing import node_parser

pytestmark = pytest.mark.integration


def test_several_processes_give_the_nodes_of_one(shared_data, word_piece, monkeypatch):
    monkeypatch.setattr(node_parser, "_BATCH", 30)
    lines = (shared_data / "retrieval/scifact/corpus.jsonl").read_text().splitlines()[:100]
    documents = [Document(text=json.loads(line)["text"], id_=str(number)) for number, line in enumerate(lines)]
    alone, together = (TokenNodeParser(tokenizer=word_piece, num_workers=number)(documents) for number in (1, 2))
    assert [node.to_dict() for node in together] == [node.to_dict() for node in alone]
    assert len(together) > len(documents)
