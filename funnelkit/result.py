"""Result: a tidy table with a plain reading of it in both languages; and the refusal, where a source cannot tell."""

from dataclasses import dataclass, field

import pandas as pd

from funnelkit.language import DataError, Text, rate_text, say
from funnelkit.language import points as points
from funnelkit.stats import rate_columns

_BETWEEN = {"en": " ", "zh": ""}


def localise(values, lang):
    """Return `values` as `say` takes them: a Text becomes its side of `lang`, a sequence of values one list of words.

    >>> localise({"stages": [Text("Lead", "线索"), Text("Offer", "报价")], "n": 2}, "zh")
    {'stages': '线索、报价', 'n': 2}
    """
    return {name: _in(value, lang) for name, value in values.items()}


def _in(value, lang):
    if hasattr(value, lang):
        return getattr(value, lang)
    if isinstance(value, (list, tuple)):
        return say("result.between", lang).join(str(_in(item, lang)) for item in value)
    return value


@dataclass(frozen=True)
class Result:
    """What an analysis found: `table`, and the sentences that say it.

    `key` names the leading sentence (`group.name` of texts/), `values` fill it: ready-made strings, numbers, Text (a
    word in both languages) or sequences of these. `notes` are further sentences, (key, values) each, in order.
    """

    table: pd.DataFrame
    key: str
    values: dict = field(default_factory=dict)
    notes: tuple[tuple[str, dict], ...] = ()

    def reading(self, lang="en"):
        """Return what the table says, in plain words."""
        return _BETWEEN[lang].join(self.sentences(lang))

    def sentences(self, lang="en"):
        """Return the reading sentence by sentence."""
        return [say(key, lang, **localise(values, lang)) for key, values in ((self.key, self.values), *self.notes)]


def both(write):
    """Return what `write(lang)` makes in each language, as a Text for the values of a Result."""
    return Text(write("en"), write("zh"))


def rate_words(k, n):
    """Return a rate as people read it, with interval and n.

    >>> rate_words(4238, 6711).zh
    '63.2 % [62.0, 64.3]（n = 6,711）'
    """
    row = {name: value.item() for name, value in rate_columns(k, n).items()}
    return both(lambda lang: rate_text(row, lang))


class LimitError(DataError):
    """An analysis that the source cannot support; `limit` says why."""

    def __init__(self, analysis, limit):
        self.analysis, self.limit = analysis, limit
        super().__init__("limit_refuses")

    def say(self, lang="en"):
        """Return the message in `lang`."""
        analysis = say(f"result.{self.analysis}", lang)
        return say(f"errors.{self.key}", lang, analysis=analysis, reason=self.limit.message(lang))

    def __reduce__(self):
        return LimitError, (self.analysis, self.limit)


def refuse_limits(pipeline, analysis, *codes):
    """Raise LimitError if the source has one of these limits. `analysis` is a key of texts/result.toml.

    >>> from types import SimpleNamespace
    >>> refuse_limits(SimpleNamespace(limit=lambda code: None), "time_in_stage", "no_history")
    """
    for code in codes:
        limit = pipeline.limit(code)
        if limit is not None:
            raise LimitError(analysis, limit)
