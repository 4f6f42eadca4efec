"""Models as plain text for a terminal."""

from __future__ import annotations

import shutil

from funnelkit.language import longest_word, say, text_table, width, wrap_text
from funnelkit.models.funnel import Funnel, Item, Stage, Topic, catalog

GAP = "  "
NARROWEST = 4  # columns behind a prefix
ELEMENTS = ("marker", "rate", "duration_days", "tasks")
COLUMNS = (
    "level", "input", "layer", "phase", "buyer", "state", "count", "rate", "duration_days", "win_probability", "marker",
    "push",
)  # fmt: skip
DETAILS = (
    "definition", "entry", "conditions", "information", "tools", "tasks", "tactics", "role", "message", "audience",
)  # fmt: skip
MOVABLE = ("buyer", "push", "phase", "marker")  # columns that go to the details first where the terminal is narrow
NUMBERS = ("level", "count", "rate", "duration_days", "win_probability")


def list_text(columns: int | None = None) -> str:
    """Return the catalogue as a table: id, name, number of stages, kind."""
    columns = columns or _terminal_columns()
    header = [say(f"models.catalogue.{key}") for key in ("id", "name", "n_stages", "kind")]
    rows = [
        (model.id, str(model.name), len(model.stages), say(f"models.catalogue.kind_{model.kind}"))
        for model in catalog()
    ]
    title = say("models.catalogue.list_title", count=len(rows))
    return "\n".join([*wrap_text(title, columns), "", *text_table(header, rows, columns, right={2})])


def model_text(model: Funnel, columns: int | None = None) -> str:
    """Return one model: head, table of stages, details of each stage, states, topics."""
    columns = columns or _terminal_columns()
    shown = _shown(model, columns)
    parts = [_head(model, columns), _stage_table(model, shown, columns), _stage_details(model, shown, columns)]
    parts += [_states(model, columns), *(_topic(model, topic, columns) for topic in model.topics)]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _terminal_columns() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _say(key: str, **values: object) -> str:
    return say(f"models.catalogue.{key}", **values)


def _title(text: str, columns: int) -> list[str]:
    lines = wrap_text(text, columns)
    return [*lines, "=" * max(map(width, lines))]


def _hang(prefix: str, text: str, columns: int) -> list[str]:
    """Return the text wrapped behind its prefix, following lines indented as far."""
    cells = width(prefix)
    first, *others = wrap_text(text, max(columns - cells, NARROWEST))
    return [prefix + first, *(" " * cells + line for line in others)]


def _head(model: Funnel, columns: int) -> list[str]:
    colon = _say("colon")
    lines = [*_title(model.id + GAP + str(model.name), columns), *wrap_text(str(model.summary), columns), ""]
    facts = [("kind", _say(f"kind_{model.kind}")), ("entity", str(model.entity))]
    if model.kind == "pipeline":
        won = model.label(model.won_stage) if model.won_stage else _say("not_won")
        facts.append(("won_stage", won))
    if model.aliases:
        facts.append(("aliases", _say("separator").join(model.aliases)))
    for key, text in facts:
        lines += _hang(_say(key) + colon, text, columns)
    return lines


def _shown(model: Funnel, columns: int) -> list[str]:
    """Return the columns of the stage table that have values and fit without breaking words."""
    shown = [key for key in COLUMNS if any(_has(stage, key) for stage in model.stages)]
    for key in MOVABLE:
        header, rows = _stage_rows(model, shown)
        needed = sum(map(longest_word, zip(header, *rows, strict=True))) + len(GAP) * (len(header) - 1)
        if needed > columns and key in shown:
            shown.remove(key)
    return shown


def _stage_rows(model: Funnel, shown: list[str]) -> tuple[list[str], list[list[str]]]:
    header = [_say("number"), _say("stage"), *(_column_title(model, key) for key in shown)]
    rows = [
        [str(number), str(stage.name), *(_cell(model, stage, key) for key in shown)]
        for number, stage in enumerate(model.stages, 1)
    ]
    return header, rows


