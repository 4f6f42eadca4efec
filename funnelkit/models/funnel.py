"""Funnel models as frozen data: stages, labels in both languages, gates, tasks, states, default rates.

The catalogue's models are `catalogue/*.toml`; a model of one's own is a file of the same form, checked the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from functools import cache, cached_property
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

from funnelkit.language import CatalogError, Text, as_text, fold, nearest, say
from funnelkit.models.checking import MODEL, STAGE, read_model_file, refuse, told

# The catalogue's ids in teaching order: editors complete them, and a test holds them against the files.
ModelName = Literal[
    "purchase-5", "selling-5", "simple-5", "purchase-aidma", "influence", "customer-5", "awareness-4", "principle-6",
    "closing-5", "manager-6", "industrial-8", "project-7", "key-account-5", "execution-4", "pharma",
]  # fmt: skip
CATALOG = Path(__file__).parent / "catalogue"
ORDER: tuple[str, ...] = get_args(ModelName)


@dataclass(frozen=True)
class State:
    """A group of stages with the indicators by which it is recognised."""

    id: str
    name: Text
    indicators: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Stage:
    """One stage. Texts are None where the model says nothing; `rate` is the default share promoted to the next."""

    id: str
    name: Text
    aliases: tuple[str, ...] = ()
    level: int | None = None  # number of a cascade's level as its table counts it, from the weak end
    input: str | None = None  # count or share: given by the user, not a default of the model
    layer: Text | None = None
    phase: Text | None = None  # phases of a buyer's model (AIDMA) that the stage covers
    state: str | None = None
    definition: Text | None = None
    entry: Text | None = None
    marker: Text | None = None
    conditions: Text | None = None
    tools: tuple[Text, ...] = ()
    information: tuple[Text, ...] = ()
    tasks: tuple[Text, ...] = ()
    tactics: tuple[Text, ...] = ()
    buyer: Text | None = None
    role: Text | None = None
    push: Text | None = None
    message: Text | None = None
    audience: Text | None = None
    rate: float | None = None
    count: int | None = None
    duration_days: float | None = None
    win_probability: float | None = None
    missed: str | None = None  # what an aim checked and found wanting does: stay (where nothing is said) or back


@dataclass(frozen=True)
class Item:
    """One line of a topic; `remedy` answers it where the topic pairs problems with answers, `share` is a fraction."""

    text: Text
    id: str | None = None
    name: Text | None = None
    remedy: Text | None = None
    share: float | None = None


@dataclass(frozen=True, repr=False)
class Topic:
    """What a model teaches beside its stages: benefits, questions, tactics. In a notebook it shows itself."""

    id: str
    title: Text
    items: tuple[Item, ...]

    def __repr__(self) -> str:
        return "\n".join([str(self.title), *(f"- {line}" for line in self._lines())])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        items = "".join(f"<li>{escape(line)}</li>" for line in self._lines())
        html = f'<div class="fk"><p><b>{escape(str(self.title))}</b></p><ul>{items}</ul></div>'
        return {"text/html": html, "text/plain": repr(self)}

    def _lines(self) -> list[str]:
        """Return name, text and remedy of each item as one line."""
        colon = say("models.catalogue.colon")
        names = [f"{item.name}{colon}" if item.name else "" for item in self.items]
        ends = [f" {say('models.catalogue.remedy')}{colon}{item.remedy}" if item.remedy else "" for item in self.items]
        return [f"{name}{item.text}{end}" for name, item, end in zip(names, self.items, ends, strict=True)]

    def item(self, item_id: str) -> Item:
        """Return the item of this id."""
        return next(item for item in self.items if item.id == item_id)


@dataclass(frozen=True, repr=False)
class Funnel:
    """A funnel model; `won_stage` is the stage whose entry is the win."""

    id: str
    name: Text
    summary: Text
    entity: Text
    stages: tuple[Stage, ...]
    kind: str = "pipeline"  # pipeline, influence (counts may grow) or cascade
    won_stage: str | None = None
    states: tuple[State, ...] = ()
    topics: tuple[Topic, ...] = ()
    aliases: tuple[str, ...] = ()
    win_probability_at: str = "stage"  # its values hold while in the stage, or on leaving it
    own_choice: tuple[str, ...] = ()  # this kit's values, not the source's: field, stage.field or topics.id
    extra: dict[str, Any] = default(default_factory=dict, compare=False)

    @property
    def stage_ids(self) -> tuple[str, ...]:
        """Return the stage ids in order."""
        return tuple(stage.id for stage in self.stages)

    @property
    def grows(self) -> bool:
        """Return True where counts may grow from stage to stage, as in the influence funnel only."""
        return self.kind == "influence"

    def label(self, stage_id: str) -> str:
        """Return the name of a stage in the language in force."""
        return str(self.stage(stage_id).name)

    def stage(self, name: object) -> Stage:
        """Return the stage of this id, name in either language, or alias; letter case and blanks do not matter.

        >>> funnel("industrial-8").stage("业绩展示").id
        'solution-demo'
        """
        found = self._places.get(fold(name))
        if found is None:
            known = [text for stage in self.stages for text in (stage.id, stage.name.en, stage.name.zh)]
            raise CatalogError("no_such_stage", name=str(name), model=self.id, nearest=nearest(name, known))
        return self.stages[found]

    def __repr__(self) -> str:
        return f"{self.name} ({self.id}): " + " → ".join(str(stage.name) for stage in self.stages)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        items = "".join(f"<li>{escape(str(stage.name))}</li>" for stage in self.stages)
        head = f"<b>{escape(str(self.name))}</b> ({escape(self.id)}): {escape(str(self.summary))}"
        return {"text/html": f'<div class="fk"><p>{head}</p><ol>{items}</ol></div>', "text/plain": repr(self)}

    @cached_property  # and not a cache by model: hashing a whole model for each name costs more than the name
    def _places(self) -> dict[str, int]:
        """Return the place of the stage by each of its names."""
        found: dict[str, int] = {}
        for place, stage in enumerate(self.stages):
            for name in _stage_names(stage):
                found.setdefault(fold(name), place)
        return found

    def topic(self, topic_id: str) -> Topic:
        """Return the topic of this id."""
        return find_topic(self.topics, topic_id)

    def chose(self, stage_id: str, field: str) -> bool:
        """Return True where the value of this field is the kit's own choice, the source being silent.

        >>> funnel("selling-5").chose("value-proposition", "win_probability")
        True
        """
        return field in self.own_choice or f"{stage_id}.{field}" in self.own_choice

    def win_chance(self, stage_id: str) -> float | None:
        """Return the default win probability of an entity that is in the stage now, or None.

        Where the model gives probabilities on leaving, it is that of the stage before, and 0 in the first.

        >>> [funnel("selling-5").win_chance(stage) for stage in ("first-contact", "needs-analysis")]
        [0.0, 0.2]
        """
        if self.win_probability_at == "stage":
            return self.stage(stage_id).win_probability
        position = self.stage_ids.index(self.stage(stage_id).id)
        return self.stages[position - 1].win_probability if position else 0.0


def find_topic(topics: Sequence[Topic], topic_id: str) -> Topic:
    """Return the topic of this id; CatalogError names the nearest."""
    for topic in topics:
        if topic.id == topic_id:
            return topic
    raise CatalogError("no_such_topic", name=topic_id, nearest=nearest(topic_id, [topic.id for topic in topics]))


def _stage_names(stage: Stage) -> tuple[str, ...]:
    return (stage.id, stage.name.en, stage.name.zh, *stage.aliases)


def model_names() -> tuple[str, ...]:
    """Return the ids of the catalogue's models in teaching order."""
    return ORDER


