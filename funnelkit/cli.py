"""Command line: maps options to functions and adds nothing. `funnelkit COMMAND --help` lists the options."""

from __future__ import annotations

import argparse
import io
import json
import locale
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from funnelkit import __version__
from funnelkit.language import LANGUAGES, FunnelkitError, Lang, Stream, argparse_words, describe, say, speaking, watched

if TYPE_CHECKING:
    from funnelkit.events import EventCount
    from funnelkit.pipeline import Pipeline
    from funnelkit.result import Result

    Commands = argparse._SubParsersAction[Any]

USAGE, CANNOT_WRITE = 64, 14


class Parser(argparse.ArgumentParser):
    """A parser that ends with exit code 64 on a usage error; a `mixed` one takes names before and after options."""

    mixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if not self.mixed:
            return super().parse_known_args(args, namespace)
        self.usage = self.prog + self.format_usage().partition(self.prog)[2]  # whole, in the language in force
        self.mixed = False
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.mixed, self.usage = True, None

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def default_lang() -> Lang:
    """Return zh where the locale is Chinese, else en."""
    name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if (name or locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"


def add_models(commands: Commands) -> None:
    command = commands.add_parser("models")
    command.add_argument("name", nargs="?")
    command.set_defaults(run=run_models)


def run_models(options: argparse.Namespace) -> int:
    from funnelkit.models import funnel, list_text, model_text

    if options.name:
        print(model_text(funnel(options.name)))
    else:
        print(list_text())
    return 0


def add_synth(commands: Commands) -> None:
    command = commands.add_parser("synth")
    command.add_argument("name")
    command.add_argument("--seed", type=int, required=True)
    command.add_argument("--out", required=True, metavar="DIR")
    command.set_defaults(run=run_synth)


def run_synth(options: argparse.Namespace) -> int:
    from funnelkit.synth import synthesize, write

    for path in write(synthesize(options.name, options.seed), options.out):
        print(path)
    return 0


def add_count(commands: Commands) -> None:
    from funnelkit.events import add_answers

    command = commands.add_parser("count")
    command.add_argument("file", nargs="+")
    command.add_argument("--steps", required=True, type=_names, metavar="A,B|C,D")
    command.add_argument("--rule", default="default", metavar="PRESET")
    command.add_argument("--window", metavar="30d")
    command.add_argument("--exclude", type=_names, default=[], metavar="X,Y")
    command.add_argument("--by", type=_names, metavar="COL,COL")
    command.add_argument("--id", default="deal_id", metavar="COL")
    command.add_argument("--stage", default="stage", metavar="COL")
    command.add_argument("--at", default="entered_at", metavar="COL")
    command.add_argument("--engine", default="duckdb", metavar="URL")
    add_answers(command)
    add_source_options(command)
    command.add_argument("--quarantine", metavar="FILE")
    command.add_argument("--json", action="store_true")
    command.set_defaults(run=run_count)


def run_count(options: argparse.Namespace) -> int:
    from funnelkit.events import answers_json, answers_text
    from funnelkit.language import say

    found, answers = _count(options)
    notes = [say(key, **values) for key, values in found.notes if key.startswith("events.notes.")]
    if options.json:
        rows = found.table.rename(columns={"stage": "step"}).to_json(orient="records", force_ascii=False)
        answer = {"rule": options.rule, "steps": options.steps, "rows": json.loads(rows), "notes": notes}
        print(json.dumps(answer | answers_json(answers), ensure_ascii=False))
    else:
        print("\n".join([found.show(most=None).text, *found.sentences(), *answers_text(answers)]))
    return 0


def _count(options: argparse.Namespace) -> tuple[EventCount, dict[str, Result]]:
    from funnelkit.events import LogColumns, count_events, count_on, engine_answers, more_answers, preset, with_fields
    from funnelkit.language import RuleError

    columns = LogColumns(options.id, options.stage, options.at)
    rule = with_fields(preset(options.rule, options.window, tuple(options.exclude)), options)
    settings = _log_settings(options)
    won, lost, void = (_listed(settings.pop(kind)) for kind in _OUTCOMES)
    rule = replace(rule, lost=tuple(lost), void=tuple(void))
    won = [name for name in won if all(name not in step.split("|") for step in options.steps)]
    options.steps += ["|".join(won)] if won else []
    as_of = settings.pop("as_of")
    if options.engine == "duckdb":
        how = {"columns": columns, "as_of": as_of, "reading": settings}
        answers = more_answers(options, options.file, options.steps, rule, **how)
        bar = sys.stderr.isatty()
        return count_events(options.file, options.steps, rule, by=options.by, progress=bar, **how), answers
    if options.by or len(options.file) > 1:
        field = "--by" if options.by else "FILE"
        raise RuleError("engine_option", engine=options.engine, option=field)
    asked = (options.engine, options.file[0], options.steps, rule)
    answers = engine_answers(options, *asked[1:], columns=columns, as_of=as_of)
    return count_on(*asked, columns=columns, as_of=as_of), answers


def _log_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return how a log is read, its outcomes and its date; a mapping's stages are those of deals."""
    from funnelkit.reading import with_mapping

    given = with_mapping(as_of=options.as_of, **_outcomes(options), **source_settings(options))
    return {name: value for name, value in given.items() if name not in ("layout", "model", "stages")}


def _listed(names: Any) -> list[str]:
    return _names(names) if isinstance(names, str) else list(names or ())


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(say("help.values.not_names"))
    return names


def add_reports(commands: Commands) -> None:
    from funnelkit.report import ADD

    for add in ADD:
        add(commands, pair=_pair, add_source_options=add_source_options, settings=source_settings)


def add_check(commands: Commands) -> None:
    command = commands.add_parser("check")
    command.add_argument("files", nargs="+", metavar="FILE")
    add_reading_options(command)
    command.add_argument("--quarantine", metavar="FILE")
    command.add_argument("--write-mapping", metavar="FILE")
    command.add_argument("--json", action="store_true")
    command.set_defaults(run=run_check)


def add_reading_options(command: argparse.ArgumentParser) -> None:
    """Add the options that say how to read deals; `reading` turns them into arguments of `reading.read`."""
    command.add_argument("--layout", choices=("deals", "events", "counts"))
    command.add_argument("--stages", metavar="MODEL|A,B,C")
    command.add_argument("--join", action="append", default=[], metavar="FILE")
    command.add_argument("--on", action="append", default=[], type=_pair, metavar="COLUMN=KEY")
    add_source_options(command)


def add_source_options(command: argparse.ArgumentParser) -> None:
    """Add the options that say how a source is written, which all commands that read one share."""
    command.add_argument("--preset", metavar="NAME")
    command.add_argument("--as-of", metavar="DATE")
    command.add_argument("--encoding")
    command.add_argument("--decimal", choices=(".", ","))
    command.add_argument("--date-order", choices=("dmy", "mdy", "ymd"))
    command.add_argument("--currency")
    command.add_argument("--timezone", metavar="ZONE")
    command.add_argument("--delimiter", metavar="SIGN")
    command.add_argument("--sheet", metavar="NAME")
    command.add_argument("--table", metavar="NAME")
    command.add_argument(
        "--map", action="append", default=[], type=_pair, metavar="[FILE:]CANON=COLUMN"
    )  # fmt: skip
    add_declared(command)


_OUTCOMES = ("won", "lost", "void")


def add_declared(command: argparse.ArgumentParser) -> None:
    """Add the options that declare a mapping and outcomes, which all commands share that read data."""
    command.add_argument("--mapping", metavar="FILE")
    for kind in _OUTCOMES:
        command.add_argument(
            f"--{kind}", action="extend", default=[], type=_names, metavar="A,B"
        )  # fmt: skip


def _outcomes(options: argparse.Namespace) -> dict[str, Any]:
    return {kind: getattr(options, kind) or None for kind in _OUTCOMES}


def source_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the options of `add_source_options` say, without outcomes and date."""
    names = ("preset", "encoding", "decimal", "date_order", "currency", "timezone", "delimiter", "sheet", "table",
             "mapping")  # fmt: skip
    given = {name: getattr(options, name) for name in names}
    return {**given, "map": dict(options.map), "quarantine": getattr(options, "quarantine", None)}


def reading(options: argparse.Namespace, progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """Return the arguments of `reading.read` that the reading options ask for."""
    return {
        "stages": options.stages, "layout": options.layout, "as_of": options.as_of,
        "join": options.join, "on": dict(options.on),
        "progress": progress, **_outcomes(options), **source_settings(options),
    }  # fmt: skip


def run_check(options: argparse.Namespace) -> int:
    from funnelkit.reading import EXIT, check_summary, check_text, read, shown
    from funnelkit.report import Progress

    with Progress(sys.stderr.isatty()) as bar:
        try:
            settings = reading(options, lambda share: bar.show(int(100 * share), 100, "%"))
            result: Pipeline | FunnelkitError = read(*options.files, **settings)
        except FunnelkitError as error:
            result = error
    found = check_summary(result, map(shown, options.files))
    print(json.dumps(found, ensure_ascii=False, indent=1) if options.json else check_text(found))
    _show_mapping(result, options)
    return EXIT[found["outcome"]]


def _show_mapping(result: Pipeline | FunnelkitError, options: argparse.Namespace) -> None:
    """Write the mapping where that is asked for; print it where a refusal asks for what it lacks."""
    from funnelkit.language import say
    from funnelkit.reading import mapping_text, write_mapping

    if options.write_mapping:
        write_mapping(options.write_mapping, result)
        print(say("reading.mapping.written", file=options.write_mapping), file=sys.stderr)
    elif isinstance(result, FunnelkitError) and result.values.get("proposals") and not options.json:
        print("\n" + say("reading.mapping.draft") + "\n\n" + mapping_text(result))


def add_new(commands: Commands) -> None:
    command = commands.add_parser("new")
    command.add_argument("file", metavar="FILE")
    add_reading_options(command)
    command.add_argument("--out", metavar="X.ipynb")
    command.add_argument("--page", action="store_true")
    command.add_argument("--target", type=float, metavar="WINS")
    command.set_defaults(run=run_new)


def run_new(options: argparse.Namespace) -> int:
    if options.page:
        return _write_page(options)
    from funnelkit.course import write_notebook

    print(write_notebook(options.file, options.out, **reading(options)))
    return 0


def _write_page(options: argparse.Namespace) -> int:
    from pathlib import Path

    from funnelkit.explore import WhatIf, write_page
    from funnelkit.language import DataError
    from funnelkit.reading import read

    out = Path(options.out or f"{Path(options.file).stem}.html")
    if out.exists():
        raise DataError("notebook_exists", file=str(out))
    print(write_page(WhatIf.of(read(options.file, **reading(options)), target=options.target), out))
    return 0


def add_lessons(commands: Commands) -> None:
    from funnelkit.course import add_lesson_commands

    add_lesson_commands(commands)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(say("help.values.not_pair", found=repr(text)))
    return name.strip(), value


COMMANDS = (add_models, add_synth, add_check, add_new, add_count, add_reports, add_lessons)


def build_parser() -> Parser:
    """Return the parser of the whole command line, in the language in force."""
    parser = Parser(prog="funnelkit")
    parser.add_argument("--version", action="version", version=f"funnelkit {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for add in COMMANDS:
        add(commands)
    for command in commands.choices.values():
        if any("--lang" in action.option_strings for action in command._actions):
            continue
        command.add_argument("--lang", choices=LANGUAGES, default=default_lang())
    describe(parser)
    return parser


def _asked_lang(arguments: Sequence[str]) -> Lang:
    """Return the language that the arguments name, for the help and the errors of parsing the others."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--lang", choices=LANGUAGES)
    try:
        asked: Lang | None = parser.parse_known_args(arguments)[0].lang
    except (argparse.ArgumentError, SystemExit):
        asked = None
    return asked or default_lang()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 14 where all went well but what it printed could not be written."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Chinese shows marks instead of a crash
    asked = _asked_lang(sys.argv[1:] if arguments is None else arguments)
    with watched() as output:
        try:
            code = _run(arguments, asked)
        except SystemExit as end:  # argparse has shown help, the version or a usage error
            if end.code or not _is_lost(output, asked):
                raise
            return CANNOT_WRITE
        lost = _is_lost(output, asked)
        return code or (CANNOT_WRITE if lost else 0)


def _run(arguments: Sequence[str] | None, asked: Lang) -> int:
    with speaking(asked), argparse_words():
        options = build_parser().parse_args(arguments)
    with speaking(options.lang or default_lang()):
        try:
            code: int = options.run(options)
            return code
        except FunnelkitError as error:
            print(f"funnelkit {options.command}: {error}", file=sys.stderr)
            return error.exit_code
        except KeyboardInterrupt:
            return 130


def _is_lost(output: Stream, lang: Lang) -> bool:
    """Tell, also on stderr, whether what was printed is lost; a reader that has gone wants no more."""
    output.flush()
    if output.failure is None or isinstance(output.failure, BrokenPipeError):
        return False
    with speaking(lang):
        print(f"funnelkit: {say('errors.output_lost', reason=output.failure.strerror)}", file=sys.stderr)
    return True


if __name__ == "__main__":
    sys.exit(main())
