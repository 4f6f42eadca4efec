"""Lessons run in this process, without a kernel: what each cell shows, and a reader of what sentences claim."""

import ast
import contextlib
import io
import os
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis.time import FEWEST_STAYS
from funnelkit.course import lessons
from funnelkit.language import use_language
from funnelkit.result import Refusal, Result


@dataclass(frozen=True)
class Shown:
    """What one code cell gave: its last value and what it printed."""

    cell: str
    tags: frozenset[str]
    value: Any
    printed: str


def run(name, lang, parameters=None):
    """Return what each code cell of a lesson shows under these parameters."""
    found, names, there = [], {}, Path.cwd()
    os.chdir(lessons.FOLDER / lang)
    try:
        for cell in lessons.read_lesson(name, lang).cells:
            if cell.cell_type == "code":
                found.append(_cell(cell, names))
                if "parameters" in cell.metadata.get("tags", []):
                    unknown = set(parameters or {}) - set(names)
                    assert not unknown, f"{name}: no parameter {sorted(unknown)}"
                    names.update(parameters or {})
    finally:
        os.chdir(there)
        use_language("en")
    return found


def _cell(cell, names):
    tree, last = ast.parse(cell.source), None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, cell.id, "exec"), names)
        value = eval(compile(last, cell.id, "eval"), names) if last else None
    return Shown(cell.id, frozenset(cell.metadata.get("tags", [])), value, printed.getvalue())


# --- what sentences claim --------------------------------------------------------------------------------------------

NUMBER = r"[+−-]?\d[\d,]*(?:\.\d+)?"
PERCENT = re.compile(rf"({NUMBER})%")
INTERVAL = re.compile(rf"({NUMBER}) (?:points|percentage points|个百分点) \[({NUMBER}), ({NUMBER})")
CHANGED = re.compile(rf"({NUMBER}) (?:points|percentage points|个百分点)")
# A chance or a level that was asked for, what a map shows of all, where a loop ends: no figure of the table.
ASKED = re.compile(
    r"false alarm|a year\b|interval|odds|chance|band|word of mouth adds|the map shows|left to right|relative gain"
    r"|误报|每年|区间|概率|把握|可能性|口碑带来|相对|图中|横轴|左右",
    re.I,
)
UP = re.compile(
    r"\b(?:rises?|rose|more (?:go|have gone) on|clearly better|clearly up|higher than)\b|显著上升|升迁偏多|明显好于",
    re.I,
)
DOWN = re.compile(
    r"\b(?:falls?|fell|fewer (?:go|have gone) on|clearly worse|clearly down|lower than)\b|显著下降|升迁偏少|明显差于",
    re.I,
)
CLEAR = re.compile(r"more than chance would explain|超出随机波动")
UNCLEAR = re.compile(r"no clear change|within chance|not significant|没有明确变化|在随机波动范围内|不能认定")
CLAUSE = re.compile(r"[;；。，]|, |\. |\.$")
COUNTED = re.compile(rf"(?<![\d.,\-–～])({NUMBER})(?![\d\-–～])")
OF = re.compile(r"\b(\d[\d,]*) of (?:the )?(\d[\d,]*)\b(?! open)")  # k of n
LABELS = ("stage", "segment", "point", "owner", "product", "dimension", "cohort", "account")


@dataclass(frozen=True)
class Superlative:
    """A sentence that names who leads: its words in both languages, the labels, and the figure that decides."""

    words: re.Pattern
    label: str
    figure: str
    least: bool = False
    fewest: int = 0  # rows of fewer cases do not lead

    def leaders(self, table):
        """Return the rows that share the lead."""
        rows = table.dropna(subset=self.figure)
        often = rows[rows["n"] >= self.fewest] if self.fewest else rows
        rows = often if len(often) else rows
        best = rows[self.figure].min() if self.least else rows[self.figure].max()
        return rows[np.isclose(rows[self.figure].astype(float), float(best), rtol=1e-9, atol=1e-12)]


