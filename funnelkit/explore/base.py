"""The widget class of every explorable: what Python knows of the card that the browser computes and draws.

Only the state travels. `result` is the public verb at that state, computed when it is asked for; a test holds that the
module in the browser computes the same to the last bit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, ClassVar

import anywidget
import traitlets

from funnelkit.language import LANGUAGES, Text, both, language, number, say, speaking, texts
from funnelkit.result import Result

DATA = "application/vnd.funnelkit.explorable+json"  # in a saved notebook: what a page without a kernel is made of
State = dict[str, Any]


@dataclass(frozen=True)
class Input:
    """One thing to move: `least` and `most` bound what may be typed, `low` and `high` the slider; options are a choice.

    `kind` "percent" shows a fraction as percent; `place` is "bar" (above the picture), "guess" (beside the reveal),
    "more" (a fold), "unseen" (moved by a button of the card only) or "" (the column of controls).
    """

    id: str
    label: Text | str
    low: float = 0.0
    high: float = 1.0
    step: float = 0.01
    kind: str = "number"
    place: str = ""
    least: float | None = None
    most: float | None = None
    log: bool = False
    whole: bool = False
    digits: int | None = None
    options: Sequence[tuple[str, Text | str]] = field(default_factory=tuple)

    def spec(self) -> dict[str, Any]:
        """Return the control as the module takes it."""
        named = {"id": self.id, "label": in_both(self.label), "place": self.place}
        if self.options:
            return named | {"options": [{"id": id_, "name": in_both(name)} for id_, name in self.options]}
        bounds = {"least": self.low if self.least is None else self.least}
        bounds["most"] = self.high if self.most is None else self.most
        shape = {"min": self.low, "max": self.high, "step": self.step, "kind": self.kind}
        return named | shape | bounds | {"log": self.log, "whole": self.whole, "digits": self.digits}


@dataclass(frozen=True)
class Judgement:
    """How far a challenge is: `status` is start, not_yet, outside or done."""

    status: str

    @property
    def met(self) -> bool:
        """Return True where the challenge is solved within its rules."""
        return self.status == "done"


class Explorable(anywidget.AnyWidget):
    """Base of the explorables: a class sets `name` and `_esm = module(name)`, and gives `result` and `to_python`.

    `state` is what the reader moves. Set all or a part of it to move the card in every view.
    """

    name: ClassVar[str] = ""
    spec = traitlets.Dict().tag(sync=True)
    texts = traitlets.Dict().tag(sync=True)
    css = traitlets.Unicode().tag(sync=True)
    lang = traitlets.Enum(LANGUAGES).tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    revealed = traitlets.Bool(False).tag(sync=True)

    def __init__(self, spec: Mapping[str, Any], controls: Sequence[Input], baseline: State, **more: Any) -> None:
        self._controls = {control.id: control for control in controls}
        described = {"presets": [], "layout": "side", **spec, "name": self.name, "baseline": baseline}
        described["controls"] = [control.spec() for control in controls]
        super().__init__(
            spec=described, texts=words(self.name), css=styles(self.name), lang=language(), state=dict(baseline), **more
        )

    @traitlets.validate("state")
    def _checked(self, proposal: Any) -> State:
        """Return the state with what is given changed; what comes from a browser is outside input."""
        given, known = proposal["value"], self._controls
        if not known:
            return dict(given)
        for name in given:
            if name not in known:
                raise traitlets.TraitError(say("explore.core.no_such_control", name=name, known=list(known)))
        kept = self.state if set(self.state) == set(known) else self.spec["baseline"]
        return {**kept, **{name: _value(known[name], value) for name, value in given.items()}}

    @classmethod
    def said(cls, key: str, **values: Any) -> Text:
        """Return a text of this explorable in both languages."""
        return said(f"explore.{cls.name}.{key}", **values)

    @classmethod
    def presets(cls, tried: Mapping[str, State], **values: Any) -> list[dict[str, Any]]:
        """Return the presets as the module takes them, from {key of the name: what changes}."""
        return [{"name": in_both(cls.said(key, **values)), "state": dict(state)} for key, state in tried.items()]

    @classmethod
    def options(cls, keys: Mapping[str, str]) -> list[tuple[str, Text | str]]:
        """Return the options of a choice, from {value: key of its name}."""
        return [(value, cls.said(key)) for value, key in keys.items()]

    @classmethod
    def goal(cls, rule: Mapping[str, Any], key: str = "challenge_text", **values: Any) -> dict[str, Any]:
        """Return a challenge as the module takes it."""
        return {"text": in_both(cls.said(key, **values)), "rule": dict(rule)}

    def moved(self, *names: str) -> list[str]:
        """Return what differs from the baseline, a guess apart: of all, or of these names and those numbered so."""
        base = self.spec["baseline"]
        moved = [name for name, value in self.state.items() if value != base[name] and name != "guess"]
        return [name for name in moved if not names or name.rstrip("0123456789") in names]

    def reset(self) -> None:
        """Put everything back to the baseline."""
        self.state, self.revealed = dict(self.spec["baseline"]), False

    @property
    def result(self) -> Result:
        """Return what the public verb finds at the present state."""
        raise NotImplementedError

    @property
    def table(self) -> Any:
        """Return the table of `result`."""
        return self.result.table

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        raise NotImplementedError

    def bundle(self) -> dict[str, Any]:
        """Return all that a page without a kernel needs to show this card; a saved notebook carries it.

        Decimals beyond the eighth differ from processor to processor, so that nobody sees them.
        """
        found = {"name": self.name, "spec": self.spec, "state": self.state, "lang": self.lang}
        return {**_short(found), "revealed": self.revealed}

    def twin(self) -> dict[str, str]:
        """Return the card as HTML and text for places without scripts: its question and what the verb shows."""
        return self.still(self.result)

    def still(self, found: Result) -> dict[str, str]:
        """Return the card's question and a Result as HTML and text."""
        with speaking(self.lang):
            shown, title = found._repr_mimebundle_(), say(f"explore.{self.name}.title")
        lead = f'<p class="fk"><strong>{escape(title)}</strong></p>\n'
        return {"text/html": lead + shown["text/html"], "text/plain": f"{title}\n{shown['text/plain']}"}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        live, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {**live, **self.twin(), DATA: self.bundle()}, metadata

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.state})"


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, Mapping):
        return {name: _short(part) for name, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, (list, tuple)) else value


