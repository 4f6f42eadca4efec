"""Parameters of a template: read from its tagged cell without running it, and checked before a kernel starts."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, NoReturn

from funnelkit.language import Fault, Kind, Record, ReportError, check
from funnelkit.report.runs.days import BAD_PARAMETER as BAD_PARAMETER
from funnelkit.report.runs.days import WORDS, clock, named_day
from funnelkit.report.runs.rows import parse_rows

_CHOICE = re.compile(r"[\w-]+( \| [\w-]+)+")


@dataclass(frozen=True)
class Parameter:
    """One declared parameter: its annotation, default and the comment beside it."""

    name: str
    kind: str
    default: Any
    help: str


def declared(notebook: Any) -> dict[str, Parameter]:
    """Return {name: Parameter} of a notebook's cell tagged `parameters`.

    Each line is `name: type = literal  # help`, the type one of str, int, float, bool, list, dict, or in quotes one
    of "date" (a day, today or yesterday), "share" (0 to 1), "amount" (0 or more), "one | another" (these words; date
    among them is any day). Raises ReportError (exit code 11) where the cell is missing or a line is not of this form.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1 or cells[0].cell_type != "code":
        raise ReportError("template_without_parameters", BAD_PARAMETER, n=len(cells))
    source = cells[0].source
    lines = source.splitlines()
    found = {}
    for node in _statements(source):
        kind = _annotation(node)
        if kind is None:
            raise ReportError("template_bad_parameter", BAD_PARAMETER, line=lines[node.lineno - 1])
        comment = lines[node.end_lineno - 1].partition("#")[2].strip()
        found[node.target.id] = Parameter(node.target.id, kind, ast.literal_eval(node.value), comment)
    return found


def _statements(source: str) -> list[Any]:
    try:
        return ast.parse(source).body
    except SyntaxError as error:
        line = source.splitlines()[(error.lineno or 1) - 1 :][:1]
        raise ReportError("template_bad_parameter", BAD_PARAMETER, line="".join(line)) from None


def _annotation(node: ast.stmt) -> str | None:
    """Return the type's name of `name: type = literal`, or None where the line is anything else."""
    if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
        return None
    kind = node.annotation.id if isinstance(node.annotation, ast.Name) else getattr(node.annotation, "value", None)
    try:
        ast.literal_eval(node.value)
    except ValueError:
        return None
    return str(kind) if kind in ("date", *_KINDS) or (isinstance(kind, str) and _CHOICE.fullmatch(kind)) else None


def check_values(
    values: Mapping[str, Any], parameters: Mapping[str, Parameter], today: date | None = None
) -> dict[str, Any]:
    """Return the values as their declared types; texts, as a command line gives them, are parsed.

    Words for days become the days that they mean on `today`, by default that of the clock.

    Raises ReportError (exit code 11) naming the parameter, what was found, what is expected, and for an unknown name
    the nearest that is declared.
    """

    def refuse_fault(fault: Fault) -> NoReturn:
        name = str(fault.path[0])
        if fault.code == "unknown":
            raise ReportError(
                "unknown_parameter", BAD_PARAMETER, name=name, nearest=fault.nearest, known=", ".join(parameters)
            )
        raise ReportError(
            "ill_typed_parameter", BAD_PARAMETER, name=name, kind=parameters[name].kind, value=repr(fault.value)[:80],
            expected=fault.expected.wanted, help=parameters[name].help,
        )  # fmt: skip

    day = today or clock()
    shape = Record({name: _kind(parameter.kind, day) for name, parameter in parameters.items()})
    checked: dict[str, Any] = check(values, shape, refuse_fault)
    for name, value in checked.items():
        _refuse_no_text(name, value)
    return checked


def _refuse_no_text(name: str, value: Any) -> None:
    """Refuse a value with signs that no text has: a file name in bytes of another encoding, as Linux allows them."""
    shown = repr(value) if not isinstance(value, str) else value
    try:
        str(value).encode()
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        shown = shown.encode("utf-8", "backslashreplace").decode()[:200]
        raise ReportError("parameter_no_text", BAD_PARAMETER, name=name, value=shown) from None


def takes_day(kind: str) -> bool:
    """Tell whether a parameter of this kind takes a day."""
    return "date" in kind.split(" | ")


def _kind(name: str, today: date) -> Kind:
    """Return the kind of this name, or that of a choice such as `week | month`."""
    if name == "date":
        return Kind(_DAYS, partial(_as_date, today))
    choices = name.split(" | ")
    return _KINDS.get(name) or Kind(name.replace("date", _DAYS), partial(_one_of, choices, today))


def _one_of(choices: list[str], today: date, value: Any) -> str:
    if value in choices:
        return str(value)
    return _as_date(today, value) if "date" in choices else _refuse()


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _as_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError
    if isinstance(value, str) and not re.fullmatch(r"[+-]?(0|[1-9][0-9]*)", value.strip()):
        raise ValueError
    return int(value)


def _as_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", value.strip()):
        raise ValueError
    parsed = float(value)
    if not math.isfinite(parsed):
        raise ValueError
    return parsed


def _as_share(value: Any) -> float:
    parsed = _as_float(value)
    return parsed if 0 <= parsed <= 1 else _refuse()


def _as_amount(value: Any) -> float:
    parsed = _as_float(value)
    return parsed if parsed >= 0 else _refuse()


def _as_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[str(value).lower()] if str(value).lower() in ("true", "false") else _refuse()


def _as_date(today: date, value: Any) -> str:
    """Return a day as text; run.json keeps it, whatever word it was given by."""
    if isinstance(value, date):
        return value.isoformat()[:10]
    named = named_day(_as_text(value), today)
    if named is not None:
        return named.isoformat()
    return value if value == "" else date.fromisoformat(value).isoformat()


def _as_rows(value: Any) -> str:
    """Return a filter as it was written, once it is known to be one."""
    if _as_text(value).strip():
        parse_rows(value)
    return str(value)


def _as_list(value: Any) -> Any:
    if isinstance(value, str):
        value = json.loads(value) if value.lstrip().startswith("[") else [part for part in value.split(",") if part]
    return _plain(value, list)


def _as_dict(value: Any) -> Any:
    return _plain(json.loads(value) if isinstance(value, str) else value, dict)


def _plain(value: Any, kind: type) -> Any:
    """Refuse what JSON cannot hold exactly, such as NaN, and anything that is not of this kind."""
    if not isinstance(value, kind):
        raise TypeError
    json.dumps(value, allow_nan=False)
    return value


def _refuse() -> NoReturn:
    raise ValueError


_DAYS = " / ".join(("2026-01-31", *WORDS))
_KINDS = {
    "str": Kind("text", _as_text), "int": Kind("12", _as_int), "float": Kind("0.25", _as_float),
    "bool": Kind("true / false", _as_bool), "rows": Kind("region = North", _as_rows),
    "list": Kind('a,b / ["a", "b"]', _as_list), "dict": Kind('{"key": "value"}', _as_dict),
    "share": Kind("0.05 (0 ... 1)", _as_share), "amount": Kind("2000000", _as_amount),
}  # fmt: skip