READ = []  # the words of every superlative, a pattern for each language


def says(en, zh, *more, **options):
    READ.append((en, zh))
    return Superlative(re.compile(f"{en}|{zh}"), *more, **options)


SPACE = ("safety", "performance", "appearance", "convenience", "economy")
SUPERLATIVES = [
    says("with the lowest promotion rate is (.+?): ", "升迁率最低的阶段是(.+?)：", "stage", "rate", least=True),
    says(r"The lowest promotion rate, .+?, is shared by (.+)\.$",
         "升迁率最低的阶段不止一个，均为 .+?：(.+)。$", "stage", "rate", least=True),
    says("Deals stay longest in (.+?): ", "商机在(.+?)停留最久", "stage", "median_days", fewest=FEWEST_STAYS),
    says("(?:grows most|largest factor comes) after (.+?): ×", "(?:数量在|倍数最大的是)(“.+?)之后", "stage", "factor"),
    says("^Bottleneck: (.+?)\\. Of the", "^瓶颈：(.+?)。到达", "link", "regained"),
    says("The largest loss is (?:at|shared by) (.+?): ", "流失最多的环节[是有](.+?)：", "link", "lost"),
    says("^Largest loss: (.+), [^,]+ people", "^流失最多：(.+)，[^，]+。$", "point", "loss"),
    says("^Lowest ratio: (.+), [^,]+%", "^比例最低：(.+)，[^，]+%", "point", "ratio", least=True),
    says("^Best gain per cost: (.+); ", "^单位成本收益最高：(.+)；", "point", "gain_per_cost"),
    says("^A relative gain of .* most at (.+): [^:]+$",
         "^各阶段分别相对提高 .*?，(.+)带来的增量最大", "stage", "gain_relative"),
    says("percentage points more would add the most at (.+): [^:]+$",
         "个百分点，(.+)带来的增量最大", "stage", "gain_points"),
    says("^A unit of cost would add the most at (.+): [^:]+$", "投在(.+)上增量最大", "stage", "gain_per_cost"),
    says("By the weighted needs, (.+) (?:scores best|share the best)",
         "按加权需求，(.+?)(?:得分|并列)最高", "name", "score"),
    says("^(?:Strongest: |.*closest: )(.+?), (?:each )?[\\d.]+ ",
         "^(?:最强的|.*最接近的)[是有](.+?)，各?[落领]", "dimension", "lead"),
    says("^(?:Weakest: |.*narrowest: )(.+?), (?:each )?[\\d.]+ ",
         "^(?:最弱的|.*优势最小的)[是有](.+?)，各?[落领]", "dimension", "lead", least=True),
    says("Nearest: (.+?), which (?:fails|pass)", "最接近的是(.+?)，[未各]", "advantage", "n_passed"),
    says("the peaks? (?:is|are) periods? (.+?), with", "采用最多的是第 (.+?) 期", "period", "n_new"),
    says("the most frequent, .+?: (.+)\\.$", "最常见的(?:占 .+?：|有)(.+?)(?:。$|，各占)", "path", "n"),
]  # fmt: skip


def contradictions(result, lang):
    """Return what the sentences of a Result say that its table does not."""
    if not isinstance(result, Result) or isinstance(result, Refusal):
        return []
    found = []
    for sentence in result.sentences(lang):
        found += [f"{fault}: {sentence}" for fault in _faults(sentence, result)]
    return found