def _value(control: Input, value: Any) -> Any:
    """Return a value of a control as the state holds it, or raise TraitError."""
    spec = control.spec()
    if control.options:
        if value in [option["id"] for option in spec["options"]]:
            return value
        raise traitlets.TraitError(say("explore.core.no_such_option", name=control.id, value=repr(value)))
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if fits and spec["least"] <= value <= spec["most"] and not (control.whole and value % 1):
        return float(value)
    bounds = {end: number(spec[name], 4) for end, name in (("low", "least"), ("high", "most"))}
    raise traitlets.TraitError(say("explore.core.bad_value", name=control.id, value=repr(value), **bounds))


def rounded(value: Any) -> float:
    """Return a number without what another processor may compute otherwise: a saved notebook keeps its bytes."""
    return round(float(value), 8)


def in_both(text: Text | str) -> dict[str, str]:
    """Return a text in both languages; a name of the user's own is the same in both."""
    return text._asdict() if isinstance(text, Text) else dict.fromkeys(LANGUAGES, str(text))


def said(key: str, **values: Any) -> Text:
    """Return a text in both languages."""
    return both(lambda: say(key, **values))


def words(name: str) -> dict[str, dict[str, str]]:
    """Return the texts of an explorable and those of every card: {language: {key: text}}."""
    of_lists = {key: texts("result")[key] for key in ("between", "and", "and_others")}
    entries = {**texts("explore.core"), **texts(f"explore.{name}"), **of_lists}
    return {lang: {key: entry[lang] for key, entry in entries.items()} for lang in LANGUAGES}


@cache
def module(name: str) -> str:
    """Return an explorable's module with the core's text in place of its import: a widget may import nothing."""
    core = re.sub(r"^export (?!default)", "", file_text("core.mjs"), flags=re.M)
    own, found = re.subn(r'^import \{[^}]*\} from "./core.mjs";\n', "", file_text(f"{name}.mjs"), count=1, flags=re.M)
    assert found == 1, name
    return f"{core}\n{own}"


@cache
def styles(name: str) -> str:
    """Return the styles of every card, and those of the explorable where it has any."""
    own = files("funnelkit.explore").joinpath(f"{name}.css").is_file()
    return file_text("core.css") + (file_text(f"{name}.css") if own else "")


def file_text(name: str) -> str:
    """Return a file of this room."""
    return files("funnelkit.explore").joinpath(name).read_text(encoding="utf-8")
