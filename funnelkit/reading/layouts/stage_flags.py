"""Flags of stages: a table with a row for each customer and a yes or no for each stage -> a row a stage and group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from funnelkit.language import Text, both, quoted, say
from funnelkit.pipeline import Finding
from funnelkit.reading.cells.dates import is_date
from funnelkit.reading.cells.numbers import is_number
from funnelkit.reading.cells.text import cell_text
from funnelkit.reading.containers.options import ReadOptions, Table
from funnelkit.reading.layouts.evidence import sample_texts
from funnelkit.reading.layouts.outcomes import flag_texts, is_flags
from funnelkit.reading.layouts.presets import key, preset_data

_FEWEST = 3  # columns of flags: two agree too often by chance
_MOST_VALUES, _MOST_GROUPS = 20, 500  # of a column to count by, of all together
_OTHERWISE = ("stage", "status", "is_won", "is_closed", "is_lost", "won_at", "lost_at", "closed_at", "n_entered")


def with_flags(table: Table, options: ReadOptions, layout: str | None = None) -> Table:
    """Return the table; one that flags each stage reached counted, by its columns of few names.

    All columns of flags must be stages, in the columns' order: in no row does a yes follow a no.
    """
    flags = [] if layout not in (None, "counts") or options.map else stages_flagged(table)
    reached = _flags(table, flags)
    if len(flags) < _FEWEST or (reached[:, 1:] & ~reached[:, :-1]).any():
        return table
    if reached[:, 0].sum() == reached[:, -1].sum() or {"stage", "n_entered"} & set(table.cells.columns):
        return table
    kept = _groups(table, [header for header in table.cells.columns if header not in flags])
    cells = pd.concat([table.cells[kept], pd.DataFrame(reached.astype("int64"), table.cells.index, flags)], axis=1)
    cells = cells.groupby(kept, sort=False, as_index=False)[flags].sum() if kept else cells.sum().to_frame().T
    cells = cells.melt(id_vars=kept, value_vars=flags, var_name="stage", value_name="n_entered")
    left = ", ".join(header for header in table.cells.columns if header not in [*flags, *kept]) or "-"
    values = {"n": len(flags), "n_rows": len(table.cells), "left": left}
    told = Finding("counts_by_flag", "note", table.name, 1, value=", ".join(flags), values=values)
    lines = np.full(len(cells), table.lines[0])
    return replace(table, cells=cells.astype({"n_entered": "str"}), lines=lines, notes=(*table.notes, told))


def stages_flagged(table: Table) -> list[str]:
    """Return the columns of flags of a table that has no other sign of a stage, an outcome or a second row an id."""
    aliases = preset_data("generic")["columns"]
    other = {key(name) for canonical in _OTHERWISE for name in [canonical, *aliases.get(canonical, ())]}
    ids = {key(name) for name in ["deal_id", *aliases["deal_id"]]}
    headers = list(table.cells.columns)
    if any(key(header) in other for header in headers):
        return []
    for header in headers:
        if key(header) in ids and table.cells[header].duplicated().any():
            return []
    return [header for header in headers if key(header) not in ids and _is_flag(table.cells[header])]


def flags_hint(table: Table) -> Text | str:
    """Return what to do about flags that are no stages in the columns' order, nothing where there are none."""
    flags = stages_flagged(table)
    reached = _flags(table, flags)
    wrong = np.flatnonzero((reached[:, 1:] & ~reached[:, :-1]).any(axis=1))
    if len(flags) < _FEWEST or not len(wrong):
        return ""
    named, first = quoted(flags), int(table.lines[wrong[0]])
    return both(lambda: say("errors.maybe_flags", names=named, n=len(wrong), line=first))


def _is_flag(cells: pd.Series) -> bool:
    texts = cell_text(cells)
    return bool(texts.notna().all()) and len(texts) > 1 and is_flags(texts)


def _flags(table: Table, headers: Sequence[str]) -> np.ndarray:
    """Return which rows say yes, a column each."""
    yes = flag_texts()[0]
    columns = [cell_text(table.cells[header]).str.strip().str.casefold().isin(yes).to_numpy(bool) for header in headers]
    return np.column_stack(columns) if columns else np.zeros((len(table.cells), 0), dtype=bool)


def _groups(table: Table, headers: Sequence[str]) -> list[str]:
    """Return the columns of few names, none missing, as long as they make few groups."""
    kept: list[str] = []
    for header in headers:
        names = sample_texts(table.cells[header]).unique()
        fits = 2 <= len(names) <= _MOST_VALUES and not any(is_number(name) or is_date(name) for name in names)
        if fits and cell_text(table.cells[header]).notna().all() and table.cells[header].nunique() <= _MOST_VALUES:
            grown = table.cells[[*kept, header]].drop_duplicates()
            kept += [header] if len(grown) <= min(_MOST_GROUPS, len(table.cells) / 2) else []
    return kept
