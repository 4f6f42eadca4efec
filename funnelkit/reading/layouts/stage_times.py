"""Time in stage: a column for each stage with the time spent in it (`Time in "Offer"`) -> when each was entered."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

import numpy as np
import pandas as pd

from funnelkit.models import Funnel
from funnelkit.reading.cells.numbers import as_number
from funnelkit.reading.cells.text import Place, cell_text
from funnelkit.reading.layouts.columns import stem
from funnelkit.reading.layouts.outcomes import status_word
from funnelkit.reading.layouts.presets import key
from funnelkit.reading.layouts.stage_durations import enter_stages
from funnelkit.reading.sheet import Sheet

_API = re.compile(r"hs_(?:v2_)?(?:cumulative_)?time_in_(?P<name>.+)", re.IGNORECASE)
_QUOTED = r"[\"'“「]?(?P<name>.+?)[\"'”」]?(?: ?\([^()]*\)[\"'”」]?)*"
_NAMED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:cumulative |total )?(?:time|days|hours|minutes) (?:spent )?in (?:stage )?{_QUOTED}",
        rf"(?:kumulierte |gesamte )?(?:zeit|tage|verweildauer) in {_QUOTED}",
        rf"(?:tiempo|días|tempo|dias) (?:acumulado )?(?:en|em|na) {_QUOTED}",
        rf"(?:temps|jours) (?:cumulé )?(?:passé )?dans {_QUOTED}",
        r"(?:在)?[\"“「]?(?P<name>.+?)[\"”」]?(?:阶段)?(?:的)?(?:累计)?停留(?:时长|时间|天数|小时数)(?: ?\([^()]*\))?",
    )
)
_UNITS = {
    86_400.0: r"\b(?:days?|tage|días|dias|jours)\b|天", 3600.0: r"\b(?:hours?|hrs|stunden|horas|heures)\b|小时",
    60.0: r"\b(?:minutes?|mins?|minuten|minutos)\b|分钟", 0.001: r"\b(?:ms|milliseconds?)\b|毫秒",
    1.0: r"\b(?:seconds?|secs?|sekunden|segundos)\b|秒",
}  # fmt: skip
_CLOCK = re.compile(r"^(?P<h>\d+):(?P<m>\d{2})(?::(?P<s>\d{2}))?$")
LONGER = 1.1  # times that add up to more than a deal's life, in most deals, are of another unit


def time_names(header: str) -> tuple[str, ...]:
    """Return the names that the stage may have whose time a column holds, most exact first.

    >>> time_names('Cumulative time in "Offer made (Sales)"'), time_names("hs_time_in_71_abc"), time_names("Offer")
    (('Offer made',), ('71_abc', '71'), ())
    """
    plain = unicodedata.normalize("NFKC", header).strip()
    match = _API.fullmatch(plain)
    if match:
        parts = match["name"].split("_")
        return tuple("_".join(parts[:n]) for n in range(len(parts), 0, -1))
    found = (pattern.fullmatch(plain) for pattern in _NAMED)
    return next(((match["name"],) for match in found if match), ())


def take_times_in(sheet: Sheet, model: Funnel) -> None:
    """Rebuild stage entries from the columns of times in stages, where no column dates these; say what is not used."""
    headers = {header: time_names(header) for header in sheet.mapping.extra if time_names(header)}
    columns = _stages(headers, model)
    stages = [stage for stage in model.stage_ids if stage in columns and stage != model.won_stage]
    if not stages or set(stages) & set(sheet.wide.values()):
        return
    first, file = columns[stages[0]], sheet.table.name
    units = {header: _unit(sheet, header) for header in headers}
    if any(units[columns[stage]] is None for stage in stages):
        sheet.journal.add("time_without_unit", "warn", file=file, column=first, value=sheet.text(0, first))
        return
    seconds = pd.DataFrame({header: _seconds(sheet, header, units[header]) for header in headers if units[header]})
    ends = [header for header in seconds if _is_end(headers[header], model)]
    seconds = seconds.drop(columns=ends).rename(columns={columns[stage]: stage for stage in stages})
    if _too_long(sheet, seconds):
        sheet.journal.add("time_too_long", "warn", file=file, column=first)
        return
    spent = pd.Series([_of_row(row, place) for place, row in _rows(sheet, seconds, model)], sheet.frame.index)
    enter_stages(sheet, spent, {stage: stage for stage in stages}, model, columns)
    sheet.journal.add("times_in_stages", file=file, column=first, n=len(stages))


def _stages(headers: Mapping[str, tuple[str, ...]], model: Funnel) -> dict[str, str]:
    """Return {stage: column} of the columns whose stage the model has; the first of several counts."""
    texts = [(stage.id, text) for stage in model.stages for text in (stage.id, *stage.name, *stage.aliases)]
    known = {stem(text): stage for stage, text in texts} | {key(text): stage for stage, text in texts}
    found: dict[str, str] = {}
    for header, names in headers.items():
        stage = next((known[text] for name in names for text in (key(name), stem(name)) if text in known), None)
        if stage is not None:
            found.setdefault(stage, header)
    return found


def _is_end(names: tuple[str, ...], model: Funnel) -> bool:
    """Return True for the time since a deal ended, which is no time on its way."""
    won = next((stage for stage in model.stages if stage.id == model.won_stage), None)
    texts = {key(text) for text in (won.id, *won.name, *won.aliases)} if won else set()
    return any(status_word(name) in ("won", "lost", "void") or key(name) in texts for name in names)


def _unit(sheet: Sheet, header: str) -> float | None:
    """Return the seconds of a column's unit: 1 for clocks such as 48:00:00, None where nothing tells it."""
    if _clocks(cell_text(sheet.table.cells[header])) is not None:
        return 1.0
    for seconds, words in _UNITS.items():
        if re.search(words, unicodedata.normalize("NFKC", header), re.IGNORECASE):
            return seconds
    of_system = _API.fullmatch(header) or (sheet.mapping.form and sheet.mapping.form.preset == "hubspot")
    return 0.001 if of_system else None


