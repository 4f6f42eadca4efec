"""The plan of a batch: a YAML file that says which reports are made from which data with which parameters.

template: my.ipynb              # default: the kit's own template in the report's language
lang: en                        # of every report, unless a parameter `lang` says otherwise
parameters: {model: b2b-8}      # of every report
data: {north: [n/deals.csv, n/events.csv], south: s.csv}     # data sets by name; each is reported on
each: {segment: [team, owner]}  # every combination of these values, for every data set
reports:                        # further reports, one by one
  - {name: head office, data: north, parameters: {segment: team}, template: other.ipynb}
deadline_s: 900                 # seconds a report may take
keep: 10                        # runs kept of each report
pdf: false
export: {columns: {owner: hash, account: drop}, min_cell: 5}
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from funnelkit.language import (
    LANGUAGES,
    Fault,
    Kind,
    Record,
    Records,
    ReportError,
    check,
    fits,
    is_between,
    is_list_of,
    is_text,
    share,
)
from funnelkit.report.runs.inputs import from_yaml, located
from funnelkit.report.runs.parameters import BAD_PARAMETER
from funnelkit.report.runs.run import Request


def _as_files(value: Any) -> list[str]:
    files = [value] if is_text(value) else value
    if not is_list_of(is_text)(files):
        raise ValueError
    return list(files)


_TEXT, _TABLE = fits("text", is_text), fits("table", lambda value: isinstance(value, dict))
_VALUES = fits("list", is_list_of(lambda value: True))
_REPORT = Record({"name": _TEXT, "data": _TEXT, "parameters": _TABLE, "template": _TEXT}, ("name",))
_PLAN = Record({
    "template": _TEXT, "lang": _TEXT, "parameters": _TABLE, "data": Record({}, others=Kind("files", _as_files)),
    "each": Record({}, others=_VALUES), "reports": Records(_REPORT, least=0),
    "deadline_s": fits("seconds", is_between(1e-9, kinds=(int, float))), "keep": fits("runs", is_between(1)),
    "pdf": fits("flag", lambda value: isinstance(value, bool)), "export": _TABLE,
})  # fmt: skip
_LONGEST = 100
_Named: TypeAlias = list[tuple[str, dict[str, Any]]]
_NAME = re.compile(r"[^\W_][\w .=+-]*", re.UNICODE)


@dataclass(frozen=True)
class PlannedReport:
    """One report of a plan: its name, which is its folder, and the request that makes it."""

    name: str
    request: Request


def read_plan(path: str | Path, out: Path, lang: str = "en") -> list[PlannedReport]:
    """Return the reports of a plan file, their targets below `out`; raise ReportError (11) naming what is wrong."""
    path = Path(path)
    plan = check(from_yaml(path), _PLAN, partial(_refuse, path))
    if plan.get("export"):
        from funnelkit.report.pages.export import check_policy

        check_policy(plan["export"])
    data = {str(name): files for name, files in plan.get("data", {}).items()}
    wanted = [*_grid(plan, data), *_singles(plan, data, path)]
    if not wanted:
        raise ReportError("plan_empty", BAD_PARAMETER, file=str(path))
    items = [PlannedReport(name, _request(plan, report, path, (out / name, lang))) for name, report in wanted]
    _distinct([item.name for item in items], path)
    return items


def _refuse(path: Path, fault: Fault) -> NoReturn:
    if fault.code == "unknown":
        raise ReportError("plan_unknown_key", BAD_PARAMETER, file=str(path), name=fault.place, nearest=fault.nearest)
    raise ReportError("plan_bad_value", BAD_PARAMETER, file=str(path), name=fault.place, value=repr(fault.value)[:80])


def _grid(plan: Mapping[str, Any], data: Mapping[str, list[str]]) -> _Named:
    """Return (name, report) of every combination of data set and values of `each`."""
    if not data and not plan.get("each"):
        return []
    axes = [[(name, value) for value in values] for name, values in plan.get("each", {}).items()]
    found = []
    for files, *pairs in itertools.product(data.items() or [("", None)], *axes):
        words = [files[0], *(f"{name}={value}" for name, value in pairs)]
        report = {"files": files[1], "parameters": dict(pairs)}
        found.append((" ".join(word for word in words if word), report))
    return found


def _singles(plan: Mapping[str, Any], data: Mapping[str, list[str]], path: Path) -> _Named:
    found = []
    for report in plan.get("reports", []):
        wanted = report.get("data")
        if wanted is not None and wanted not in data:
            raise ReportError("plan_no_data", BAD_PARAMETER, file=str(path), name=wanted, known=", ".join(data) or "–")
        found.append((report["name"], {**report, "files": data.get(str(wanted))}))
    return found


def _request(plan: Mapping[str, Any], report: Mapping[str, Any], path: Path, target: tuple[Path, str]) -> Request:
    folder, (out, lang) = path.parent.resolve(), target
    values = {**plan.get("parameters", {}), **report.get("parameters", {})}
    lang = values.get("lang") or plan.get("lang") or lang
    if lang not in LANGUAGES:
        raise ReportError("plan_bad_value", BAD_PARAMETER, file=path.name, name="lang", value=repr(lang)[:80])
    if report["files"]:
        values["data"] = report["files"]
    template = report.get("template") or plan.get("template")
    own = share("report") / f"{lang}.ipynb"
    values, inputs = located(values, folder)
    return Request(
        folder / template if template else own, values, out, lang, plan.get("deadline_s", 900), False, inputs,
        plan.get("pdf", False), plan.get("keep"), plan.get("export"),
    )  # fmt: skip


def _distinct(names: list[str], path: Path) -> None:
    """A name is a folder below the target: it may not lead out of it, nor differ from another in case alone."""
    seen = set()
    for name in names:
        if not _NAME.fullmatch(name) or name.endswith((" ", ".")) or len(name) > _LONGEST:
            raise ReportError("plan_bad_name", BAD_PARAMETER, file=str(path), name=name[:_LONGEST])
        if name.casefold() in seen:
            raise ReportError("plan_name_twice", BAD_PARAMETER, file=str(path), name=name)
        seen.add(name.casefold())
