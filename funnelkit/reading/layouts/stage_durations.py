"""Elapsed: seconds spent in each stage (Odoo's duration_tracking) -> when each stage was entered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from funnelkit.language import fold
from funnelkit.models import Funnel
from funnelkit.pipeline import Limit
from funnelkit.reading.layouts.presets import key
from funnelkit.reading.layouts.stage_names import Naming
from funnelkit.reading.sheet import Sheet

_Spent: TypeAlias = "dict[str, float] | str"  # seconds by stage id; bad where they cannot be read
_Row: TypeAlias = tuple[pd.Timestamp, Any, pd.Timestamp]  # created, current stage, last change
SLACK = pd.Timedelta(seconds=60)  # between a rebuilt entry and the one the source states


def take_elapsed(sheet: Sheet, naming: Naming, model: Funnel) -> None:
    """Rebuild stage entries from creation and the seconds per stage, added up in the order of the stages.

    That is right for a deal that never returned. One that stands before a stage it has been in, or whose last change
    is dated otherwise, has returned: of its stages it is known that they were entered, not when (`sheet.undated`).
    """
    header = sheet.mapping.columns["durations"]
    spent = sheet.frame["durations"].map(_seconds, na_action="ignore")
    sheet.set_aside(np.array([found == "bad" for found in spent], dtype=bool) & sheet.good, "not_durations", header)
    names = _stage_ids(spent[sheet.good], sheet.stage_names[sheet.good], naming, model)
    unknown = sorted({text for found in spent[sheet.good].dropna() for text in found} - set(names))
    if unknown:
        value = ", ".join(unknown[:10])
        sheet.journal.add("durations_unknown", "warn", file=sheet.table.name, column=header, value=value)
    enter_stages(sheet, spent, names, model, {})


def enter_stages(
    sheet: Sheet, spent: pd.Series, names: Mapping[str, str], model: Funnel, headers: Mapping[str, str]
) -> None:
    """Take the entries that the seconds of each row by stage (`names`: id -> stage) tell; `headers`: their columns."""
    entries = [_rebuilt(found, row, names, model) for found, row in zip(spent, _rows(sheet), strict=True)]
    for stage in model.stage_ids:
        times = pd.Series([entry[0].get(stage) for entry in entries], sheet.frame.index, dtype="datetime64[us]")
        if times.notna().any() and stage not in sheet.wide.values():
            sheet.wide[headers.get(stage, f"durations {stage}")] = stage
            sheet.frame[f"wide {stage}"] = times
    sheet.undated = {stage: np.array([stage in entry[1] for entry in entries], dtype=bool) for stage in model.stage_ids}
    if any(entry[0] for entry in entries):
        sheet.limits.append(Limit("dates_from_durations", {"n": sum(bool(entry[1]) for entry in entries)}))


def _rows(sheet: Sheet) -> Iterator[_Row]:
    """Yield (created, current stage, last change) of each row."""
    none = pd.Series(np.datetime64("NaT", "us"), sheet.frame.index)
    created, changed = (sheet.frame.get(name, none) for name in ("created_at", "stage_changed_at"))
    return zip(created, sheet.frame["stage"].astype("object"), changed, strict=True)


def _seconds(text: str) -> _Spent:
    """Return {stage id: seconds} of a cell, `bad` where it is none."""
    try:
        found = json.loads(text.replace("'", '"'))
        found = {str(name): float(value) for name, value in found.items() if name not in ("d", "s")}
    except (ValueError, TypeError, AttributeError):
        return "bad"
    return found if all(np.isfinite(value) and value >= 0 for value in found.values()) else "bad"


def _stage_ids(spent: pd.Series, stages: pd.Series, naming: Naming, model: Funnel) -> dict[str, str]:
    """Return {id: stage}: an id is a stage's name, or the only one left of those that all rows in a stage have.

    A deal has always spent time in the stage it stands in, so its id is among the row's.
    """
    ids = {text for found in spent.dropna() for text in found}
    known = {fold(name): stage for name, stage in naming.stage.items() if stage}
    loose = {key(text): stage.id for stage in model.stages for text in (stage.id, *stage.name, *stage.aliases)}
    meant = ((text, known.get(fold(text)) or loose.get(key(text))) for text in ids)
    names = {text: stage for text, stage in meant if stage}
    shared: dict[str, set[str]] = {}
    for found, name in zip(spent, stages, strict=True):
        stage = naming.stage.get(name)
        if stage and isinstance(found, dict):
            shared[stage] = shared.get(stage, set(found)) & set(found)
    while True:
        left = {stage: texts - set(names) for stage, texts in shared.items() if stage not in names.values()}
        single = {stage: texts for stage, texts in left.items() if len(texts) == 1}
        if not single:
            return names
        stage, texts = next(iter(single.items()))
        names[texts.pop()] = stage


def _rebuilt(
    found: _Spent, row: _Row, names: Mapping[str, str], model: Funnel
) -> tuple[dict[str, pd.Timestamp], tuple[str, ...]]:
    """Return ({stage: time}, stages entered at an unknown time) of one deal."""
    created, current, changed = row
    if not isinstance(found, dict):
        return {}, ()
    spent = {names[text]: seconds for text, seconds in found.items() if text in names}
    visited = [stage for stage in model.stage_ids if stage in spent]
    if pd.isna(created) or len(spent) < len(found):
        return {}, tuple(visited)
    times, time = {}, created
    for stage in visited:
        times[stage] = time.floor("s") if time != created else time
        time += pd.Timedelta(seconds=spent[stage])
    went_back = current in spent and current != visited[-1]
    moved = not pd.isna(changed) and current in times and abs(changed - times[current]) > SLACK
    if went_back or moved:
        return {visited[0]: created}, tuple(visited[1:])
    if not pd.isna(changed) and current in times:
        times[current] = changed
    return times, ()