def funnel(name: ModelName | str | PathLike[str] | Funnel) -> Funnel:
    """Return a funnel model: its stages, labels in both languages, gates, tasks, states, default rates.

    Parameters
    ----------
    name : str, Path or Funnel
        An id or alias of the catalogue, or the path of a TOML file of the same form; a Funnel stays as it is.

    Returns
    -------
    Funnel

    Raises
    ------
    CatalogError
        With the nearest names, or with file, key and what is expected there.

    Examples
    --------
    >>> funnel("industrial-8").label("negotiation")
    'Negotiation'
    """
    if isinstance(name, Funnel):
        return name
    if str(name).endswith(".toml"):
        return load_model(Path(name))
    known = {fold(model.id): model for model in catalog()}
    known |= {fold(alias): model for model in catalog() for alias in model.aliases}
    model = known.get(fold(name))
    if model is None:
        raise CatalogError("no_such_model", name=str(name), nearest=nearest(name, model_names()))
    return model


@cache
def catalog() -> tuple[Funnel, ...]:
    """Return all models of the catalogue in teaching order."""
    return tuple(load_model(CATALOG / f"{name}.toml") for name in ORDER)


def load_model(path: Path) -> Funnel:
    """Read and check one model file."""
    model: Funnel = build_part(Funnel, {"id": path.stem, **read_model_file(path, MODEL)})
    _check_names(model, path)
    _check_references(model, path)
    return model


