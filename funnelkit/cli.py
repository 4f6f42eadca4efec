"""Command line: maps options to functions and adds nothing. `funnelkit COMMAND --help` lists the options."""

import argparse
import locale
import os
import sys

from funnelkit import __version__
from funnelkit.errors import FunnelkitError

USAGE = 64


class Parser(argparse.ArgumentParser):
    """A parser that ends with exit code 64 on a usage error."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def default_lang():
    """Return zh where the locale is Chinese, else en."""
    name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if (name or locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"


def add_models(commands):
    command = commands.add_parser("models", help="list the catalogue or print one model")
    command.add_argument("name", nargs="?", help="a model's id, or the path of a TOML file of your own")
    command.set_defaults(run=run_models)


def run_models(options):
    from funnelkit import catalog, catalog_text

    if options.name:
        print(catalog_text.model_text(catalog.funnel(options.name, options.lang)))
    else:
        print(catalog_text.list_text(options.lang))
    return 0


def add_synth(commands):
    command = commands.add_parser("synth", help="make data whose truth is known: deals.csv, events.csv, truth.json")
    command.add_argument("name", help="a generator, such as b2b-8")
    command.add_argument("--seed", type=int, required=True, help="the same seed makes the same bytes")
    command.add_argument("--out", required=True, metavar="DIR", help="folder for the files")
    command.set_defaults(run=run_synth)


def run_synth(options):
    from funnelkit import synth

    for path in synth.write(synth.synthesize(options.name, options.seed), options.out):
        print(path)
    return 0


COMMANDS = (add_models, add_synth)


def build_parser():
    """Return the parser of the whole command line."""
    parser = Parser(prog="funnelkit", description="Sales funnels: lessons, counting, reports that can be trusted.")
    parser.add_argument("--version", action="version", version=f"funnelkit {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for add in COMMANDS:
        add(commands)
    for command in commands.choices.values():
        command.add_argument("--lang", choices=("en", "zh"), default=default_lang(), help="language of messages")
    return parser


def main(arguments=None):
    """Run one command and return its exit code."""
    options = build_parser().parse_args(arguments)
    try:
        return options.run(options)
    except FunnelkitError as error:
        print(f"funnelkit {options.command}: {error.say(options.lang)}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
