"""Tables and sentences for people: labels and formats of the language, everything escaped.

`show(table)` is the one way from a tidy table to a page; it renders as HTML and as aligned text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from html import escape
from typing import Any, Protocol

import numpy as np
import pandas as pd

from funnelkit.language.formats import DASH, change_text, day, is_report, money, number, percent, rate_text
from funnelkit.language.terminal import align, tame_cell
from funnelkit.language.texts import label, language, say

FIGURES = "application/vnd.funnelkit.figures+json"
TABLE = "application/vnd.funnelkit.table+json"
_RATE_PARTS = ("k", "n", "low", "high", "floor", "ceiling")
_RATE_WINDOW = ("basis", "horizon_days")  # together they tell of the rate beside them; a basis alone is a column
_CHANGE_PARTS = ("change_low", "change_high")
_MONEY = ("value", "amount", "price", "sales")
_WORDS = ("status", "state", "verdict", "basis")
# A number with sign, currency and percent, and behind it an interval, a count or the end of a range.
_NUMBER = re.compile(
    r"[+−-]?(?:CN¥|US\$|[¥€$£]|[A-Z]{3}\xa0)?[−-]?\d[\d,]*(?:\.\d+)?\xa0?[KMB万亿]?%?(?: ?[\[(（–～].*)?"
)
_FRACTIONS = ("share", "rate", "ratio", "win_probability", "p_best", "peer_rate", "target_rate")
_PREFIXES = {"exit": "exit_", "part": "part_of_"}  # of the labels of these columns' values


class Model(Protocol):
    """What a table asks of a funnel model: the names of its stages and states."""

    @property
    def stages(self) -> tuple[Any, ...]: ...

    @property
    def states(self) -> tuple[Any, ...]: ...


@dataclass(frozen=True)
class Shown:
    """Something to display: HTML for pages, text for terminals and tests; figures and table for a report's exports."""

    html: str
    text: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    table: Mapping[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/html": self.html, "text/plain": self.text}
        return bundle | numbers_of_run(self.figures, self.table)


def numbers_of_run(figures: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report's kernel sends beside what is shown; nothing elsewhere: no notebook keeps hidden numbers."""
    if not is_report():
        return {}
    return {kind: dict(content) for kind, content in ((FIGURES, figures), (TABLE, table)) if content}


def show(
    table: pd.DataFrame,
    *,
    model: Model | None = None,
    caption: str | None = None,
    figures: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
    currency: str | None = None,
    most: int | None = None,
) -> Shown:
    """Return a table ready to display, its columns named and formatted in the language in force.

    Parameters
    ----------
    table : DataFrame
        k, n, rate, low, high (basis, horizon_days) become one cell, and so do change, change_low, change_high (points).
    model : Funnel, optional
        Names stages and states.
    caption, figures, names, currency : optional
        Title; numbers for a report's summary; {column: label to bear}; ISO code of the amounts.
    most : int, optional
        Rows beyond it are counted, not shown; a few more (a quarter) are shown, as two years of months are.

    Returns
    -------
    Shown

    Examples
    --------
    >>> print(show(pd.DataFrame({"owner": ["Li"], "n_won": [1234]})).text)
    Owner    Won
    Li     1,234
    """
    rest = len(table) - most if most is not None and len(table) > most + most // 4 else 0
    cells, numeric = cell_texts(table.head(most) if rest else table, model, currency)
    head = [label((names or {}).get(name, name)) for name in cells]
    html, text = _laid_out([head, *zip(*cells.values(), strict=True)], numeric, caption, rest)
    return Shown(html, text, figures or {}, raw(table))


def _laid_out(
    rows: Sequence[Sequence[str]], numeric: Sequence[bool], caption: str | None, rest: int
) -> tuple[str, str]:
    """Return (HTML, text) of rows of cells, the first their heads; `rest` rows more are only counted."""
    head = _html_row("th", rows[0], numeric)
    body = "".join(_html_row("td", row, numeric) for row in rows[1:])
    more = say("language.present.more_rows", n=number(rest)) if rest else ""
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    html = f'<table class="fk">{title}<thead>{head}</thead><tbody>{body}</tbody></table>'
    html += f'<p class="fk fk-note">{escape(more)}</p>' if more else ""
    lines = [caption, align(rows, right=[i for i, right in enumerate(numeric) if right]), more]
    return html, "\n".join(line for line in lines if line)


def raw(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table's values as JSON holds them, for spreadsheets: numbers stay numbers, days are texts."""
    columns = [map(_json_value, column.tolist()) for _, column in table.items()]
    rows = [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(len(table))]
    return {"columns": [str(name) for name in table.columns], "rows": rows}


def _json_value(value: Any) -> Any:
    if type(value) in (str, int, bool):  # most cells: pandas' own questions cost microseconds each
        return value
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d" if value == value.normalize() else "%Y-%m-%d %H:%M:%S")
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return None
    if pd.api.types.is_bool(value):
        return bool(value)
    if pd.api.types.is_number(value):
        return int(value) if pd.api.types.is_integer(value) else float(value) if math.isfinite(value) else None
    return str(value)


def cell_texts(
    table: pd.DataFrame, model: Model | None = None, currency: str | None = None
) -> tuple[dict[Any, list[str]], list[bool]]:
    """Return ({column: texts}, [is numeric]): a table as people read it, before any markup."""
    rated = {"rate", "low", "high", "n"} <= set(table.columns)
    changed = {"change", *_CHANGE_PARTS} <= set(table.columns)
    parts = (*_RATE_PARTS, *(_RATE_WINDOW if set(_RATE_WINDOW) <= set(table.columns) else ()))
    cells: dict[Any, list[str]] = {}
    numeric = []
    for name in table.columns:
        if rated and name == "rate":
            rows = table.to_dict("records")  # a stage without promotion has no rate at all
            cells[name] = [DASH if pd.isna(row["n"]) else rate_text(row) for row in rows]
        elif changed and name == "change":
            cells[name] = [change_text(row) for row in table.to_dict("records")]
        elif (rated and name in parts) or (changed and name in _CHANGE_PARTS):
            continue
        else:
            cells[name] = _cells(table[name], str(name), model, currency)
        rate = rated and name == "rate"
        numeric.append(rate or _is_number(table[name].dtype) or _read_as_numbers(cells[name]))
    return cells, numeric


def _is_number(dtype: Any) -> bool:
    return bool(pd.api.types.is_numeric_dtype(dtype)) and not pd.api.types.is_bool_dtype(dtype)


def _read_as_numbers(texts: Sequence[str]) -> bool:
    """Return True for cells that people read as numbers: amounts, rates with their interval, ranges."""
    known = [text for text in texts if text != DASH]
    return bool(known) and all(map(_NUMBER.fullmatch, known))


def _decimals(name: str, column: pd.Series[Any]) -> int:
    """Return how many decimals a column of numbers needs: none for money and whole numbers."""
    if not pd.api.types.is_numeric_dtype(column.dtype) or name.startswith(_MONEY):
        return 0
    values = column.to_numpy(dtype=float, na_value=np.nan)
    known = values[np.isfinite(values)]
    whole = np.isclose(known, known.round(), rtol=1e-8, atol=0).all()  # 39.9999999 customers are 40
    return 0 if whole else 1 if np.abs(known).max() >= 100 else 2


def _cells(column: pd.Series[Any], name: str, model: Model | None, currency: str | None) -> list[str]:
    if model is not None and (name in ("state", "gate", "point") or name.endswith("stage")):
        return _part_names(column, model)
    decimals = _decimals(name, column)
    return [_cell(value, name, decimals, currency) for value in column.tolist()]


def _cell(value: Any, name: str, decimals: int, currency: str | None) -> str:
    if isinstance(value, pd.Timestamp):
        return day(value) if language() == "en" else f"{value:%Y-%m-%d}"
    if isinstance(value, bool):
        return say(f"language.present.{str(value).lower()}")
    if isinstance(value, Decimal):
        return number(value, 2)
    if isinstance(value, (int, float)) or pd.api.types.is_number(value):
        if name.startswith(_FRACTIONS):
            return percent(value)
        return (
            money(value, currency) if name.startswith(_MONEY) and (currency or is_report()) else number(value, decimals)
        )
    if value is None or value is pd.NA or value is pd.NaT:
        return DASH
    if name in _PREFIXES and (named := label(_PREFIXES[name] + str(value))) != _PREFIXES[name] + str(value):
        return named
    return label(value) if name in _WORDS else tame_cell(str(value))


def _part_names(values: pd.Series[Any], model: Model) -> list[str]:
    """Return the names of stages or states of the model; what the model does not hold stays as it is."""
    names = {part.id: str(part.name) for part in (*model.stages, *model.states)}
    return [names.get(value) or (DASH if pd.isna(value) else label(value)) for value in values.tolist()]


def _html_row(tag: str, cells: Sequence[object], numeric: Sequence[bool]) -> str:
    inner = "".join(
        # In place, for JupyterLab's own rule sets every cell flush right.
        f'<{tag} class="r" style="text-align:right">{escape(str(cell))}</{tag}>'
        if right
        else f'<{tag} style="text-align:left">{escape(str(cell))}</{tag}>'
        for cell, right in zip(cells, numeric, strict=True)
    )
    return f"<tr>{inner}</tr>"


def note(text: str, kind: str = "note") -> Shown:
    """Return a sentence as a box of its kind: note, warn, good."""
    return Shown(f'<p class="fk fk-{kind}">{escape(text)}</p>', text)


def bullets(texts: Iterable[str], kind: str = "note") -> Shown:
    """Return sentences as a list, each escaped."""
    texts = list(texts)
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return Shown(f'<ul class="fk fk-{kind}">{items}</ul>', "\n".join(f"- {text}" for text in texts))
