"""Drafts: what a new notebook proposes for a file: columns, outcomes, order; and what of it has to be confirmed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funnelkit.language import DataError, label, language, say
from funnelkit.models import model_names
from funnelkit.pipeline import Pipeline
from funnelkit.reading import (
    READING_OPTIONS,
    ReadOptions,
    is_url,
    map_columns,
    open_source,
    propose,
    read,
    with_mapping,
    without_password,
)

_OTHERS = ("encoding", "decimal", "date_order", "currency", "timezone", "delimiter", "sheet", "table")
_WANTED = frozenset(("deal_id", "stage", "status", "amount", "owner", "created_at", "closed_at", "entered_at"))
_SURE = ("sure", "likely", "perhaps")
_TRIES = 6  # one for each thing that a proposal can settle


@dataclass(frozen=True)
class Draft:
    """The parameters of a notebook; `open` says in words what is not sure, `counts` are the columns of a table of
    counts, None where the source has deals."""

    values: dict[str, Any]
    open: tuple[str, ...] = ()
    counts: tuple[str, ...] | None = None
    has_names: bool = True


def draft(file: str | Path, reading: Mapping[str, Any], mapping: str) -> Draft:
    """Return the Draft of a file, read as `reading` says; `mapping` is the file that will keep what is confirmed.

    Raises DataError where the file holds no table that can be parsed, or no row of it is good.
    """
    given = with_mapping(**{"mapping": None, **reading})
    try:
        pipeline: Pipeline | None = read(file, **given)
        settings, asked = given, tuple[str, ...]()
    except DataError as error:
        pipeline, settings, asked = _proposed(file, given, error)
    pipeline, settings, maybe = _widened(file, pipeline, settings)
    asked += maybe
    if pipeline is not None and not pipeline.rows.good:
        raise DataError("nothing_to_start", file=str(file), n=pipeline.rows.quarantined)
    values = _values(file, pipeline, settings)
    values |= {"mapping": mapping, "confirmed": not asked, "segment": "", "lang": language()}
    values |= {"window": "90d"} if values["layout"] == "events" and (values["model"] or values["stages"][1:]) else {}
    counts = None if pipeline is None or pipeline.counts is None else tuple(pipeline.counts.columns)
    return Draft(values, asked, counts, {"stage", "status"} & set(values["columns"]) != set() and counts is None)


# --- what is found ---------------------------------------------------------------------------------------------------


def _values(file: str | Path, pipeline: Pipeline | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that say how the file is read."""
    layout = pipeline.layout if pipeline else settings.get("layout") or ""
    stages = settings.get("stages")
    model = _model_file(stages or settings.get("model"))
    names = [] if isinstance(stages, str) else [str(name) for name in stages or ()]
    if pipeline is not None:
        model = pipeline.model.id if pipeline.model.id in model_names() else model
        names = [] if model else [str(stage.name) for stage in pipeline.model.stages]
    stated = {name: settings.get(name) for name in _OTHERS} | {"on": settings.get("on") or None}
    columns = _columns(file, settings, layout)
    return {
        "data": [_place(file)], "join": [_place(source) for source in settings.get("join") or ()],
        "columns": columns, "layout": layout, "preset": settings.get("preset") or "", "model": model, "stages": names,
        **_ends(file, settings, columns),
        "as_of": f"{pipeline.as_of:%Y-%m-%d}" if pipeline and settings.get("as_of") else "",
        "reading": {name: value for name, value in stated.items() if value is not None},
    }  # fmt: skip


def _model_file(stages: Any) -> str:
    """Return the path of a model file that was given as the stages, else nothing."""
    given = isinstance(stages, str) and "," not in stages and Path(stages).is_file()
    return str(Path(stages).resolve()) if given else ""


def _place(source: str | Path) -> str:
    """Return where a source is, from any folder; a password stays out."""
    return without_password(source) if is_url(source) else str(Path(source).resolve())


def _options(settings: Mapping[str, Any]) -> ReadOptions:
    return ReadOptions(**{name: settings[name] for name in READING_OPTIONS if name in settings})


def _columns(file: str | Path, settings: Mapping[str, Any], layout: str) -> dict[str, str]:
    """Return {canonical name: header}; what is declared alone where the columns do not tell the rest, for some exports
    are rearranged."""
    options = _options(settings)
    try:
        return dict(map_columns(open_source(file, options), options, layout or None, settings.get("preset")).columns)
    except DataError:
        return {name: header for name, header in (options.map or {}).items() if isinstance(header, str)}


