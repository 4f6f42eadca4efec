"""Funnel models as frozen data: stages, labels in both languages, gates, tasks, states, default rates.

The catalogue's models are `catalog/*.toml`; a model of one's own is a file of the same form, checked the same way.
"""

import difflib
import tomllib
from dataclasses import dataclass, replace
from dataclasses import field as default
from functools import cache
from pathlib import Path

from funnelkit import schema
from funnelkit.errors import CatalogError
from funnelkit.schema import Text

CATALOG = Path(__file__).parent / "catalog"
ORDER = (
    "purchase-5", "selling-5", "simple-5", "purchase-aidma", "influence", "customer-5", "awareness-4", "principle-6",
    "closing-5", "manager-6", "industrial-8", "project-7", "key-account-5", "execution-4", "pharma",
)  # fmt: skip


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
    layer: Text | None = None
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


@dataclass(frozen=True)
class Item:
    """One line of a topic; `remedy` is the answer where the topic pairs problems with answers."""

    text: Text
    remedy: Text | None = None


@dataclass(frozen=True)
class Topic:
    """What a model teaches beside its stages: benefits, questions, tactics."""

    id: str
    title: Text
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Funnel:
    """A funnel model. `lang` is the language that `label` answers in; `won_stage` the stage whose entry is the win."""

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
    own_choice: tuple[str, ...] = ()  # fields whose values are this kit's, not the source's
    lang: str = "en"
    extra: dict = default(default_factory=dict, compare=False)

    @property
    def stage_ids(self):
        """Return the stage ids in order."""
        return tuple(stage.id for stage in self.stages)

    @property
    def grows(self):
        """Return True where counts may grow from stage to stage, as in the influence funnel only."""
        return self.kind == "influence"

    def label(self, stage_id):
        """Return the name of a stage in the model's language."""
        return self.stage(stage_id).name[self.lang]

    def stage(self, name):
        """Return the stage of this id, name in either language, or alias; letter case and blanks do not matter.

        >>> funnel("industrial-8").stage("业绩展示").id
        'solution-demo'
        """
        found = _stage_index(self).get(schema.fold(name))
        if found is None:
            known = [text for stage in self.stages for text in (stage.id, stage.name.en, stage.name.zh)]
            raise CatalogError("no_such_stage", name=str(name), model=self.id, nearest=nearest(name, known))
        return self.stages[found]

    def topic(self, topic_id):
        """Return the topic of this id."""
        return next(topic for topic in self.topics if topic.id == topic_id)


@cache
def _stage_index(model):
    index = {}
    for position, stage in enumerate(model.stages):
        for name in (stage.id, stage.name.en, stage.name.zh, *stage.aliases):
            index.setdefault(schema.fold(name), position)
    return index


def nearest(name, known):
    """Return up to three of `known` that read like `name`, joined for a message; all of them if none does."""
    by_fold = {schema.fold(text): str(text) for text in known}
    close = difflib.get_close_matches(schema.fold(name), list(by_fold), n=3, cutoff=0.5)
    return ", ".join(by_fold[fold] for fold in close) or ", ".join(dict.fromkeys(by_fold.values()))


def names():
    """Return the ids of the catalogue's models in teaching order."""
    return ORDER


def funnel(name, lang="en"):
    """Return the model `name`: an id of the catalogue, or a path to a TOML file of the same form.

    Raises CatalogError with the nearest names, or with file, key and what is expected.

    >>> funnel("industrial-8", "zh").label("negotiation")
    '商务谈判'
    """
    if str(name).endswith(".toml"):
        return replace(load_model(Path(name)), lang=lang)
    known = {schema.fold(model.id): model for model in catalog()}
    known |= {schema.fold(alias): model for model in catalog() for alias in model.aliases}
    model = known.get(schema.fold(name))
    if model is None:
        raise CatalogError("no_such_model", name=str(name), nearest=nearest(name, names()))
    return replace(model, lang=lang)


@cache
def catalog():
    """Return all models of the catalogue in teaching order."""
    return tuple(load_model(CATALOG / f"{name}.toml") for name in ORDER)


def load_model(path):
    """Read and check one model file."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogError("model_unreadable", file=str(path), reason=error.strerror) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError("model_not_toml", file=str(path), reason=str(error)) from None
    schema.check(raw, schema.MODEL, path)
    model = _build(Funnel, {"id": path.stem, **raw})
    _check_references(model, path)
    return model


def custom(stage_names, *, model_id="custom", won_stage=None, lang="en"):
    """Return a model made of bare stage names, in order, each its own id and label.

    >>> custom(["Lead", "Offer"]).stage_ids
    ('Lead', 'Offer')
    """
    stages = tuple(Stage(id=name, name=Text(name, name)) for name in stage_names)
    text = Text(model_id, model_id)
    return Funnel(
        id=model_id, name=text, summary=text, entity=Text("deal", "商机"), stages=stages, won_stage=won_stage, lang=lang
    )


_PARTS = {"stages": Stage, "states": State, "topics": Topic, "items": Item}


def _build(kind, raw):
    """Turn a checked table into its dataclass; texts and lists of texts become Text and tuples of Text."""
    values = {}
    for key, value in raw.items():
        if key in _PARTS and kind is not Stage:
            value = tuple(_build(_PARTS[key], row) for row in value)
        elif isinstance(value, dict) and key != "extra":
            value = schema.as_text(value)
        elif isinstance(value, list):
            value = tuple(value)
        values[key] = value
    if kind is Item:
        return Item(Text(values["en"], values["zh"]), values.get("remedy"))
    return kind(**values)


def _check_references(model, path):
    """Refuse ids that stand twice, states and won stages that do not exist."""
    ids, states = model.stage_ids, [state.id for state in model.states]
    repeated = next((name for name in ids if ids.count(name) > 1), None)
    if repeated:
        raise CatalogError("bad_model", file=str(path), key="stages.id", found=repeated, expected="unique ids")
    if model.won_stage is not None and model.won_stage not in ids:
        raise CatalogError(
            "bad_model", file=str(path), key="won_stage", found=repr(model.won_stage), expected=", ".join(ids)
        )
    for stage in model.stages:
        if stage.state is not None and stage.state not in states:
            raise CatalogError(
                "bad_model", file=str(path), key=f"stages.{stage.id}.state", found=repr(stage.state),
                expected=", ".join(states) or "no state, for the model lists none",
            )  # fmt: skip
