"""Attributes of a package that are imported when they are first asked for, and modules that have moved."""

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def late_attributes(package: str, module_of: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a package that imports a name's module when the name is asked for.

    Args:
        package: the package's own name, for the error.
        module_of: for each name the module that defines it.
    """

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(module_of[name]), name)

    return get


def moved_to(module: str) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module's former path: it warns, and takes every name from the new one.

    Args:
        module: the new path.
    """

    def get(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        warnings.warn(f"Import {name} from {module}.", DeprecationWarning, stacklevel=2)
        return getattr(import_module(module), name)

    return get
