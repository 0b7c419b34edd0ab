"""Plots as SVG text for an HTML page, without scripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from llama_index_medqa._common.counts import counted
from llama_index_medqa.evaluation.gate.junit_markdown import number
from llama_index_medqa.evaluation.statistics.intervals import Estimate

_WIDTH, _ROW, _LABELS, _EDGE = 720.0, 44.0, 210.0, 50.0


@dataclass(frozen=True)
class _Axis:
    """A linear scale from values to horizontal positions."""

    low: float
    high: float
    left: float
    right: float

    def position(self, value: float) -> float:
        return self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left)


_PAIR = "Means with 95 % intervals: baseline above, candidate below"
# The light colours of the gate's report, for a picture that stands alone.
_ALONE = (
    "svg { background: #fff } text { font: 12px system-ui, sans-serif; fill: #1d2733 } "
    ".tick { fill: #5c6b7a; font-size: 11px; text-anchor: middle } .end { text-anchor: end } "
    ".grid { stroke: #d9e0e7 } g line { stroke: currentColor; stroke-width: 2.5 } g circle { fill: currentColor } "
    "g.baseline { color: #7a8899 } g.candidate { color: #1f6feb }"
)


def means_plot(rows: Sequence[tuple[str, Estimate | None, Estimate | None]], title: str = _PAIR) -> str:
    """Draw means with intervals on an axis from 0 to 1.

    Each measure has a row, with the baseline above the candidate.

    Args:
        rows: name, baseline and candidate of each measure.
        title: of the plot.
    """
    axis = _Axis(0.0, 1.0, _LABELS, _WIDTH - _EDGE)
    bottom = _ROW * len(rows)
    parts = [_tick(axis, tick, bottom, f"{tick:.1f}") for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    for number_of_row, (name, before, after) in enumerate(rows):
        middle = _ROW * (number_of_row + 0.5)
        parts.append(_label(name, middle))
        parts.extend(
            _whisker(axis, one, middle + shift, kind)
            for one, shift, kind in ((before, -7, "baseline"), (after, 7, "candidate"))
            if one
        )
    return _svg(parts, bottom + 24, title)


def standalone(svg: str) -> str:
    """Return a plot as a file of its own.

    The title is part of the picture.
    """
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        "<title>", f"<style>{_ALONE}</style><title>", 1
    )


def difference_plot(name: str, difference: Estimate, margin: float | None, verdict: str) -> str:
    """Draw a mean difference with its interval.

    The axis is its own. Lines mark no difference and the margin.

    Args:
        name: of the measure.
        difference: positive where the candidate is better.
        margin: worsening that is allowed; None draws no line.
        verdict: decides the colour.
    """
    reach = max(abs(difference.low), abs(difference.high), 1.3 * (margin or 0.0)) * 1.1 or 0.1
    axis = _Axis(-reach, reach, _LABELS, _WIDTH - _EDGE)
    parts = [_label(name, _ROW / 2), _tick(axis, 0.0, _ROW, "0")]
    parts.extend(_text(axis.position(end), _ROW + 15, number(end), "tick") for end in (-reach, reach))
    if margin:
        x = axis.position(-margin)
        parts.append(f'<line class="margin" x1="{x:.1f}" y1="2" x2="{x:.1f}" y2="{_ROW:.1f}"/>')
    parts.append(_whisker(axis, difference, _ROW / 2, verdict.replace(" ", "-")))
    return _svg(parts, _ROW + 22, f"{name}: candidate minus baseline")


def cases_plot(name: str, differences: Sequence[float]) -> str:
    """Draw a bar for each case, the worst change first.

    Args:
        name: of the measure.
        differences: positive where the candidate is better; at least one.
    """
    ordered = sorted(differences)
    reach = max(1e-9, *map(abs, ordered))
    left, right, middle, height = _EDGE, _WIDTH - _EDGE, 60.0, 52.0
    width = (right - left) / len(ordered)
    parts = [f'<line class="axis" x1="{left}" y1="{middle}" x2="{right}" y2="{middle}"/>']
    for position, value in enumerate(ordered):
        size = abs(value) / reach * height
        if size:
            top, kind = (middle - size, "better") if value > 0 else (middle, "worse")
            corner = f'x="{left + position * width:.2f}" y="{top:.2f}"'
            parts.append(f'<rect class="{kind}" {corner} width="{max(width * 0.9, 0.4):.2f}" height="{size:.2f}"/>')
    parts.extend(
        _text(left - 6, y, text, "tick end") for y, text in ((14, f"+{number(reach)}"), (116, f"-{number(reach)}"))
    )
    worse, better = sum(value < 0 for value in ordered), sum(value > 0 for value in ordered)
    title = f"{name}: {counted(worse, 'case')} worse, {len(ordered) - worse - better} equal, {better} better"
    return _svg(parts, 2 * middle, title)


def _svg(parts: Sequence[str], height: float, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _label(name: str, middle: float) -> str:
    return _text(_LABELS - 14, middle + 4, name, "label end")


def _tick(axis: _Axis, value: float, bottom: float, text: str) -> str:
    x = axis.position(value)
    line = f'<line class="grid" x1="{x:.1f}" y1="2" x2="{x:.1f}" y2="{bottom:.1f}"/>'
    return line + _text(x, bottom + 15, text, "tick")


def _whisker(axis: _Axis, estimate: Estimate, y: float, kind: str) -> str:
    low, mean, high = (axis.position(value) for value in (estimate.low, estimate.mean, estimate.high))
    return (
        f'<g class="{kind}"><line x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}"/>'
        f'<circle cx="{mean:.1f}" cy="{y:.1f}" r="4.5"/></g>'
    )


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
