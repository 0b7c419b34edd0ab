"""Lets LLaMA-Factory be imported where torchaudio cannot be."""

import importlib
import importlib.machinery
import sys
import types


def make_torchaudio_importable() -> None:
    """Install an empty module if torchaudio cannot be imported.

    LLaMA-Factory 0.9.5 imports it for models that hear (data/mm_plugin.py). The wheel on PyPI is linked against CUDA
    and cannot be loaded beside a torch without it.
    """
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        empty = types.ModuleType("torchaudio")
        # transformers looks at it to tell whether the package is installed.
        empty.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
        sys.modules["torchaudio"] = empty
