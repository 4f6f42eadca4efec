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

import difflib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from funnelkit.language import LANGUAGES, ReportError, share
from funnelkit.report.runs.inputs import from_yaml, located
from funnelkit.report.runs.parameters import BAD_PARAMETER
from funnelkit.report.runs.run import Request

_KINDS = {
    "template": str, "lang": str, "parameters": dict, "data": dict, "each": dict, "reports": list,
    "deadline_s": (int, float), "keep": int, "pdf": bool, "export": dict,
}  # fmt: skip
_OF_REPORT = {"name": str, "data": str, "parameters": dict, "template": str}
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
    plan = _checked(from_yaml(path), _KINDS, path)
    if plan.get("export"):
        from funnelkit.report.pages.export import check_policy

        check_policy(plan["export"])
    data = {str(name): _file_list(files, name, path) for name, files in plan.get("data", {}).items()}
    wanted = [*_grid(plan, data, path), *_singles(plan, data, path)]
    if not wanted:
        raise ReportError("plan_empty", BAD_PARAMETER, file=str(path))
    items = [PlannedReport(name, _request(plan, report, path, (out / name, lang))) for name, report in wanted]
    _distinct([item.name for item in items], path)
    return items


def _checked(content: Any, kinds: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return a mapping whose keys are known and whose values are of their kind."""
    if not isinstance(content, dict):
        raise ReportError("plan_bad_value", BAD_PARAMETER, file=str(path), name="reports", value=repr(content)[:80])
    for name, value in content.items():
        if name not in kinds:
            near = difflib.get_close_matches(str(name), kinds, n=1, cutoff=0.4) or list(kinds)
            raise ReportError(
                "plan_unknown_key", BAD_PARAMETER, file=str(path), name=str(name), nearest=", ".join(near)
            )
        wrong_bool = isinstance(value, bool) and kinds[name] is not bool
        negative = name in ("deadline_s", "keep") and not wrong_bool and isinstance(value, (int, float)) and value <= 0
        if not isinstance(value, kinds[name]) or wrong_bool or negative:
            raise ReportError("plan_bad_value", BAD_PARAMETER, file=str(path), name=str(name), value=repr(value)[:80])
    return content


def _file_list(files: Any, name: str, path: Path) -> list[str]:
    files = [files] if isinstance(files, str) else files
    if not isinstance(files, list) or not files or not all(isinstance(file, str) for file in files):
        raise ReportError("plan_bad_value", BAD_PARAMETER, file=str(path), name=f"data.{name}", value=repr(files)[:80])
    return files


def _grid(plan: Mapping[str, Any], data: Mapping[str, list[str]], path: Path) -> _Named:
    """Return (name, report) of every combination of data set and values of `each`."""
    if not data and not plan.get("each"):
        return []
    axes = []
    for name, values in plan.get("each", {}).items():
        if not isinstance(values, list) or not values:
            raise ReportError(
                "plan_bad_value", BAD_PARAMETER, file=str(path), name=f"each.{name}", value=repr(values)[:80]
            )
        axes.append([(name, value) for value in values])
    found = []
    for files, *pairs in itertools.product(data.items() or [("", None)], *axes):
        words = [files[0], *(f"{name}={value}" for name, value in pairs)]
        report = {"files": files[1], "parameters": dict(pairs)}
        found.append((" ".join(word for word in words if word), report))
    return found


def _singles(plan: Mapping[str, Any], data: Mapping[str, list[str]], path: Path) -> _Named:
    found = []
    for report in plan.get("reports", []):
        report = _checked(report, _OF_REPORT, path)
        if "name" not in report:
            raise ReportError("plan_bad_value", BAD_PARAMETER, file=str(path), name="name", value=repr(report)[:80])
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