def _ends(file: str | Path, settings: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the names in the columns of stage and status that are taken for each outcome, those declared first."""
    options = _options(settings)
    found: dict[str, list[str]] = {}
    for kind in ("won", "lost", "void"):
        given = settings.get(kind) or ()
        found[kind] = [name.strip() for name in (given.split(",") if isinstance(given, str) else given)]
    for row in propose(open_source(file, options), columns, options):
        if row["column"] in (columns.get("stage"), columns.get("status")):
            for name, kind in row.get("names", {}).items():
                if kind in found and name not in found[kind]:
                    found[kind].append(name)
    return found


# --- what is proposed ------------------------------------------------------------------------------------------------


def _widened(
    file: str | Path, pipeline: Pipeline | None, settings: dict[str, Any]
) -> tuple[Pipeline | None, dict[str, Any], tuple[str, ...]]:
    """Return the same with the columns that are perhaps what else is wanted, where that sets no row aside."""
    if pipeline is None or pipeline.counts is not None:
        return pipeline, settings, ()
    taken = {row["meaning"] for row in pipeline.mapping if row["confidence"] in ("sure", "likely")}
    rows = [row for row in pipeline.mapping if row["confidence"] == "perhaps" and row["meaning"] in _WANTED - taken]
    once = Counter(row["meaning"] for row in rows)
    more = {row["meaning"]: row["column"] for row in rows if once[row["meaning"]] == 1}
    wider, asked = {**settings, "map": {**(settings.get("map") or {}), **more}}, tuple[str, ...]()
    try:
        found: Pipeline | None = read(file, **wider) if more else None
    except DataError as error:
        found, wider, asked = _proposed(file, wider, error)
    if found is None or found.rows.good < pipeline.rows.good:
        return pipeline, settings, ()
    texts = (say("course.starter.maybe", column=column, meaning=label(name)) for name, column in more.items())
    return found, wider, (*texts, *asked)


def _proposed(
    file: str | Path, reading: Mapping[str, Any], error: DataError
) -> tuple[Pipeline | None, dict[str, Any], tuple[str, ...]]:
    """Return (what the proposals give, None where they do not suffice; the settings proposed; what is not sure)."""
    settings, asked = dict(reading), [error]
    table = open_source(file, _options(settings))  # what is no table ends here
    for _ in range(_TRIES):
        more = _settled(asked[-1], settings, propose(table, _taken(table, settings), _options(settings)))
        if not more:
            break
        settings |= more
        try:
            return read(file, **settings), settings, _texts(asked)
        except DataError as next_error:
            asked.append(next_error)
    return None, settings, _texts(asked)


def _texts(errors: Sequence[DataError]) -> tuple[str, ...]:
    """Return each problem once, in words."""
    problems = [each for error in errors for each in _problems(error)]
    return tuple(dict.fromkeys(str(problem) for problem in problems))


def _problems(error: DataError) -> Sequence[DataError]:
    found: Any = error.values.get("problems", (error,))
    return tuple(found)


def _taken(table: Any, settings: Mapping[str, Any]) -> dict[str, str]:
    options = _options(settings)
    try:
        return dict(map_columns(table, options, settings.get("layout"), settings.get("preset")).columns)
    except DataError as error:
        found: Any = error.values.get("found", {})
        return dict(found)


def _settled(error: DataError, settings: Mapping[str, Any], proposals: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the settings that settle what an error asks: columns by their proposals, the order as the file has it."""
    more: dict[str, Any] = {}
    for problem in _problems(error):
        if problem.key == "no_column":
            column = _likely(str(problem.values["column"]), proposals)
            if column and column not in (settings.get("map") or {}).values():
                known = more.get("map", settings.get("map") or {})
                more["map"] = {**known, str(problem.values["column"]): column}
        elif problem.key in ("date_order_ambiguous", "decimal_ambiguous"):
            name = problem.key.removesuffix("_ambiguous")
            first = re.search(r"\((\w{3})\)$", str(problem.values.get("one", "")))
            more[name] = first[1] if name == "date_order" and first else {"decimal": "."}.get(name, "dmy")
        elif problem.key == "stage_order_unknown" and not settings.get("stages"):
            usual: Any = problem.values.get("order", ())
            more["stages"] = _order(proposals, usual)
    return {name: value for name, value in more.items() if value and value != settings.get(name)}


def _likely(canonical: str, proposals: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the column that is most likely of this meaning."""
    found = [row for row in proposals if row["meaning"] == canonical]
    ranked = sorted(found, key=lambda row: _SURE.index(row["confidence"]))
    return str(ranked[0]["column"]) if ranked else None


def _order(proposals: Sequence[Mapping[str, Any]], usual: Sequence[str]) -> list[str]:
    """Return the names of stages in the usual order or as they first stand in the file, the win last."""
    names: Mapping[str, str] = next(
        (row["names"] for row in proposals if row["meaning"] == "stage" and "names" in row), {}
    )
    won = [name for name, kind in names.items() if kind == "won"][:1]
    return list(usual) or [*(name for name, kind in names.items() if kind in ("", "open")), *won]
