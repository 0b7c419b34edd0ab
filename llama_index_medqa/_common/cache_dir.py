"""The folder of what this package can make again."""

import os
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """Return the folder for weights, vectors and logs.

    It is ``MEDQA_CACHE_DIR``, or the user's cache folder.
    """
    return Path(os.environ.get("MEDQA_CACHE_DIR") or platformdirs.user_cache_dir("llama-index-medqa")).expanduser()
