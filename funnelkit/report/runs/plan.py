"""The plan of a batch: a YAML file that says which reports are made from which data with which parameters.

Its form is shown by `funnelkit batch --help` (`help.plan.form` of the texts).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from funnelkit.language import (
    LANGUAGES,
    DataError,
    Fault,
    FunnelkitError,
    Kind,
    Record,
    Records,
    ReportError,
    check,
    fits,
    is_between,
    is_list_of,
    is_one_of,
    is_text,
    nearest,
    share,
    speaking,
)
from funnelkit.report.runs.alerts import ALERTS
from funnelkit.report.runs.days import BAD_PARAMETER, clock
from funnelkit.report.runs.inputs import from_yaml, located
from funnelkit.report.runs.loops import loop_values
from funnelkit.report.runs.names import folder_name, is_name, same_name
from funnelkit.report.runs.rows import filter_word
from funnelkit.report.runs.run import Request


def _as_files(value: Any) -> list[str]:
    files = [value] if is_text(value) else value
    if not is_list_of(is_text)(files):
        raise ValueError
    return list(files)


_TEXT, _TABLE = fits("text", is_text), fits("table", lambda value: isinstance(value, dict))
_VALUES = fits("list", is_list_of(lambda value: True))
_FILES = Kind("files", _as_files)
_REPORT = Record({"name": _TEXT, "data": _FILES, "parameters": _TABLE, "template": _TEXT, "rows": _TEXT}, ("name",))
_PLAN = Record({
    "template": _TEXT, "lang": _TEXT, "parameters": _TABLE, "data": Record({}, others=_FILES),
    "each": Record({}, others=_VALUES), "reports": Records(_REPORT, least=0),
    "deadline_s": fits("seconds", is_between(1e-9, kinds=(int, float))), "keep": fits("runs", is_between(1)),
    "rows": _TEXT, "for_each": _TEXT, "alert": fits("alerts", is_list_of(is_one_of(*ALERTS))),
    "memory_mb": fits("megabytes", is_between(1)), "pdf": fits("flag", lambda value: isinstance(value, bool)),
    "export": _TABLE,
})  # fmt: skip
_Named: TypeAlias = list[tuple[str, dict[str, Any]]]
_MOST_SHOWN = 100


@dataclass(frozen=True)
class PlannedReport:
    """One report of a plan: its name, the request that makes it, and where it is known already, why it cannot be."""

    name: str
    request: Request
    error: FunnelkitError | None = None


@dataclass(frozen=True)
class _Plan:
    """A plan as it was read, with what belongs to all of its reports."""

    path: Path
    content: Mapping[str, Any]
    out: Path
    lang: str
    today: date

    @property
    def data(self) -> dict[str, list[str]]:
        return dict(self.content.get("data", {}))


def read_plan(path: str | Path, out: Path, lang: str = "en", today: date | None = None) -> list[PlannedReport]:
    """Return the reports of a plan file, their targets below `out`; raise ReportError (11) naming what is wrong.

    Words for days are seen from `today`, by default the clock's day, the same for all reports. A data set that cannot
    be read for the values of `for_each` is one report with that error.
    """
    path = Path(path)
    if not path.exists():
        raise DataError("no_plan", file=str(path))
    content = check(from_yaml(path), _PLAN, partial(_refuse, path))
    if content.get("export"):
        from funnelkit.report.pages.export import check_policy

        check_policy(content["export"])
    plan = _Plan(path, content, out, lang, today or clock())
    wanted = [*_grid(plan), *_singles(plan)]
    if not wanted:
        raise ReportError("plan_empty", BAD_PARAMETER, file=str(path))
    _distinct([name for name, _ in wanted], path)
    return [PlannedReport(name, _request(plan, name, report), report.get("error")) for name, report in wanted]


def choose(items: list[PlannedReport], names: Sequence[str], path: str | Path) -> list[PlannedReport]:
    """Return the reports of these names, all where none is given; raise ReportError (11) for a name of no report."""
    known = {same_name(item.name): item for item in items}
    for name in names:
        if same_name(name) not in known:
            close = nearest(name, [item.name for item in items])
            raise ReportError("plan_no_name", BAD_PARAMETER, file=str(path), name=name, nearest=close)
    wanted = {same_name(name) for name in names}
    return [item for item in items if not names or same_name(item.name) in wanted]


def _refuse(path: Path, fault: Fault) -> NoReturn:
    if fault.code == "unknown":
        raise ReportError("plan_unknown_key", BAD_PARAMETER, file=str(path), name=fault.place, nearest=fault.nearest)
    raise ReportError("plan_bad_value", BAD_PARAMETER, file=str(path), name=fault.place, value=repr(fault.value)[:80])


def _grid(plan: _Plan) -> _Named:
    """Return (name, report) of every combination of data set, value of `for_each` and values of `each`."""
    content, column = plan.content, plan.content.get("for_each")
    if not (plan.data or content.get("each") or column):
        return []
    axes = [[(name, value) for value in values] for name, values in content.get("each", {}).items()]
    found = []
    for name, files in plan.data.items() or [("", None)]:
        parts: list[tuple[str, dict[str, Any]]] = [(name, {})]
        if column:
            parts = _loop(plan, column, name if len(plan.data) != 1 else "", files)
        for (part, more), *pairs in itertools.product(parts, *axes):
            words = [part, *(f"{name}={value}" for name, value in pairs)]
            found.append((" ".join(filter(None, words)), {"files": files, "parameters": dict(pairs), **more}))
    return found


def _loop(plan: _Plan, column: str, name: str, files: Any) -> _Named:
    """Return (name, report) of each value of a column."""
    try:
        values = loop_values(_request(plan, "", {"files": files}), column)
    except FunnelkitError as error:
        return [(name or column, {"error": error})]
    return [(f"{name} {value}".strip(), {"rows": f"{filter_word(column)} = {filter_word(value)}"}) for value in values]


def _singles(plan: _Plan) -> _Named:
    found = []
    for report in plan.content.get("reports", []):
        found.append((report["name"], {**report, "files": _files_of(plan, report.get("data"))}))
    return found


def _files_of(plan: _Plan, wanted: list[str] | None) -> list[str] | None:
    """Return the files of a report: those of the data sets that it names, and any files that it gives themselves."""
    if wanted is None:
        return None
    known = ", ".join(plan.data) or "–"
    for name in wanted:
        if name not in plan.data and not (plan.path.parent / name).is_file():
            raise ReportError("plan_no_data", BAD_PARAMETER, file=str(plan.path), name=name, known=known)
    return [file for name in wanted for file in plan.data.get(name, [name])]


def _request(plan: _Plan, name: str, report: Mapping[str, Any]) -> Request:
    folder, content = plan.path.parent.resolve(), plan.content
    values = {**content.get("parameters", {}), **report.get("parameters", {})}
    lang = values.get("lang") or content.get("lang") or plan.lang
    if lang not in LANGUAGES:
        raise ReportError("plan_bad_value", BAD_PARAMETER, file=plan.path.name, name="lang", value=repr(lang)[:80])
    if report["files"]:
        values["data"] = report["files"]
    filters = [text for text in (content.get("rows"), report.get("rows"), values.get("rows")) if text]
    if filters:
        values["rows"] = filters[0] if len(filters) == 1 else " and ".join(f"({text})" for text in filters)
    template = report.get("template") or content.get("template")
    with speaking(lang):  # the sample data are those of the language
        values, inputs = located(values, folder)
    notebook = folder / template if template else share("report") / f"{lang}.ipynb"
    return Request(
        notebook, values, plan.out / folder_name(name), lang,
        content.get("deadline_s", 900), False, inputs, content.get("pdf", False), content.get("keep"),
        content.get("export"), plan.today, tuple(content.get("alert", ())), content.get("memory_mb"),
    )  # fmt: skip


def _distinct(names: list[str], path: Path) -> None:
    """Two names may not share a folder, on no file system."""
    seen: dict[str, str] = {}
    for name in names:
        if not is_name(name):
            raise ReportError("plan_bad_name", BAD_PARAMETER, file=str(path), name=name[:_MOST_SHOWN])
        if same_name(name) in seen:
            raise ReportError("plan_name_twice", BAD_PARAMETER, file=str(path), name=name, other=seen[same_name(name)])
        seen[same_name(name)] = name
