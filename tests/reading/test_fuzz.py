"""Fuzz: 20,000 seeded mutations of small valid files end in DataError or in a right answer, never in anything else.

Every mutant is opened; the rows it changed all go through the whole reader, many in one table, beside rows that must
keep their values; and every fiftieth mutant is read from its file alone.
"""

import random
import re
from dataclasses import dataclass

import pandas as pd
import pytest

from funnelkit.language.errors import DataError
from funnelkit.reading.containers.detect import open_source
from funnelkit.reading.containers.options import ReadOptions
from funnelkit.reading.read import read
from tests.support.corpus import HEADER, ROWS, csv_bytes

N_MUTATIONS, N_FAST = 20_000, 150
STAGES = ["Lead", "MQL", "Negotiation", "Won"]
TOKENS = [
    '"', '""', ",", ";", "\t", "|", "\n", "\r", "\r\n", "\ufeff", "\0", "\u200b", "\u00a0", "\u2028", "\x85", "\x0c",
    "=", "+",
    "-", "(", "%", "万", "９", "−", "e308", "e999", "inf", "nan", "Total", "合计", "Won", "sep=;\n",
    "2022年5月20日", "T25:00", "Z",
    "+08:00", "9" * 60, "'", "{0}", "%s", "\\", "#", "\ud7ff", "𠮷", "1,234", "1.234", "03/04/2022",
]  # fmt: skip


@dataclass(frozen=True)
class Seed:
    """A valid file, how to read it, and its rows."""

    name: str
    header: tuple
    rows: tuple
    options: dict
    mark: str = ","
    encoding: str = "utf-8"
    newline: str = "\n"
    layout: str = "deals"

    @property
    def content(self):
        return csv_bytes(self.header, self.rows, self.encoding, self.mark, self.newline)


QUOTED = (("A1", 'Acme, "A"', *ROWS[0][2:]), ("A2", "Two\nlines", *ROWS[1][2:]), ("A3", "北京公司", *ROWS[2][2:]))
COMMAS = tuple((*row[:4], row[4].replace(".", ",")) for row in ROWS)
LOG = (("A1", "Lead", "2022-05-20"), ("A1", "MQL", "2022-05-22"), ("A2", "Lead", "2022-05-21"))
SEEDS = [
    Seed("plain", HEADER, ROWS, {}),
    Seed("quoted", HEADER, QUOTED, {"delimiter": ","}, newline="\r\n"),
    Seed("commas", HEADER, COMMAS, {"decimal": ","}, mark=";"),
    Seed("chinese", HEADER, QUOTED[2:] + ROWS[:2], {"encoding": "gb18030"}, encoding="gb18030"),
    Seed("log", ("deal_id", "stage", "entered_at"), LOG, {}, mark="\t", layout="events"),
    Seed("counts", ("stage", "count"), (("Lead", "100"), ("MQL", "40"), ("Won", "7")), {}, layout="counts"),
]


def mutate(data, rng, encoding):
    """Return the bytes after one change."""
    at, end = rng.randrange(len(data) + 1), len(data)
    other = min(end, at + rng.randrange(1, 12))
    lines = data.splitlines(keepends=True)
    kind = rng.randrange(12)
    if kind < 4:
        token = rng.choice(TOKENS).encode(encoding, "ignore")
        return data[:at] + token + data[(other if kind == 0 else at) :]
    if kind == 4:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if kind == 5:
        return data[:at] + data[other:]
    if kind == 6:
        return data[:at] + data[at:other] * 2 + data[other:]
    if kind == 7:
        return data[:at]
    if kind == 8:
        rng.shuffle(lines)
        return b"".join(lines)
    if kind == 9:
        number = rng.randrange(len(lines))
        return b"".join([*lines[:number], *[lines[number]] * rng.choice([0, 2, 3]), *lines[number + 1 :]])
    if kind == 10:  # blank lines anywhere between rows change no cell
        number = rng.randrange(len(lines) + 1)
        return b"".join([*lines[:number], rng.choice([b"\n", b"  \n", b"\r\n"]), *lines[number:]])
    return data.replace(b"\n", rng.choice([b"\r\n", b"\n\n", b"\r", b"\n"]))


def opened(path, seed):
    """Return the Table of a mutant, or None where it is refused."""
    try:
        return open_source(path, ReadOptions(**seed.options))
    except DataError as error:
        assert str(error) and error.say("zh")
        return None


