"""A published report checked against its run.json, and made again from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funnelkit.language import FunnelkitError, ReportError
from funnelkit.report.runs import parameters
from funnelkit.report.runs.inputs import is_file, relative, sha256
from funnelkit.report.runs.publish import latest
from funnelkit.report.runs.run import Request, prepare, run_report, versions

_NEEDED = ("outputs", "inputs", "template", "template_path", "parameters", "versions", "language", "given")


@dataclass(frozen=True)
class Difference:
    """What is not as run.json tells: its kind (output, input, template, version), name, expected and found."""

    kind: str
    name: str
    expected: str
    found: str | None


def _record_of(path: Path) -> Path:
    """Return the run.json of what is given: itself, a folder that holds it, OUT/latest, or OUT."""
    if (path / "run.json").is_file():
        return path / "run.json"
    out = path if path.is_dir() else path.parent if path.name == "latest" else None
    shown = latest(out) if out else None
    return shown / "run.json" if shown else path


def read_record(path: str | Path) -> tuple[dict[str, Any], Path]:
    """Return a run.json and the folder of its reports; raise ReportError (11) where it is none of a good run."""
    path = _record_of(Path(path))
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        missing = [name for name in _NEEDED if name not in record]
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ReportError("run_record_bad", parameters.BAD_PARAMETER, file=str(path), reason=reason) from None
    if missing:
        raise ReportError("run_record_bad", parameters.BAD_PARAMETER, file=str(path), reason=f"{', '.join(missing)} ?")
    return record, path.resolve().parent.parent.parent


def verify(path: str | Path) -> tuple[int, list[Difference]]:
    """Return (number of hashes compared, Differences) of a run: outputs, inputs, template, versions."""
    record, out = read_record(path)
    folder = _record_of(Path(path)).resolve().parent
    wanted = [("output", name, folder / name, expected) for name, expected in record["outputs"].items()]
    wanted += [("input", item["file"], out / item["path"], item["sha256"]) for item in record["inputs"]]
    wanted.append(("template", Path(record["template_path"]).name, out / record["template_path"], record["template"]))
    found = [Difference(kind, name, expected, _hash(file)) for kind, name, file, expected in wanted]
    found = [difference for difference in found if difference.found != difference.expected]
    now = versions()
    found += [
        Difference("version", name, expected, now.get(name))
        for name, expected in record["versions"].items()
        if now.get(name) != expected
    ]
    return len(wanted), found


def made_alike(record: Mapping[str, Any], request: Request) -> bool:
    """Return whether a run's record tells of the template, parameters and inputs that a request would be made from."""
    try:
        job = prepare(request)
    except FunnelkitError:
        return False
    lent = {item["path"]: item["lent"] for item in record.get("inputs", []) if item.get("lent")}
    values = {
        name: [_lent(item, lent, request.out) for item in value]
        if isinstance(value, list)
        else _lent(value, lent, request.out)
        for name, value in job.values.items()
    }
    wanted = {**job.identity, "language": request.lang, "parameters": values}
    told = {name: record.get(name) for name in wanted}
    told["inputs"] = [{name: item[name] for name in item if name != "lent"} for item in record.get("inputs", [])]
    return told == wanted


def _lent(value: Any, lent: Mapping[str, str], out: Path) -> Any:
    """Return the name under which a run was lent the file that a value names, the value itself for anything else."""
    return lent.get(relative(Path(value), out), value) if is_file(value) else value


def _hash(path: Path) -> str | None:
    try:
        return sha256(path) if path.is_file() else None
    except OSError:
        return None


def rerun(path: str | Path, out: str | Path, deadline_s: float = 900) -> tuple[Path, list[str]]:
    """Make the report of a run.json again below `out`; return (its folder, names of files whose bytes differ).

    Raises ReportError (11) where an input, the template or a version is not what it was: then the bytes cannot be
    the same, and a report that only looks like a repetition would mislead.
    """
    record, old_out = read_record(path)
    gone = [difference for difference in verify(path)[1] if difference.kind != "output"]
    if gone:
        raise ReportError(
            "rerun_impossible", parameters.BAD_PARAMETER, file=gone[0].name,
            what=f"{gone[0].kind}: {gone[0].expected[:12]} / {str(gone[0].found)[:12]}",
        )  # fmt: skip
    inputs = [(old_out / item["path"]).resolve() for item in record["inputs"]]
    lent = {item["lent"]: str(file) for item, file in zip(record["inputs"], inputs, strict=True) if item.get("lent")}
    values = {name: _unlent(record["parameters"][name], lent) for name in record["given"]}
    request = Request(
        old_out / record["template_path"], values, Path(out), record["language"], deadline_s, False, tuple(inputs),
        record["pdf"], None, record["export"],
    )  # fmt: skip
    prepare(request)
    target = run_report(request)
    again = json.loads((target / "run.json").read_text(encoding="utf-8"))["outputs"]
    names = sorted({*again, *record["outputs"]})
    return target, [name for name in names if again.get(name) != record["outputs"].get(name)]


def _unlent(value: Any, lent: Mapping[str, str]) -> Any:
    """Return a value with the names of lent files replaced by the files' paths."""
    if isinstance(value, list):
        return [_unlent(item, lent) for item in value]
    return lent.get(value, value) if isinstance(value, str) else value