def _faults(sentence, result):
    parts = list(vars(result).values())
    parts += [inner for part in parts if isinstance(part, Result) for inner in vars(part).values()]  # what it quotes
    alone = [part for part in parts if isinstance(part, float)]  # figures beside the tables: odds of a plan
    yield from _percents(sentence, [*(part for part in parts if isinstance(part, pd.DataFrame)), pd.DataFrame([alone])])
    for change, low, high in INTERVAL.findall(sentence):
        change, low, high = map(_number, (change, low, high))
        if not low <= change <= high:
            yield f"{change} lies outside its interval"
    for part in re.split(r"(?<=[;；。])\s*|(?<=\.)\s+", sentence):
        changes = [_number(text) for text in CHANGED.findall(part) if text[0] in "+-−"]
        if changes and ((UP.search(part) and max(changes) < 0) or (DOWN.search(part) and min(changes) > 0)):
            yield "the word and the sign differ"
        ends = [(_number(low), _number(high)) for _, low, high in INTERVAL.findall(part)]
        if len(ends) == 1 and CLEAR.search(part) and ends[0][0] <= 0 <= ends[0][1]:
            yield "called clear, and the interval includes zero"
        if len(ends) == 1 and UNCLEAR.search(part) and not ends[0][0] <= 0 <= ends[0][1]:
            yield "called unclear, and the interval excludes zero"
    yield from _extremes(sentence, result)
    yield from _signs(sentence, parts)
    yield from _rows(sentence, result)


def _signs(sentence, parts):
    """A signed change must not be the opposite of what the tables hold."""
    cells = [part.select_dtypes("number").to_numpy(float).ravel() for part in parts if isinstance(part, pd.DataFrame)]
    known = 100 * np.concatenate([np.zeros(1), *cells])
    for text in CHANGED.findall(sentence):
        value, near = _number(text), 0.501 * 10.0 ** -len(text.partition(".")[2])
        opposite = (np.abs(known + value) <= near).any() and not (np.abs(known - value) <= near).any()
        if text[0] in "+-−" and opposite:
            yield f"{text} points has the other sign in the table"


def _rows(sentence, result):
    """What a clause says of one row of the table must not be the figure of another, nor a count that no row holds."""
    labels = _labels(result)
    for part in CLAUSE.split(sentence):
        found = {row for label, row in labels if label in part}
        texts = [text for text in COUNTED.findall(part) if len(text.replace(",", "")) > 1]
        if len(found) != 1 or len(labels) < 2 or ASKED.search(part):
            continue
        own, rest = (_of_rows(part) for part in _parted(result.table, found))
        near = [(text, 0.501 * 10.0 ** -len(text.partition(".")[2])) for text in texts]
        mine, other = (
            [np.abs(known - abs(_number(text))).min(initial=np.inf) <= most for text, most in near]
            for known in (own, rest)
        )
        for text, here, there in zip(texts, mine, other, strict=True):
            if there and not here:
                yield f"{text} is the figure of another row"
        pair = OF.search(part)
        if pair and any(mine) and not all(one in own for one in map(_number, pair.groups())):
            yield f"{pair[0]}: no such counts in the row"


def _parted(table, rows):
    """Return some rows of a table, and the others."""
    places = [place in rows for place in range(len(table))]
    return table[places], table[[not one for one in places]]


def _labels(result):
    """Return (what people call a row, its place), the longer first; none where rows share a name."""
    table, first = result.table, next((name for name in LABELS if name in result.table), None)
    if first is None or table[first].duplicated().any():
        return []
    pairs = [(str(name), row) for row, one in enumerate(table[first]) for name in (one, *_names(result.model, one))]
    inside = {short for short, _ in pairs for long, _ in pairs if short != long and short in long}
    return [pair for pair in pairs if pair[0] not in inside]


def _of_rows(table):
    cells = table.select_dtypes("number").to_numpy(float)
    found = np.concatenate([cells.ravel(), 100 * cells.ravel(), np.diff(cells, axis=1).ravel()])
    return np.abs(found[np.isfinite(found)])


def _percents(sentence, tables):
    """Percentages must be figures of the table, their complement, or the ratio of two of its counts."""
    known = np.concatenate([_figures(table) for table in tables])
    for part in re.split(r"(?<=[;；。(（)）])|(?<=[.:：])\s", sentence):
        for text in [] if ASKED.search(part) else PERCENT.findall(part):
            value, decimals = abs(_number(text)), len(text.partition(".")[2])
            apart = np.abs(known - value).min() if len(known) else np.inf
            if apart > 0.501 * 10**-decimals:
                yield f"{text}% is not in the table"


