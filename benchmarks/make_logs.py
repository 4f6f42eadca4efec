"""Write the event logs of the benchmark: python benchmarks/make_logs.py ROWS FOLDER [--seed N].

About 6 events an entity, 8 ordered stages and 4 kinds of noise, repeats, backward moves, ties; whole seconds over
two years. time_int.parquet and time_text.parquet are in time order, entity_int.parquet by entity.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

STAGES = [f"stage_{n}" for n in range(8)]
NOISE = [f"noise_{n}" for n in range(4)]
START = np.datetime64("2024-01-01", "us").astype("int64")


def make(rows, seed):
    """Return entity, place of the event's name, seconds, segment."""
    rng = np.random.default_rng(seed)
    sizes = rng.poisson(5, rows // 6) + 1
    entity = np.repeat(np.arange(len(sizes)), sizes)[:rows]
    n = len(entity)
    new = np.r_[True, np.diff(entity) > 0]
    place = np.arange(n) - np.maximum.accumulate(np.where(new, np.arange(n), 0))
    kind, chance = np.minimum(place, len(STAGES) - 1), rng.random(n)
    kind = np.where(chance < 0.25, np.maximum(kind - 1, 0), kind)  # backward moves and repeats
    kind = np.where(chance < 0.15, len(STAGES) + rng.integers(0, len(NOISE), n), kind)
    gap = rng.exponential(5 * 86400, n).astype("int64")
    gap[(rng.random(n) < 0.05) | new] = 0  # ties
    since = np.cumsum(gap)
    since -= np.repeat(since[new], np.diff(np.r_[np.flatnonzero(new), n]))
    seconds = rng.integers(0, 2 * 365 * 86400, len(sizes))[entity] + since
    return entity, kind.astype("int8"), seconds, (entity * 2654435761 % 20).astype("int8")


def write(path, columns, order, text):
    """Write one file in the given order."""
    entity, kind, seconds, segment = (column[order] for column in columns)
    ids = pa.array(entity)
    if text:
        ids = pc.binary_join_element_wise("customer", ids.cast(pa.string()), "-")
    names, segments = pa.array([*STAGES, *NOISE]), pa.array([f"segment {n:02d}" for n in range(20)])
    table = {
        "id": ids,
        "stage": pa.DictionaryArray.from_arrays(pa.array(kind), names).cast(pa.string()),
        "at": pa.array(seconds * 1_000_000 + START, pa.timestamp("us")),
        "segment": pa.DictionaryArray.from_arrays(pa.array(segment), segments).cast(pa.string()),
    }
    pq.write_table(pa.table(table), path, compression="zstd", row_group_size=1 << 20)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=lambda text: int(float(text)))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    columns = make(options.rows, options.seed)
    in_time = np.argsort(columns[2], kind="stable")
    write(options.folder / "time_int.parquet", columns, in_time, False)
    write(options.folder / "time_text.parquet", columns, in_time, True)
    write(options.folder / "entity_int.parquet", columns, np.lexsort((columns[2], columns[0])), False)


if __name__ == "__main__":
    main()
