"""polars, one join_asof a step: python benchmarks/peer_polars.py F1 FILE."""

import polars as pl
from tasks import STEPS, WINDOW_DAYS, run


def f1(path):
    log = pl.scan_parquet(path).select("id", "stage", "at").filter(pl.col("stage").is_in(STEPS)).sort("at").collect()
    alive = log.filter(pl.col("stage") == STEPS[0]).select("id", "at", start="at")
    counts = [alive["id"].n_unique()]
    for step in STEPS[1:]:
        here = log.filter(pl.col("stage") == step).select("id", "at")
        alive = here.join_asof(alive, on="at", by="id").filter(
            pl.col("start").is_not_null() & (pl.col("at") - pl.col("start") <= pl.duration(days=WINDOW_DAYS))
        )
        counts.append(alive["id"].n_unique())
    return counts


if __name__ == "__main__":
    run({"F1": f1})
