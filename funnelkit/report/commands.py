"""The report commands of the command line: options mapped to functions, nothing added."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funnelkit.language import as_text, say, texts

if TYPE_CHECKING:
    from funnelkit.report.runs.plan import PlannedReport
    from funnelkit.report.runs.run import Request


def add_report(commands: Any, pair: Any, add_source_options: Any, settings: Any) -> None:
    command = commands.add_parser("report")
    command.add_argument("template", nargs="?")
    command.add_argument("--data", nargs="+", metavar="FILE")
    command.add_argument("-p", "--parameter", action="append", default=[], type=pair, metavar="NAME=VALUE")
    command.add_argument("-f", "--file", metavar="YAML")
    command.add_argument("--stages", metavar="MODEL|A,B,C")
    add_source_options(command)
    _add_target(command, "out/report")
    command.add_argument("--max-quarantine", metavar="SHARE")
    command.add_argument("--pdf", action="store_true")
    command.add_argument("--keep", type=_positive, metavar="N")
    command.add_argument(
        "--export", action="append", default=[], type=pair, metavar="COLUMN=ACTION"
    )  # fmt: skip
    command.add_argument("--min-cell", type=int, default=0, metavar="N")
    command.add_argument(
        "--alert", action="append", default=[], choices=("signal", "target", "stuck", "data")
    )  # fmt: skip
    command.add_argument("--memory-mb", type=_positive, metavar="MB")
    _add_rehearsal(command)
    command.set_defaults(run=_report, settings=settings)


def _add_target(command: argparse.ArgumentParser, out: str) -> None:
    command.add_argument("--out", default=out, metavar="DIR")
    command.add_argument("--deadline", type=_seconds, default=900, metavar="S")


def _add_rehearsal(command: argparse.ArgumentParser) -> None:
    command.add_argument("--dry-run", action="store_true")
    command.add_argument("--today", metavar="DATE")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(say("help.values.not_positive", found=repr(text)))
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(say("help.values.not_seconds", found=repr(text)))
    return value


_NAMED = ("data", "max_quarantine", "mapping", "won", "lost", "void", "as_of")  # parameters that are options as well


def _report(options: argparse.Namespace) -> int:
    from funnelkit.language import FunnelkitError
    from funnelkit.report.runs.plan import PlannedReport
    from funnelkit.report.runs.run import note_refusal, run_report

    try:
        request = _request(options)
    except FunnelkitError as error:
        if not options.dry_run:
            note_refusal(Path(options.out), error)
        raise
    if options.dry_run:
        return _rehearse([PlannedReport(Path(options.out).name, request)])
    target = run_report(request)
    print(target / "report.html")
    return _tell_alerts(target) if request.alert else 0


def _request(options: argparse.Namespace) -> Request:
    """Return what one report is to be made from, as the command line says it."""
    from funnelkit.language import LANGUAGES, share
    from funnelkit.report.runs.days import clock
    from funnelkit.report.runs.run import Request, report_values

    named = {name: getattr(options, name) for name in _NAMED} | _stages(options.stages)
    today = clock(options.today)
    how = {name: value for name, value in options.settings(options).items() if value and name not in _NAMED}
    values, inputs = report_values(options.file, dict(options.parameter), named, how)
    lang = values.get("lang") if values.get("lang") in LANGUAGES else options.lang
    template = Path(options.template) if options.template else share("report") / f"{lang}.ipynb"
    policy = {"columns": dict(options.export), "min_cell": options.min_cell}
    export = policy if options.export or options.min_cell else None
    return Request(
        template, values, Path(options.out), options.lang, options.deadline, sys.stderr.isatty(), inputs, options.pdf,
        options.keep, export, today, tuple(dict.fromkeys(options.alert)), options.memory_mb,
    )  # fmt: skip


def _stages(text: str | None) -> dict[str, Any]:
    """Return the parameter that stages are: names in order, or a model."""
    if not text:
        return {}
    return {"stages": [name.strip() for name in text.split(",")]} if "," in text else {"model": text}


def _tell_alerts(target: Path) -> int:
    """Print what a report found worth a mail; return the exit code."""
    from funnelkit.report.runs.alerts import FILE
    from funnelkit.report.runs.publish import load_json

    told = load_json(target / FILE)
    for sentence in dict.fromkeys(alert["sentence"] for alert in told["alerts"]):  # two kinds may say the same
        print(sentence, file=sys.stderr)
    return int(told["exit_code"])


def _rehearse(items: list[PlannedReport]) -> int:
    """Print what would be made; return the exit code of a report that could not be, 1 for one of several."""
    from funnelkit.report.runs.dry import rehearse

    errors = []
    for item in items:
        text, error = rehearse(item)
        print(text)
        errors += [error] if error is not None else []
    print(say("report.dry.done", n=len(items), bad=len(errors)), file=sys.stderr)
    return 0 if not errors else errors[0].exit_code if len(items) == 1 else 1


def add_batch(commands: Any, **_: Any) -> None:
    command = commands.add_parser("batch", formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("plan", metavar="PLAN.yaml")
    command.add_argument("--jobs", type=_positive, default=1, metavar="N")
    command.add_argument("--out", default="out/batch", metavar="DIR")
    command.add_argument("--retry", action="store_true")
    command.add_argument("--only", action="append", default=[], metavar="NAME")
    command.add_argument("--list", action="store_true")
    command.add_argument("--one", metavar="NAME")
    command.add_argument("--scheduler", metavar="ADDRESS")
    _add_rehearsal(command)
    command.epilog = str(as_text(texts("help.plan")["form"])).replace("%", "%%")
    command.set_defaults(run=_batch)


def _batch(options: argparse.Namespace) -> int:
    from funnelkit.language import FunnelkitError
    from funnelkit.report.runs.batch import note_refused, run_batch
    from funnelkit.report.runs.days import clock
    from funnelkit.report.runs.dry import listed
    from funnelkit.report.runs.plan import choose, read_plan

    out = Path(options.out)
    try:
        planned = read_plan(options.plan, out, options.lang, clock(options.today))
    except FunnelkitError as error:
        if not (options.list or options.dry_run or options.one):
            note_refused(out, error)
        raise
    items = choose(planned, [options.one] if options.one else options.only, options.plan)
    if options.list:
        print("\n".join(listed(items, _words(options))))
        return 0
    if options.dry_run:
        return _rehearse(items)
    if options.one:
        return _one(items[0])
    asked = {item.name for item in items}
    others = [item for item in planned if item.name not in asked]
    results = run_batch(
        items, out, options.jobs, options.retry, sys.stderr.isatty(), others=others, scheduler=options.scheduler
    )  # fmt: skip
    for result in results:
        if result.error is not None:
            message = say("report.batch.one_failed", name=result.name, message=result.error.say())
            print(message, file=sys.stderr)
    same = [result.name for result in results if result.unchanged_since]
    if same:
        print(say("report.batch.unchanged_all", n=len(same), names=", ".join(same)), file=sys.stderr)
    good = sum(result.outcome != "failed" for result in results)
    told = {"good": good, "n": len(results), "of": len(planned), "others": len(others), "page": out / "index.html"}
    print(say("report.batch.done_some" if others else "report.batch.done", **told))
    return 1 if good < len(results) else _alerted([result.name for result in results if result.alerts])


def _words(options: argparse.Namespace) -> list[str]:
    """Return the command that makes one report of the plan, up to its name."""
    words = ["funnelkit", "batch", str(Path(options.plan).resolve()), "--out", str(Path(options.out).resolve())]
    return [*words, "--lang", options.lang, *(["--today", options.today] if options.today else []), "--one"]


def _one(item: PlannedReport) -> int:
    """Make one report of a plan by itself; return the exit code."""
    from funnelkit.report.runs.run import note_refusal, run_report

    if item.error is not None:
        note_refusal(item.request.out, item.error)
        raise item.error
    target = run_report(item.request)
    print(target / "report.html")
    return _tell_alerts(target) if item.request.alert else 0


def _alerted(names: list[str]) -> int:
    from funnelkit.report.runs.alerts import ALERTED

    if names:
        print(say("report.batch.alerts_of", names=names), file=sys.stderr)
    return ALERTED if names else 0


def add_verify(commands: Any, **_: Any) -> None:
    command = commands.add_parser("verify")
    command.add_argument("record", metavar="RUN.json")
    command.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> int:
    from funnelkit.report.runs.verify import verify

    n, differences = verify(options.record)
    for item in differences:
        values = {"kind": say(f"report.batch.kind_{item.kind}"), "file": item.name}
        key = "verify_version" if item.kind == "version" else "verify_changed" if item.found else "verify_missing"
        print(say(f"report.batch.{key}", **values, expected=item.expected, found=item.found), file=sys.stderr)
    if not any(item.kind != "version" for item in differences):
        print(say("report.batch.verified", file=options.record, n=n))
    return 1 if any(item.kind != "version" for item in differences) else 0


def add_rerun(commands: Any, **_: Any) -> None:
    command = commands.add_parser("rerun")
    command.add_argument("record", metavar="RUN.json")
    _add_target(command, "out/rerun")
    command.set_defaults(run=_rerun)


def _rerun(options: argparse.Namespace) -> int:
    from funnelkit.report.runs.verify import read_record, rerun

    target, differing = rerun(options.record, options.out, options.deadline)
    for name in differing:
        print(say("report.batch.rerun_differs", file=name), file=sys.stderr)
    if not differing:
        n = len(read_record(options.record)[0]["outputs"])
        print(say("report.batch.rerun_same", n=n))
    print(target / "report.html")
    return 1 if differing else 0


ADD = (add_report, add_batch, add_verify, add_rerun)
