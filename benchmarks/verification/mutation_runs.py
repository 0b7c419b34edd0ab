"""Runs unit tests on changed modules, each in a fork of one process.

The process imports everything once.
"""

import ast
import contextlib
import gc
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from inspect import iscoroutinefunction, signature
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.common.provenance import ROOT

PACKAGE = "llama_index_medqa"
TESTS = ("tests/unit/verification", "tests/unit/text")
# Test files of a module: its own, and those whose imports lead to it over the fewest others.
_NEAREST = 3
# They load the model or need data of ``conftest``, so they are run on the module that they are named after only.
_SLOW = frozenset({"test_entailment.py", "test_detector.py"})
# A change may take so many times the processor's seconds that the tests do without it, before it counts as noticed.
_PATIENCE = 5
_EXAMPLES = 15
_MOST_MEMORY = 6 * 2**30
_HEAVY = ("llama_index.core.schema", "numpy", "onnxruntime", "tokenizers", "pint", "pytest", "hypothesis")


@contextlib.contextmanager
def copied_tree() -> Iterator[Path]:
    """Copy package and tests to a temporary folder, and import from there.

    Raises:
        RuntimeError: the package was imported before.
    """
    if PACKAGE in sys.modules:
        raise RuntimeError(f"{PACKAGE} is imported already: run the mutations in a process of their own.")
    with tempfile.TemporaryDirectory(prefix="medqa-mutations-") as folder:
        copy = Path(folder)
        ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
        for name in (PACKAGE, "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=ignore)
        shutil.copy(ROOT / "pyproject.toml", copy)
        os.chdir(copy)
        sys.path.insert(0, str(copy))
        yield copy


def preload(modules: Sequence[str]) -> None:
    """Import what the tests import, and the modules themselves.

    Forks need not do it again.

    Args:
        modules: names within the package.
    """
    from hypothesis import HealthCheck, Phase, settings

    for name in _HEAVY:
        with contextlib.suppress(ImportError):
            import_module(name)
    # The first failing example is enough, and the same examples are tried on each change.
    settings.register_profile(
        "mutations",
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=_EXAMPLES,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutations")
    for name in modules:
        import_module(f"{PACKAGE}.{name}")
        dependants(f"{PACKAGE}.{name}")
    pint = import_module("pint")
    pint.get_application_registry().Unit("gram")  # reads pint's definitions
    pint.UnitRegistry = cache(pint.UnitRegistry)
    pint.UnitRegistry(on_redefinition="ignore").Unit("gram")
    _pytest("--collect-only", "-qqq", "tests/unit/text/test_words.py")  # imports the plugins
    gc.freeze()


def notices(module: str, source: str, seconds: int = 3_600) -> bool:
    """Return whether a test fails on another source of a module, in a fork of this process.

    Args:
        module: its name within the package.
        source: what stands in its file's place; the tests run in the working directory.
        seconds: of the processor; what takes longer is noticed.
    """
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
        code = 1  # what breaks while it is imported is noticed too
        try:
            code = _run_tests(module, source)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) != 0


def seconds_allowed(module: str, source: str) -> int:
    """Return the CPU seconds that a change of a module may take.

    Raises:
        RuntimeError: the tests fail on the module as it is.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if notices(module, source):
        raise RuntimeError(f"The tests of {module} fail without a change: mend them first. {tests_of(module)}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 2 + _PATIENCE * round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + 1)


def _run_tests(module: str, source: str) -> int:
    """Run the tests of a module with another source, in a fork."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    _replace(module, source)
    left = [
        f"{file}::{name}"
        for file in tests_of(module)
        for name in call_tests(import_module(".".join(Path(file).with_suffix("").parts)))
    ]
    return _pytest(*left) if left else 0


def call_tests(module: ModuleType) -> list[str]:
    """Call a module's tests one by one.

    That is far quicker than collecting them by pytest.

    Returns:
        The names of those that were not called, because they have fixtures or are coroutines.

    Raises:
        BaseException: what the first failing test raises.
    """
    left = []
    for name, test in vars(module).items():
        if not name.startswith("test_"):
            continue
        cases: list[dict[str, Any]] = [{}]
        for mark in getattr(test, "pytestmark", []):
            if mark.name == "parametrize":
                cases = [{**case, **one} for one in _cases(*mark.args[:2]) for case in cases]
        if iscoroutinefunction(test) or any(signature(test).parameters.keys() != case.keys() for case in cases):
            left.append(name)
            continue
        for case in cases:
            test(**case)
    return left


def _cases(names: str | Sequence[str], values: Iterable[Any]) -> list[dict[str, Any]]:
    keys = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    rows = [getattr(value, "values", value) if type(value).__name__ == "ParameterSet" else value for value in values]
    return [dict(zip(keys, row if len(keys) > 1 else [row], strict=True)) for row in rows]


def _pytest(*arguments: str) -> int:
    import pytest

    return int(
        pytest.main(["-x", "-q", "--tb=no", "--assert=plain", "--noconftest", "-p", "no:cacheprovider", *arguments])
    )


def _replace(module: str, source: str) -> None:
    """Replace a module's source, and forget all imports on top of it."""
    name = f"{PACKAGE}.{module}"
    for other in {name, *dependants(name)} & sys.modules.keys():
        del sys.modules[other]
        parent, _, short = other.rpartition(".")
        if parent in sys.modules and hasattr(sys.modules[parent], short):
            delattr(sys.modules[parent], short)
    spec = find_spec(name)
    assert spec is not None
    changed = module_from_spec(spec)
    sys.modules[name] = changed
    exec(compile(source, str(spec.origin), "exec"), changed.__dict__)
    parent, _, short = name.rpartition(".")
    setattr(import_module(parent), short, changed)


@cache
def dependants(name: str) -> frozenset[str]:
    """Return the modules that import a module, directly or indirectly."""
    found, waiting = set[str](), [name]
    while waiting:
        one = waiting.pop()
        for other, imported in _imports().items():
            if one in imported and other not in found:
                found.add(other)
                waiting.append(other)
    return frozenset(found - {name})


@cache
def tests_of(module: str) -> tuple[str, ...]:
    """Return the test files of a module, its own first.

    Then those whose imports lead to it over the fewest others.

    Paths are relative to the working directory.
    """
    folder, _, short = module.rpartition(".")
    own = f"tests/unit/{folder.replace('.', '/')}/test_{short}.py"
    distances = {}
    for file in sorted(path for folder in TESTS for path in Path(folder).rglob("test_*.py")):
        distance = _distance(_imported_by(file), f"{PACKAGE}.{module}")
        if distance is not None and (str(file) == own or file.name not in _SLOW):
            distances[str(file)] = (str(file) != own, distance, file.name)
    return tuple(sorted(distances, key=distances.__getitem__)[:_NEAREST])


def _distance(imported: frozenset[str], name: str) -> int | None:
    """Return the number of imports to a module; None where there is no way."""
    seen, near, distance = set[str](), set(imported), 1
    while near:
        if name in near:
            return distance
        seen |= near
        near = {other for one in near for other in _imports().get(one, frozenset())} - seen
        distance += 1
    return None


@cache
def _imports() -> Mapping[str, frozenset[str]]:
    """Return the imports of each module of the package.

    In the working directory, of the package itself.
    """
    files = {path: ".".join(path.with_suffix("").parts) for path in Path(PACKAGE).rglob("*.py")}
    return {name: _imported_by(path) for path, name in files.items() if path.name != "__init__.py"}


def _imported_by(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith((PACKAGE, "tests.unit")):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    helpers = {name for name in found if name.startswith("tests.") and (path := _file_of(name)) and path != file}
    return frozenset(found).union(*(_imported_by(path) for name in helpers if (path := _file_of(name))))


def _file_of(name: str) -> Path | None:
    path = Path(*name.split(".")).with_suffix(".py")
    return path if path.exists() else None
