"""ClickHouse in process (chdb), its query tuned: python benchmarks/peer_chdb.py F1|F2 FILE.

Tried for F1 and slower or equal: no filter, filter by IN, PREWHERE, LowCardinality, times in microseconds. Fastest:
stage names turned to numbers once, noise filtered, times as DateTime, columns declared not null.
"""

import chdb
from tasks import STEPS, WINDOW_DAYS, run


def funnel(path, extra=""):
    kind = "String" if "text" in path else "Int64"
    types = f"'id {kind}, stage String, at DateTime64(6), segment String'"
    numbered = f"transform(stage, {STEPS}, {list(range(1, len(STEPS) + 1))}, 0)"
    steps = ", ".join(f"s = {n + 1}" for n in range(len(STEPS)))
    level = f"windowFunnel({WINDOW_DAYS * 86400})(toDateTime(at), {steps}) AS level"
    rows = f"(SELECT id, at{extra}, {numbered} AS s FROM file('{path}', Parquet, {types}))"
    return f"SELECT {level}{', any(segment) AS segment' if extra else ''} FROM {rows} WHERE s > 0 GROUP BY id"


def entered(pairs):
    """Return how many reached each step, of (level, how many)."""
    at_level = dict(pairs)
    return [sum(n for level, n in at_level.items() if level >= step) for step in range(1, len(STEPS) + 1)]


def query(sql):
    return [line.split(",") for line in str(chdb.query(sql, "CSV")).split("\n") if line]


def f1(path):
    return entered([(int(a), int(b)) for a, b in query(f"SELECT level, count() FROM ({funnel(path)}) GROUP BY level")])


def f2(path):
    rows = query(f"SELECT segment, level, count() FROM ({funnel(path, ', segment')}) GROUP BY segment, level")
    names = sorted({row[0] for row in rows})
    return [entered([(int(b), int(c)) for a, b, c in rows if a == name]) for name in names]


if __name__ == "__main__":
    run({"F1": f1, "F2": f2})
