"""Files that make a folder of weights a sentence encoder for sentence-transformers."""

import json
from collections.abc import Mapping
from pathlib import Path

# The names that sentence-transformers has for them in 1_Pooling/config.json.
_POOLINGS = {
    "mean": {"pooling_mode_mean_tokens": True},
    "cls": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
}


def write_encoder_files(
    folder: Path, *, dimension: int, pooling: str, most_tokens: int, prompts: Mapping[str, str]
) -> None:
    """Write the settings of a sentence encoder.

    Modules, pooling, the longest text and the prompts.

    Args:
        folder: an existing folder with the weights and the tokenizer.
        dimension: length of the vectors.
        pooling: ``mean`` of the tokens' vectors, or ``cls``: that of the first token.
        most_tokens: most tokens of a text that are read, special ones included.
        prompts: what stands before a text, by the role of the text.
    """
    steps = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    write_json(
        folder / "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{step}"}
            for i, (path, step) in enumerate(steps)
        ],
    )
    (folder / "1_Pooling").mkdir()
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": dimension, **_POOLINGS[pooling]})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": most_tokens, "do_lower_case": False})
    write_json(
        folder / "config_sentence_transformers.json",
        {"prompts": dict(prompts), "default_prompt_name": None, "similarity_fn_name": "cosine"},
    )


def write_json(path: Path, content: object) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(content, indent=2) + "\n")