def _seconds(sheet: Sheet, header: str, unit: float | None) -> pd.Series:
    """Return the seconds of a column; infinite where a cell cannot be read, for then nothing is known of the deal."""
    texts = cell_text(sheet.table.cells[header])
    clocks = _clocks(texts)
    if clocks is not None:
        return clocks
    parsed = as_number(texts, Place(sheet.table.name, header, sheet.table.lines), sheet.options.decimal)
    bad = np.any([*parsed.faults.values(), (parsed.values < 0).to_numpy()], axis=0)
    filled = texts.notna().all()  # where no cell is blank, 0 says that a deal was never there
    return (parsed.values * (unit or 0)).mask(bad, np.inf).mask((parsed.values == 0) & filled)


def _clocks(texts: pd.Series) -> pd.Series | None:
    """Return the seconds of texts such as 48:00:00, None where some text is none."""
    at = texts.str.strip().str.extract(_CLOCK)
    if not texts.notna().any() or not (at["h"].notna() | texts.isna()).all():
        return None
    return at["h"].astype("float64") * 3600 + at["m"].astype("float64") * 60 + at["s"].astype("float64").fillna(0)


def _too_long(sheet: Sheet, seconds: pd.DataFrame) -> bool:
    """Return True where the times add up to more than most closed deals lived, so that they are something else."""
    lived = (sheet.frame["closed_at"] - sheet.frame["created_at"]).dt.total_seconds() if _dated(sheet) else None
    if lived is None:
        return False
    share = (seconds.sum(axis=1) / (lived + 86_400))[sheet.good & lived.notna().to_numpy()]
    return bool(len(share) and share.median() > LONGER)


def _dated(sheet: Sheet) -> bool:
    return {"closed_at", "created_at"} <= set(sheet.frame)


def _rows(sheet: Sheet, seconds: pd.DataFrame, model: Funnel) -> list[tuple[str | None, dict[str, float]]]:
    """Return (present stage, {stage: seconds}) of each row."""
    present = sheet.frame["stage"].astype("object").where(sheet.frame["stage"].notna(), None)
    known = [{name: value for name, value in row.items() if value == value} for row in seconds.to_dict("records")]
    return [(stage if stage != model.won_stage else None, row) for stage, row in zip(present, known, strict=True)]


def _of_row(row: dict[str, float], present: str | None) -> dict[str, float] | str:
    """Return the seconds by stage of a row, the stage it stands in among them."""
    if any(np.isinf(value) for value in row.values()):
        return "bad"
    return row | ({present: 0.0} if present and present not in row else {}) if row else "bad"