def check_rows(table, data, seed):
    """Without quotes a row is a line: count them another way."""
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else seed.encoding, "replace")
    if '"' in text or "sep=" in text.lower():
        return
    lines = re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))
    lines = lines[:-1] if lines[-1] == "" else lines
    mark = seed.options.get("delimiter") or table.delimiter or seed.mark
    first = next(number for number, line in enumerate(lines) if line.replace(mark, "").strip())
    for note in table.notes:  # lines above the header are told, and are no rows
        first = note.values["header"] - 1 if note.rule == "titles_above" else first
    assert table.rows_in == len(lines) - first - 1, (data, table.rows_in)


def read_alone(source, seed):
    """Return the pipeline of a source, or None where it is refused."""
    try:
        pipeline = read(source, stages=STAGES, layout=seed.layout, as_of="2200-01-01", **seed.options)
    except DataError as error:
        assert str(error) and error.say("zh")
        return None
    rows = pipeline.rows
    assert rows.rows_in == rows.good + rows.quarantined + rows.ignored
    assert seed.layout != "deals" or len(pipeline.deals) == rows.good
    return pipeline


def figures(pipeline):
    """Return what must not change while the cells do not."""
    return (
        pipeline.rows.good, pipeline.rows.quarantined, pipeline.amount_total, pipeline.deals.to_dict("list"),
        [str(value) for value in pipeline.events.to_numpy().ravel()],
    )  # fmt: skip


class Pool:
    """Rows that mutants of a seed changed; read together beside the seed's own rows."""

    def __init__(self, seed):
        self.seed, self.rows, self.n = seed, [], 0

    def add(self, table):
        known = set(self.seed.rows)
        for row in table.cells.itertuples(index=False, name=None):
            if row not in known:
                self.n += 1
                # Of a row whose id is untouched the id is made its own, for two rows of an id would hide each other.
                own = (f"{row[0]}-{self.n}", *row[1:]) if row[0] in {first for first, *_ in known} else row
                self.rows.append(own if self.seed.layout == "deals" else row)
        if len(self.rows) >= 40:
            self.read()

    def read(self):
        rows, self.rows = [*self.seed.rows, *self.rows], []
        pipeline = read_alone(pd.DataFrame(rows, columns=list(self.seed.header), dtype="str"), self.seed)
        if pipeline is None or self.seed.layout != "deals":
            return
        deals = pipeline.deals.set_index("deal_id")
        truth = {cells[0]: cells for cells in self.seed.rows}
        for cells in rows:
            if cells[0] not in deals.index:
                continue
            found = deals.loc[cells[0]]
            original = truth.get(cells[0].partition("-")[0])
            if original is None:
                continue
            if cells[4] == original[4]:
                assert found["amount"] == float(original[4].replace(",", "."))
            if cells[3] == original[3]:
                assert str(found["created_at"].date()) == original[3]
            if cells[1] == original[1]:
                assert found["account"] == original[1]
            if cells[2] == original[2]:
                assert found["status"] == ("won" if original[2] == "Won" else "open")


def fuzz(folder, n, seed_number):
    """Make and judge `n` mutants; return how many were refused when opened, unchanged in their cells, and read."""
    rng = random.Random(seed_number)
    truths = {
        seed.name: open_source(_put(folder, seed.name, seed.content), ReadOptions(**seed.options)).cells
        for seed in SEEDS
    }
    answers = {seed.name: figures(read_alone(folder / f"{seed.name}.csv", seed)) for seed in SEEDS}
    pools = {seed.name: Pool(seed) for seed in SEEDS}
    count = {"refused": 0, "same": 0, "alone": 0}
    for number in range(n):
        seed = rng.choice(SEEDS)
        data = mutate(seed.content, rng, seed.encoding)
        path = _put(folder, "mutant", data)
        table = opened(path, seed)
        if table is None:
            count["refused"] += 1
            continue
        check_rows(table, data, seed)
        same = table.cells.equals(truths[seed.name]) and not table.broken
        count["same"] += same
        if list(table.cells.columns) == list(seed.header):
            pools[seed.name].add(table)
        if number % 50 == 0:
            count["alone"] += 1
            pipeline = read_alone(path, seed)
            if same:
                assert figures(pipeline)[:-2] == answers[seed.name][:-2], data
    for pool in pools.values():
        pool.read()
    return count


def _put(folder, name, data):
    path = folder / f"{name}.csv"
    path.write_bytes(data)
    return path


def test_some_mutations_end_in_a_refusal_or_a_right_answer(tmp_path):
    count = fuzz(tmp_path, N_FAST, 1)
    assert all(count.values())


@pytest.mark.slow
def test_twenty_thousand_mutations_end_in_a_refusal_or_a_right_answer(tmp_path):
    count = fuzz(tmp_path, N_MUTATIONS, 2)
    assert count["refused"] > 1000 and count["same"] > 1000 and count["alone"] > 100
