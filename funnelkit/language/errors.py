"""Errors that say what, where and what to do, in the reader's language.

An error is a key of `texts/errors.toml` with its values: `str(error)` is in the language in force when it is read.
"""

from functools import cache

from funnelkit.language.texts import language, say, speaking, texts


class FunnelkitError(Exception):
    """Base of all errors of the kit; `exit_code` is what the command line ends with."""

    exit_code = 1

    def __init__(self, key, /, **values):
        self.key = key
        self.values = values
        super().__init__(key)

    def __str__(self):
        return self.say()

    def say(self, lang=None):
        """Return the message in `lang`, by default in the language in force."""
        with speaking(lang):
            return say(f"errors.{self.key}", **{name: _told(value) for name, value in self.values.items()})

    def __reduce__(self):
        return _rebuild, (type(self), self.key, self.values)


def _told(value):
    """Return a reason of the operating system in the language in force, any other value as it is."""
    return _reasons()[value][language()] if isinstance(value, str) and value in _reasons() else value


@cache
def _reasons():
    return {entry["en"]: entry for entry in texts("language.system").values()}


def _rebuild(kind, key, values):
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

    def __init__(self, key, exit_code, /, **values):
        self.exit_code = exit_code
        super().__init__(key, **values)

    def __reduce__(self):
        return _rebuild_report, (self.key, self.exit_code, self.values)


def _rebuild_report(key, exit_code, values):
    return ReportError(key, exit_code, **values)
