"""Errors that say what, where and what to do, in the reader's language.

An error is a key of `texts/errors.toml` with its values: `str(error)` is in the language in force when it is read.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from funnelkit.language.texts import Lang, language, say, speaking, texts


class FunnelkitError(Exception):
    """Base of all errors of the kit; `exit_code` is what the command line ends with."""

    exit_code: int = 1

    def __init__(self, key: str, /, **values: object) -> None:
        self.key = key
        self.values = values
        super().__init__(key)

    def __str__(self) -> str:
        return self.say()

    def say(self, lang: Lang | None = None) -> str:
        """Return the message in `lang`, by default in the language in force."""
        with speaking(lang):
            return say(f"errors.{self.key}", **{name: _told(value) for name, value in self.values.items()})

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self.key, self.values)


def _told(value: object) -> object:
    """Return a reason of the operating system in the language in force, any other value as it is."""
    return _reasons()[value][language()] if isinstance(value, str) and value in _reasons() else value


@cache
def _reasons() -> dict[str, dict[str, str]]:
    return {entry["en"]: entry for entry in texts("language.system").values()}


def _rebuild(kind: type[FunnelkitError], key: str, values: dict[str, object]) -> FunnelkitError:
    return kind(key, **values)


class CatalogError(FunnelkitError):
    """A model that does not exist or a model file that is wrong."""

    exit_code = 2


class DataError(FunnelkitError):
    """Input that cannot be read for what it should be."""

    exit_code = 2


class RuleError(FunnelkitError):
    """A counting rule that contradicts itself, or that an engine does not support."""

    exit_code = 2


class ReportError(FunnelkitError):
    """A report that could not be made; the exit code tells why."""

    def __init__(self, key: str, exit_code: int, /, **values: object) -> None:
        self.exit_code = exit_code
        super().__init__(key, **values)

    def __reduce__(self) -> Any:
        return _rebuild_report, (self.key, self.exit_code, self.values)


def _rebuild_report(key: str, exit_code: int, values: dict[str, object]) -> ReportError:
    return ReportError(key, exit_code, **values)
