"""Padded batches of tokens for a model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# What a tokenizer makes of texts: input_ids, attention_mask and token_type_ids, each with a list of integers a text.
Tokens = Mapping[str, list[list[int]]]
# The same for some of them, padded: arrays of shape (texts, tokens).
Batch = Mapping[str, NDArray[np.int64]]


class TextTokenizer:
    """Tokenizes texts for a model, and pads the texts of a batch.

    Args:
        tokenizer: says by its truncation how much of a text is read, and by its padding what is put on which side.

    Attributes:
        most_tokens: most tokens of a text that are read, special ones included; the rest is cut off.

    Raises:
        ValueError: it has no truncation or no padding.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        if not (tokenizer.truncation and tokenizer.padding):
            raise ValueError("A TextTokenizer needs a tokenizer with truncation and padding switched on")
        self._tokenizer = tokenizer
        self._padding: dict[str, Any] = tokenizer.padding
        self.most_tokens = int(tokenizer.truncation["max_length"])
        # Texts are sorted by length before they are padded.
        tokenizer.no_padding()

    @classmethod
    def of(cls, tokenizer: "PreTrainedTokenizerFast", most_tokens: int) -> Self:
        """Take over a tokenizer of transformers.

        It is changed, and must not be used elsewhere any more.

        Args:
            tokenizer: of a model.
            most_tokens: most tokens of a text that the model reads, special ones included.
        """
        fast: Tokenizer = tokenizer.backend_tokenizer
        fast.enable_truncation(most_tokens, direction=tokenizer.truncation_side)
        # What a token is filled up with matters to no model: the attention mask hides it.
        fast.enable_padding(
            direction=tokenizer.padding_side,
            pad_id=tokenizer.pad_token_id or 0,
            pad_type_id=tokenizer.pad_token_type_id,
            pad_token=str(tokenizer.pad_token),
        )
        return cls(fast)

    @property
    def splits_special_tokens(self) -> bool:
        """Return whether special tokens in a text are read as ordinary text."""
        splits: bool = self._tokenizer.encode_special_tokens
        return splits

    @classmethod
    def load(cls, path: Path, splits_special_tokens: bool) -> Self:
        """Load a tokenizer from a file of :meth:`save`.

        The file does not hold ``splits_special_tokens``.
        """
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.encode_special_tokens = splits_special_tokens
        return cls(tokenizer)

    def save(self, path: Path) -> None:
        """Save the tokenizer with its truncation and padding.

        :attr:`splits_special_tokens` is not saved.
        """
        options = {name: value for name, value in self._padding.items() if value is not None}
        self._tokenizer.enable_padding(**options)
        self._tokenizer.save(str(path))
        self._tokenizer.no_padding()

    def tokenize(self, texts: Sequence[str]) -> tuple[Tokens, int]:
        """Return the unpadded tokens of texts, and how many were cut.

        Args:
            texts: with their prefixes.
        """
        encodings = self._tokenizer.encode_batch(list(texts))
        tokens = {
            "input_ids": [encoding.ids for encoding in encodings],
            "attention_mask": [encoding.attention_mask for encoding in encodings],
            "token_type_ids": [encoding.type_ids for encoding in encodings],
        }
        return tokens, sum(bool(encoding.overflowing) for encoding in encodings)

    def pad(self, tokens: Tokens, rows: Sequence[int]) -> Batch:
        """Pad some of the texts to one batch.

        Args:
            tokens: of :meth:`tokenize`.
            rows: which of the texts.
        """
        fillers = {"input_ids": self._padding["pad_id"], "token_type_ids": self._padding["pad_type_id"]}
        longest = max(len(tokens["input_ids"][row]) for row in rows)
        left = self._padding["direction"] == "left"
        padded = {}
        for name, values in tokens.items():
            array = np.full((len(rows), longest), fillers.get(name, 0), dtype=np.int64)
            for line, row in zip(array, rows, strict=True):
                start = longest - len(values[row]) if left else 0
                line[start : start + len(values[row])] = values[row]
            padded[name] = array
        return padded

    def batch_of(self, texts: Sequence[str]) -> Batch:
        """Tokenize and pad texts to one batch."""
        tokens, _ = self.tokenize(texts)
        return self.pad(tokens, range(len(texts)))


def plan_batches(lengths: Sequence[int], most_tokens: int) -> list[list[int]]:
    """Group texts of similar length within a number of padded tokens.

    Args:
        lengths: tokens of each text.
        most_tokens: of a group, padding included. A text that is longer by itself is a group of its own.

    Returns:
        Indices into ``lengths``, the longest texts first, so that a lack of memory shows at once.
    """
    groups: list[list[int]] = []
    most_texts = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if not groups or len(groups[-1]) == most_texts:
            most_texts = max(1, most_tokens // max(1, lengths[index]))
            groups.append([])
        groups[-1].append(index)
    return groups
