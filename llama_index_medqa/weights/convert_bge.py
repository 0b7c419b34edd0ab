"""Completes a BGE model with pooling, normalisation and prompts."""

import json
from pathlib import Path

from llama_index_medqa.errors import WeightsError
from llama_index_medqa.weights.encoder_folder import write_encoder_files

_MAX_TOKENS = 512
# Of the model's card: https://huggingface.co/BAAI/bge-small-en-v1.5
_PROMPTS = {"query": "Represent this sentence for searching relevant passages: ", "document": ""}


def complete(folder: Path) -> None:
    """Write the missing files of a BGE sentence encoder.

    They set CLS pooling, normalisation, the longest text and the prompts.

    Args:
        folder: with the model's ``config.json``.

    Raises:
        WeightsError: the model is not a BERT of 512 tokens.
    """
    configuration = json.loads((folder / "config.json").read_bytes())
    kind, positions = configuration.get("model_type"), configuration.get("max_position_embeddings")
    if (kind, positions) != ("bert", _MAX_TOKENS):
        raise WeightsError(
            f"{folder} holds a {kind!r} of {positions} tokens, and BGE is a 'bert' of {_MAX_TOKENS}. Give the folder "
            "of a BGE model"
        )
    write_encoder_files(
        folder,
        dimension=configuration["hidden_size"],
        pooling="cls",
        most_tokens=_MAX_TOKENS,
        prompts=_PROMPTS,
    )