def _figures(table):
    numeric = table.select_dtypes("number")
    cells = numeric.to_numpy(float).ravel()
    sums = np.concatenate([numeric.sum().to_numpy(float), [len(table)]])
    counts = np.unique(np.concatenate([cells[cells >= 1], sums[sums >= 1]]))[-400:]
    ratios = (counts[:, None] / counts[None, :]).ravel()
    steps = [b - a for row in numeric.to_numpy(float) for a, b in pairwise(row)]
    totals = [_total(table, when) for when in ("before", "after")]  # of the segments of a split
    totals += [table[name].prod() for name in ("rate", "ratio") if name in numeric]  # of a whole way
    shares = np.concatenate([cells, 1 - cells, ratios, ratios - 1, sums, steps, totals])
    shares = shares[np.isfinite(shares)]
    return np.concatenate([np.abs(100 * shares), np.abs(shares)])


def _total(table, when):
    columns = [f"share_{when}", f"rate_{when}"]
    return table[columns].prod(axis=1).sum() if set(columns) <= set(table) else np.nan


def _extremes(sentence, result):
    for one in SUPERLATIVES:
        claimed = one.words.search(sentence)
        if not claimed or not {one.label, one.figure} <= set(result.table):
            continue
        lead = one.leaders(result.table)
        names = {str(name) for label in lead[one.label] for name in (label, *_names(result.model, label))}
        said, others = _said(next(text for text in claimed.groups() if text), names)
        yield from (f"{name} does not lead by {one.figure}" for name in said if name not in names)
        elsewhere = one.figure == "regained"  # a sentence of its own says who regains as much
        if len(said) + others != len(lead) and not elsewhere:
            yield f"{len(lead)} share the lead by {one.figure}, {len(said) + others} are named"


def _said(text, known):
    """Return the names that a text lists, and how many others it counts."""
    more = re.search(r" and (\d+) others$|及另外 (\d+) 个$", text)
    listed = text[: more.start()] if more else text
    if text.strip("“”") in known or not re.match(r"['\"“]|\d+(?:(?:, | and |、| 和 )\d+)+$", text):
        return [text.strip("“”")], 0
    found = re.findall(r"“(.+?)”|'(.+?)'(?=, ['\"]| and ['\"]|$)|\"(.+?)\"(?=, | and |$)|(\d+)", listed)
    return [next(name for name in names if name) for names in found], int(more[1] or more[2]) if more else 0


def _names(model, stage):
    if model and stage in SPACE:
        return tuple(model.topic("space").item(stage).name)
    return (model.stage(stage).name.en, model.stage(stage).name.zh) if model and stage in model.stage_ids else ()


def _number(text):
    return float(text.replace(",", "").replace("−", "-"))


# --- data of one's own -----------------------------------------------------------------------------------------------


def history(folder, world, rng, model="project-7"):
    """Write deals and events of a world of tests.worlds under the stages of another model; return the two paths."""
    from funnelkit.models import funnel
    from tests.worlds.world import STAGES, draw, tables

    deals, events = tables(world, draw(world, rng))
    ids = funnel(model).stage_ids
    events["stage"] = events["stage"].map(dict(zip(STAGES, [*ids[: len(STAGES) - 1], ids[-1]], strict=True)))
    deals["industry"] = np.where(np.arange(len(deals)) % 3, "Metal", "Food")
    deals["owner"] = np.array(["Ann", "Bob", "Cai"])[np.arange(len(deals)) % 3]
    deals["account"] = np.array([f"Account {k}" for k in range(40)])[np.arange(len(deals)) % 40]
    paths = [str(folder / name) for name in ("own_deals.csv", "own_events.csv")]
    for table, path in zip((deals, events), paths, strict=True):
        pd.DataFrame(table).to_csv(path, index=False)
    return paths
