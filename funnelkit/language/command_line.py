"""Help and usage errors of the command line, from `texts/help.toml`, in the language in force."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from funnelkit.language.texts import language, say, texts


def describe(parser: argparse.ArgumentParser) -> None:
    """Give a parser and its commands their help: of an option, its command's text before that of all commands.

    Parameters
    ----------
    parser : ArgumentParser
        Whose options and commands carry no help of their own.

    Raises
    ------
    KeyError
        For an option without a text.
    """
    command = parser.prog.rpartition(" ")[2]
    parser.description = say(f"help.commands.{command}")
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, part in action.choices.items():
                action._choices_actions.append(action._ChoicesPseudoAction(name, (), say(f"help.commands.{name}")))
                describe(part)
        else:
            own = texts("help").get(command, {})
            action.help = say(f"help.{command if action.dest in own else 'any'}.{action.dest}")


@contextmanager
def argparse_words() -> Iterator[None]:
    """Let `argparse` speak the language in force, where gettext would know that of the system only."""
    told = {entry["en"]: entry for entry in texts("help.words").values()}

    def word(text: str) -> str:
        return str(told[text][language()]) if text in told else text

    def word_of_n(one: str, many: str, n: int) -> str:
        return word(one if n == 1 else many)

    before = {name: getattr(argparse, name) for name in ("_", "ngettext")}
    try:
        for name, said in zip(before, (word, word_of_n), strict=True):
            setattr(argparse, name, said)
        yield
    finally:
        for name, said in before.items():
            setattr(argparse, name, said)