def _stage_table(model: Funnel, shown: list[str], columns: int) -> list[str]:
    right = {0, *(at for at, key in enumerate(shown, 2) if key in NUMBERS)}
    lines = [*_title(_say("stages"), columns), *text_table(*_stage_rows(model, shown), columns, right)]
    return lines + _stage_notes(model, columns)


def _stage_notes(model: Funnel, columns: int) -> list[str]:
    """Say which values are the kit's own, and which of the five elements no stage has."""
    lines: list[str] = []
    if any(model.chose(stage.id, key) for stage in model.stages for key in (*COLUMNS, *DETAILS) if _has(stage, key)):
        lines += wrap_text(_say("own_choice"), columns)
    missing = [key for key in ELEMENTS if not any(_has(stage, key) for stage in model.stages)]
    if missing and model.kind == "pipeline":
        fields = _say("separator").join(_say(key) for key in missing)
        lines += wrap_text(_say("silent", fields=fields), columns)
    return ["", *lines] if lines else []


def _has(stage: Stage, key: str) -> bool:
    return getattr(stage, key) not in (None, ())


def _column_title(model: Funnel, key: str) -> str:
    if key == "win_probability" and model.win_probability_at == "leaving":
        key = "win_probability_leaving"
    return _say(key)


def _cell(model: Funnel, stage: Stage, key: str) -> str:
    value = getattr(stage, key)
    if value in (None, ()):
        return "-"
    if key in ("rate", "win_probability"):
        text = _percent(value)
    elif key == "duration_days":
        text = f"{value:g}"
    elif key == "state":
        text = next(str(state.name) for state in model.states if state.id == value)
    elif key == "input":
        text = _say(f"input_{value}")
    else:
        text = _joined(value)
    own = {other.id for other in model.stages if model.chose(other.id, key)}
    blank = " " if own and key in NUMBERS else ""  # keeps the digits under each other
    return text + ("*" if stage.id in own else blank)


def _percent(fraction: float) -> str:
    return _say("percent", number=f"{100 * fraction:.1f}".removesuffix(".0"))


def _joined(value: object) -> str:
    """Return a text, a list of texts, or a number as one string."""
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return _say("semicolon").join(map(str, value))
    return str(value)


def _stage_details(model: Funnel, shown: list[str], columns: int) -> list[str]:
    fields = [*(key for key in MOVABLE if key not in shown), *DETAILS]
    lines: list[str] = []
    for number, stage in enumerate(model.stages, 1):
        known = [key for key in fields if _has(stage, key)]
        aliases = _say("separator").join(stage.aliases)
        if not known and not aliases:
            continue
        lines += _hang(f"{number:>2} ", f"{stage.name} ({stage.id})", columns)
        for key in known:
            prefix = "   " + _say(key) + "*" * model.chose(stage.id, key) + _say("colon")
            lines += _hang(prefix, _joined(getattr(stage, key)), columns)
        if aliases:
            lines += _hang("   " + _say("aliases") + _say("colon"), aliases, columns)
    return [*_title(_say("details"), columns), *lines] if lines else []


def _states(model: Funnel, columns: int) -> list[str]:
    lines: list[str] = []
    for state in model.states:
        indicators = _say("colon") + _joined(state.indicators) if state.indicators else ""
        lines += _hang("- ", str(state.name) + indicators, columns)
    return [*_title(_say("states"), columns), *lines] if lines else []


def _topic(model: Funnel, topic: Topic, columns: int) -> list[str]:
    star = "*" * (f"topics.{topic.id}" in model.own_choice)
    lines = _title(str(topic.title) + star, columns)
    for item in topic.items:
        name = str(item.name) + _say("colon") if item.name else ""
        lines += _hang("- ", name + str(item.text) + _share(item), columns)
        if item.remedy:
            lines += _hang("  -> ", _say("remedy") + _say("colon") + str(item.remedy), columns)
    return lines


def _share(item: Item) -> str:
    """Return the item's share where its sentence does not hold it already."""
    if item.share is None or f"{100 * item.share:.1f}" in item.text.en:
        return ""
    return _say("colon") + _percent(item.share)
