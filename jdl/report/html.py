"""The page around the report: its style, its one script, and tables that can be sorted."""

from collections.abc import Sequence
from html import escape
from typing import Any

STYLE = """
:root { --ink: #1b1f24; --soft: #5c6670; --line: #d9dee3; --paper: #fff; --wash: #f5f7f9;
  --c0: #1f6feb; --c1: #c2410c; --c2: #15803d; --c3: #7e22ce; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa5b1; --line: #333b44;
  --paper: #14181d; --wash: #1c2229; --c0: #6ca6ff; --c1: #ff9d66; --c2: #5fd38a; --c3: #c99bff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: .95rem; margin: 0 0 .25rem; } .wide + h3 { margin-top: 1.5rem; }
.many td { white-space: nowrap; }
p { margin: .4rem 0; max-width: 46rem; }
.lead { font-size: 1.1rem; background: var(--wash); border-left: 4px solid var(--c0); padding: .75rem 1rem;
  max-width: none; }
.soft, footer { color: var(--soft); }
footer { font-size: .875rem; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 1.25rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: middle; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--c0); outline-offset: 2px; }
th[aria-sort] button::after { content: " ▾"; } th[aria-sort="ascending"] button::after { content: " ▴"; }
.n { text-align: right; }
figure { margin: 0; }
svg { width: 100%; height: auto; max-height: 22rem; display: block; }
svg.spark { width: 96px; height: 22px; }
.tick, .label { font-size: 10px; fill: var(--soft); } .label { fill: var(--ink); }
.key { font-size: 11px; } .count { font-size: 10px; fill: var(--ink); }
.axis { fill: none; stroke: var(--soft); } .rule { stroke: var(--line); stroke-width: .5; }
.line { fill: none; stroke-width: 1.8; } .guide { fill: none; stroke: var(--soft); stroke-dasharray: 3 3; }
.bar { fill: var(--c0); } .faint { fill-opacity: .35; }
path.c0 { stroke: var(--c0); } path.c1 { stroke: var(--c1); } path.c2 { stroke: var(--c2); }
path.c3 { stroke: var(--c3); }
text.c0, .dot.c0 { fill: var(--c0); } text.c1, .dot.c1 { fill: var(--c1); } 
text.c2, .dot.c2 { fill: var(--c2); } text.c3, .dot.c3 { fill: var(--c3); }
@media print { body { max-width: none; padding: 0; font-size: 11pt; }
  section, figure, tr { break-inside: avoid; } th button { pointer-events: none; } }
"""

SCRIPT = """
document.querySelectorAll("th button").forEach(button => button.addEventListener("click", () => {
  const th = button.parentElement, table = th.closest("table"), body = table.tBodies[0];
  const up = th.getAttribute("aria-sort") === "descending", at = th.cellIndex;
  table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  th.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = row => row.cells[at].dataset.v ?? row.cells[at].textContent;
  [...body.rows].sort((a, b) => {
    const x = key(a), y = key(b), n = x - y;
    return (Number.isNaN(n) ? x.localeCompare(y) : n) * (up ? 1 : -1);
  }).forEach(row => body.append(row));
}));
"""


class Raw(str):
    """Text that is HTML already."""


def page(title: str, body: str) -> str:
    """Give the whole page; it asks for nothing from anywhere."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<link rel="icon" href="data:,">\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n'
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """Give a section under a heading."""
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def figures(*each: tuple[str, str]) -> str:
    """Lay figures out beside one another, each under its title."""
    cells = (f"<div><h3>{escape(title)}</h3>{figure}</div>" for title, figure in each)
    return f'<div class="row">{"".join(cells)}</div>'


def text(words: str, kind: str = "") -> str:
    """Give a paragraph."""
    return f'<p class="{kind}">{escape(words)}</p>' if kind else f"<p>{escape(words)}</p>"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Give a table that sorts at a click: numbers to the right."""
    right = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(head))]
    top = "".join(
        f'<th{_kind(number)}><button type="button">{escape(name)}</button></th>'
        for name, number in zip(head, right, strict=True)
    )
    lines = (
        "<tr>" + "".join(_cell(value, number) for value, number in zip(row, right, strict=True)) + "</tr>"
        for row in rows
    )
    many = ' class="many"' if len(head) > 8 else ""
    inner = f"<thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="wide"><table{many}>{inner}</table></div>'


def _cell(value: Any, number: bool) -> str:
    if isinstance(value, Raw):
        return f"<td>{value}</td>"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td>{escape(str(value))}</td>"
    shown = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return f'<td{_kind(number)} data-v="{value!r}">{shown}</td>'


def _kind(number: bool) -> str:
    return ' class="n"' if number else ""
