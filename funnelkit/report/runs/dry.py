"""What a command would make, from what and with which days, and what keeps it from it: said without making anything."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from funnelkit.language import FunnelkitError, number, say
from funnelkit.report.runs import publish
from funnelkit.report.runs.loops import problem_of
from funnelkit.report.runs.plan import PlannedReport


def rehearse(item: PlannedReport) -> tuple[str, FunnelkitError | None]:
    """Return what would be made as text, and the error that it would end with before a kernel starts."""
    job, kept, error = problem_of(item.request) if item.error is None else (None, None, item.error)
    request = item.request
    lines = [item.name, _line("template", request.template)]
    lines += [_line("data", _file(path)) for path in request.inputs]
    for name, value in (job.values if job is not None else request.values).items():
        if name in request.values and name not in ("data", "lang"):
            word = f" ({request.values[name]})" if job is not None and name in job.dates else ""
            lines.append(_line("parameter", f"{name} = {value}{word}"))
    if kept is not None:
        lines.append(_line("rows", say("report.dry.kept", kept=number(kept[0]), n=number(kept[1]))))
    lines.append(_line("folder", request.out))
    if error is not None:
        lines.append(_line("problem", error.say()))
    return "\n".join(lines), error


def listed(items: list[PlannedReport], words: Sequence[str]) -> Iterator[str]:
    """Yield a line for each report of a plan: `words` and its name as a command, and how its last run ended, and when.

    What follows the command is a comment to a shell.
    """
    for item in items:
        status = publish.load_json(item.request.out / "status.json")
        state = say(f"report.dry.state_{status.get('outcome', 'none')}")
        told = " ".join(filter(None, [state, status.get("at"), str(status.get("reason") or "")]))
        yield f"{shlex.join([*words, item.name])}  # {told}"


def _line(name: str, value: object) -> str:
    return "  " + say("report.dry.line", name=say(f"report.dry.{name}"), value=value)


def _file(path: Path) -> str:
    try:
        info = path.stat()
    except OSError:
        return str(path)
    return f"{path} ({number(info.st_size)} B, {datetime.fromtimestamp(info.st_mtime):%Y-%m-%d %H:%M})"
