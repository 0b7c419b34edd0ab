"""The templates of the pages that are one HTML file."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(str(__package__)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render_page(name: str, filters: Mapping[str, Callable[..., Any]] | None = None, /, **values: Any) -> str:
    """Return a page with its style inside.

    Every value is escaped, unless it is ``Markup``.

    Args:
        name: of the files ``NAME.html`` and ``NAME.css`` in the folder ``templates``.
        filters: functions that its template calls by name.
        values: what it shows.
    """
    from markupsafe import Markup

    environment = _environment().overlay()
    environment.filters = {**environment.filters, **(filters or {})}
    style = (files(str(__package__)) / f"templates/{name}.css").read_text(encoding="utf-8")
    template = environment.get_template(f"{name}.html")
    return template.render(style=Markup(style.strip()), **values)  # noqa: S704  # our own file
