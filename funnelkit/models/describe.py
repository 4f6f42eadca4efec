"""Models as plain text for a terminal: tables whose columns stay straight with double-width Chinese."""

import shutil
import unicodedata

from funnelkit.language import say
from funnelkit.models.funnel import catalog

GAP = "  "
NARROWEST = 4
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
# A line does not begin with these, nor end with those.
NOT_FIRST = set("，。、；：？！）》」』”’％·,.;:?!)]}%")
NOT_LAST = set("（《「『“‘([{")


def display_width(text):
    """Return the number of terminal cells that the text takes: Chinese signs take two, combining marks none.

    >>> display_width("funnel"), display_width("漏斗")
    (6, 4)
    """
    return sum(0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF") for sign in text)


def pad(text, width):
    """Return the text with blanks up to `width` cells.

    >>> pad("漏斗", 6) + "|"
    '漏斗  |'
    """
    return text + " " * (width - display_width(text))


def wrap(text, width):
    """Return the text as lines of at most `width` cells: at blanks, and between Chinese signs.

    No line begins with a closing sign or ends with an opening one, unless the width leaves no choice.

    >>> wrap("销售漏斗，分阶段。", 8)
    ['销售漏', '斗，分阶', '段。']
    """
    lines, line = [], ""
    for piece in _pieces(text):
        if line and display_width(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        while display_width(piece.rstrip()) > width:
            head = _fitting(piece, width)
            lines.append(head)
            piece = piece[len(head) :]
        line += piece
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _pieces(text):
    """Split into what must not be broken: words with the blank after them, Chinese signs with their punctuation."""
    pieces = []
    for sign in text:
        joined = pieces and (
            sign in NOT_FIRST
            or sign == " "
            or pieces[-1][-1] in NOT_LAST
            or not (_is_wide(sign) or _is_wide(pieces[-1][-1]) or pieces[-1][-1] == " ")
        )
        if joined:
            pieces[-1] += sign
        else:
            pieces.append(sign)
    return pieces


def _is_wide(sign):
    return unicodedata.east_asian_width(sign) in "WF"


def _fitting(text, width):
    """Return the longest beginning of the text that takes at most `width` cells, and at least one sign."""
    end = 1
    while end < len(text) and display_width(text[: end + 1]) <= width:
        end += 1
    return text[:end]


def text_table(header, rows, width, right=()):
    """Return a plain table as lines of at most `width` cells; long cells wrap, columns in `right` align right."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = _fit_widths(list(zip(header, *rows, strict=True)), width - len(GAP) * (len(header) - 1))
    lines = [*_table_row(header, widths, right), GAP.join("-" * cells for cells in widths)]
    for row in rows:
        lines += _table_row(row, widths, right)
    return lines


def _fit_widths(columns, room):
    """Take cells from the widest column until all fit: headings wrap first, words break only where all else fails."""
    widths = [max(map(display_width, column)) for column in columns]
    words = list(map(_longest_word, columns))
    bodies = [
        max(word, min(8, width), *map(display_width, column[1:]))
        for word, width, column in zip(words, widths, columns, strict=True)
    ]
    for floors in (bodies, words, [NARROWEST] * len(widths)):
        while sum(widths) > room and any(cells > floor for cells, floor in zip(widths, floors, strict=True)):
            spare = [cells if cells > floor else 0 for cells, floor in zip(widths, floors, strict=True)]
            widths[spare.index(max(spare))] -= 1
    return widths


def _longest_word(column):
    return max(display_width(piece.rstrip()) for cell in column for piece in _pieces(cell))


def _table_row(cells, widths, right):
    columns = [wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines = []
    for number in range(max(map(len, columns))):
        line = []
        for at, (column, width) in enumerate(zip(columns, widths, strict=True)):
            text = column[number] if number < len(column) else ""
            line.append(" " * (width - display_width(text)) + text if at in right else pad(text, width))
        lines.append(GAP.join(line).rstrip())
    return lines


def list_text(width=None):
    """Return the catalogue as a table: id, name, number of stages, kind."""
    width = width or _terminal_width()
    header = [say(f"models.catalogue.{key}") for key in ("id", "name", "n_stages", "kind")]
    rows = [
        (model.id, str(model.name), len(model.stages), say(f"models.catalogue.kind_{model.kind}"))
        for model in catalog()
    ]
    title = say("models.catalogue.list_title", count=len(rows))
    return "\n".join([*wrap(title, width), "", *text_table(header, rows, width, right={2})])


def model_text(model, width=None):
    """Return one model in its own language: head, table of stages, details of each stage, states, topics."""
    width = width or _terminal_width()
    shown = _shown(model, width)
    parts = [_head(model, width), _stage_table(model, shown, width), _stage_details(model, shown, width)]
    parts += [_states(model, width), *(_topic(model, topic, width) for topic in model.topics)]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _terminal_width():
    return shutil.get_terminal_size((100, 24)).columns


def _say(model, key, **values):
    return say(f"models.catalogue.{key}", **values)


def _title(text, width):
    lines = wrap(text, width)
    return [*lines, "=" * max(map(display_width, lines))]


def _hang(prefix, text, width):
    """Return the text wrapped behind its prefix, following lines indented as far."""
    cells = display_width(prefix)
    first, *others = wrap(text, max(width - cells, NARROWEST))
    return [prefix + first, *(" " * cells + line for line in others)]


def _head(model, width):
    colon = _say(model, "colon")
    lines = [*_title(model.id + GAP + str(model.name), width), *wrap(str(model.summary), width), ""]
    facts = [("kind", _say(model, f"kind_{model.kind}")), ("entity", str(model.entity))]
    if model.kind == "pipeline":
        won = model.label(model.won_stage) if model.won_stage else _say(model, "not_won")
        facts.append(("won_stage", won))
    if model.aliases:
        facts.append(("aliases", _say(model, "separator").join(model.aliases)))
    for key, text in facts:
        lines += _hang(_say(model, key) + colon, text, width)
    return lines


def _shown(model, width):
    """Return the columns of the stage table that have values and fit without breaking words."""
    shown = [key for key in COLUMNS if any(_has(stage, key) for stage in model.stages)]
    for key in MOVABLE:
        header, rows = _stage_rows(model, shown)
        needed = sum(map(_longest_word, zip(header, *rows, strict=True))) + len(GAP) * (len(header) - 1)
        if needed > width and key in shown:
            shown.remove(key)
    return shown


def _stage_rows(model, shown):
    header = [_say(model, "number"), _say(model, "stage"), *(_column_title(model, key) for key in shown)]
    rows = [
        [str(number), str(stage.name), *(_cell(model, stage, key) for key in shown)]
        for number, stage in enumerate(model.stages, 1)
    ]
    return header, rows


def _stage_table(model, shown, width):
    right = {0, *(at for at, key in enumerate(shown, 2) if key in NUMBERS)}
    lines = [*_title(_say(model, "stages"), width), *text_table(*_stage_rows(model, shown), width, right)]
    return lines + _stage_notes(model, width)


def _stage_notes(model, width):
    """Say which values are the kit's own, and which of the five elements no stage has."""
    lines = []
    if any(model.chose(stage.id, key) for stage in model.stages for key in (*COLUMNS, *DETAILS) if _has(stage, key)):
        lines += wrap(_say(model, "own_choice"), width)
    missing = [key for key in ELEMENTS if not any(_has(stage, key) for stage in model.stages)]
    if missing and model.kind == "pipeline":
        fields = _say(model, "separator").join(_say(model, key) for key in missing)
        lines += wrap(_say(model, "silent", fields=fields), width)
    return ["", *lines] if lines else []


def _has(stage, key):
    return getattr(stage, key) not in (None, ())


def _column_title(model, key):
    if key == "win_probability" and model.win_probability_at == "leaving":
        key = "win_probability_leaving"
    return _say(model, key)


def _cell(model, stage, key):
    value = getattr(stage, key)
    if value in (None, ()):
        return "-"
    if key in ("rate", "win_probability"):
        text = _percent(model, value)
    elif key == "duration_days":
        text = f"{value:g}"
    elif key == "state":
        text = next(str(state.name) for state in model.states if state.id == value)
    elif key == "input":
        text = _say(model, f"input_{value}")
    else:
        text = _joined(model, value)
    own = {other.id for other in model.stages if model.chose(other.id, key)}
    blank = " " if own and key in NUMBERS else ""  # keeps the digits under each other
    return text + ("*" if stage.id in own else blank)


def _percent(model, fraction):
    return _say(model, "percent", number=f"{100 * fraction:.1f}".removesuffix(".0"))


def _joined(model, value):
    """Return a text, a list of texts, or a number as one string."""
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return _say(model, "semicolon").join(str(text) for text in value)
    return str(value) if isinstance(value, tuple) else str(value)


def _stage_details(model, shown, width):
    fields = [*(key for key in MOVABLE if key not in shown), *DETAILS]
    lines = []
    for number, stage in enumerate(model.stages, 1):
        known = [key for key in fields if _has(stage, key)]
        aliases = _say(model, "separator").join(stage.aliases)
        if not known and not aliases:
            continue
        lines += _hang(f"{number:>2} ", f"{str(stage.name)} ({stage.id})", width)
        for key in known:
            prefix = "   " + _say(model, key) + "*" * model.chose(stage.id, key) + _say(model, "colon")
            lines += _hang(prefix, _joined(model, getattr(stage, key)), width)
        if aliases:
            lines += _hang("   " + _say(model, "aliases") + _say(model, "colon"), aliases, width)
    return [*_title(_say(model, "details"), width), *lines] if lines else []


def _states(model, width):
    lines = []
    for state in model.states:
        indicators = _say(model, "colon") + _joined(model, state.indicators) if state.indicators else ""
        lines += _hang("- ", str(state.name) + indicators, width)
    return [*_title(_say(model, "states"), width), *lines] if lines else []


def _topic(model, topic, width):
    star = "*" * (f"topics.{topic.id}" in model.own_choice)
    lines = _title(str(topic.title) + star, width)
    for item in topic.items:
        name = str(item.name) + _say(model, "colon") if item.name else ""
        lines += _hang("- ", name + str(item.text) + _share(model, item), width)
        if item.remedy:
            lines += _hang("  -> ", _say(model, "remedy") + _say(model, "colon") + str(item.remedy), width)
    return lines


def _share(model, item):
    """Return the item's share where its sentence does not hold it already."""
    if item.share is None or f"{100 * item.share:.1f}" in item.text.en:
        return ""
    return _say(model, "colon") + _percent(model, item.share)
