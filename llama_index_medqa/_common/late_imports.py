"""Attributes that are imported when they are used, and moved modules."""

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def late_attributes(package: str, module_of: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` that imports a name's module.

    It does when the name is asked for.

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
    """Return a ``__getattr__`` for a module's former path.

    It warns, and takes every name from the new module.

    Args:
        module: the new path.
    """

    def get(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        warnings.warn(f"Import {name} from {module}.", DeprecationWarning, stacklevel=2)
        return getattr(import_module(module), name)

    return get


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for the former names of a module.

    It warns, and takes what has the new name.

    Args:
        module: the module's own name.
        names: the new name of each former one.
    """

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warnings.warn(f"{name} of {module} is now {names[name]}.", DeprecationWarning, stacklevel=2)
        return getattr(import_module(module), names[name])

    return get