def custom(stage_names: Iterable[str], *, model_id: str = "custom", won_stage: str | None = None) -> Funnel:
    """Return a model made of bare stage names, in order, each its own id and label.

    Parameters
    ----------
    stage_names : iterable of str
    model_id : str, default "custom"
    won_stage : str, optional
        The stage whose entry is the win.

    Returns
    -------
    Funnel

    Examples
    --------
    >>> custom(["Lead", "Offer"]).stage_ids
    ('Lead', 'Offer')
    """
    stages = tuple(Stage(id=name, name=Text(name, name)) for name in stage_names)
    text = Text(model_id, model_id)
    return Funnel(id=model_id, name=text, summary=text, entity=Text("deal", "商机"), stages=stages, won_stage=won_stage)


_PARTS: dict[str, type[Any]] = {"stages": Stage, "states": State, "topics": Topic, "items": Item}


def build_part(kind: type[Any], raw: dict[str, Any], **parts: type[Any]) -> Any:
    """Turn a checked table into its dataclass; texts and lists of texts become Text and tuples of Text.

    `parts` names the dataclass of the rows under a key, for keys that are no part of a model.
    """
    values: dict[str, Any] = {}
    kinds = _PARTS | parts
    for key, value in raw.items():
        if key in kinds:
            value = tuple(build_part(kinds[key], row) for row in value)
        elif isinstance(value, dict) and key != "extra":
            value = as_text(value)
        elif isinstance(value, list):
            value = tuple(value)
        values[key] = value
    if kind is Item:
        values["text"] = Text(values.pop("en"), values.pop("zh"))
    return kind(**values)


def _check_names(model: Funnel, path: Path) -> None:
    """Refuse an id that stands twice, and a stage that another stage's id, name or alias already means."""
    owners: dict[str, int] = {}
    for number, stage in enumerate(model.stages, 1):
        for name in _stage_names(stage):
            other = owners.setdefault(fold(name), number)
            if other != number:
                expected = told("expected_unique", other=f"stages[{other}]")
                refuse(path, f"stages[{number}]", repr(name), expected)
    _check_ids(model.states, "states", path)
    _check_ids(model.topics, "topics", path)
    for number, topic in enumerate(model.topics, 1):
        _check_ids([item for item in topic.items if item.id], f"topics[{number}].items", path)


def _check_ids(rows: Iterable[Any], where: str, path: Path) -> None:
    seen = set()
    for row in rows:
        if row.id in seen:
            refuse(path, f"{where}.id", repr(row.id), told("expected_unique_ids"))
        seen.add(row.id)


def _check_references(model: Funnel, path: Path) -> None:
    """Refuse states, won stages and own choices that name nothing, and growth outside the influence funnel."""
    ids, states = model.stage_ids, [state.id for state in model.states]
    if model.won_stage is not None and model.won_stage not in ids:
        refuse(path, "won_stage", repr(model.won_stage), ", ".join(ids))
    for number, stage in enumerate(model.stages, 1):
        if stage.state is not None and stage.state not in states:
            expected = ", ".join(states) or told("expected_no_state")
            refuse(path, f"stages[{number}].state", repr(stage.state), expected)
        if not model.grows and (stage.rate or 0) > 1:
            refuse(path, f"stages[{number}].rate", repr(stage.rate), told("expected_rate"))
    topics = [topic.id for topic in model.topics]
    for choice in model.own_choice:
        owner, _, field = choice.rpartition(".")
        known = field in topics if owner == "topics" else field in STAGE.keys and owner in ("", *ids)
        if not known:
            refuse(path, "own_choice", repr(choice), told("expected_choice"))
