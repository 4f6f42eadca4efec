"""pandas as it is usually written, one merge a step: python benchmarks/peer_pandas.py F1|F3|F4 FILE.

F1 is first-touch per step from any start (merge_asof of the last start before), which is the idiom's nearest to
windowFunnel; F3 and F4 are by the first step-1 event.
"""

import pandas as pd
from tasks import AS_OF, STEPS, WINDOW_DAYS, run

WINDOW = pd.Timedelta(days=WINDOW_DAYS)


def f1(path):
    log = pd.read_parquet(path, columns=["id", "stage", "at"]).sort_values("at")
    alive = log[log["stage"] == STEPS[0]].assign(start=lambda part: part["at"])[["id", "at", "start"]]
    counts = [alive["id"].nunique()]
    for step in STEPS[1:]:
        here = log.loc[log["stage"] == step, ["id", "at"]]
        alive = pd.merge_asof(here, alive, on="at", by="id").dropna(subset="start")
        alive = alive[alive["at"] - alive["start"] <= WINDOW]
        counts.append(alive["id"].nunique())
    return counts


def f3(path):
    log = pd.read_parquet(path, columns=["id", "stage", "at", "segment"])
    segment = log.drop_duplicates("id").set_index("id")["segment"]
    reached = log[log["stage"] == STEPS[0]].groupby("id")["at"].min().rename("last").reset_index()
    medians = []
    for step in STEPS[1:]:
        here = log.loc[log["stage"] == step, ["id", "at"]].merge(reached, on="id")
        here = here[here["at"] >= here["last"]].groupby("id").agg(at=("at", "min"), last=("last", "first"))
        days = (here["at"] - here["last"]) / pd.Timedelta(days=1)
        medians.append(days.groupby(segment.reindex(here.index)).agg(["size", "median"]))
        reached = here["at"].rename("last").reset_index()
    table = pd.concat(medians, keys=STEPS[1:], names=["step", "segment"]).sort_index(level=["segment", "step"])
    return [[int(n), round(days, 6)] for n, days in zip(table["size"], table["median"], strict=True)]


def f4(path):
    log = pd.read_parquet(path, columns=["id", "stage", "at"])
    log = log[log["at"] <= AS_OF].sort_values("at")
    start = log[log["stage"] == STEPS[0]].groupby("id")["at"].min()
    reached = start.rename("last").reset_index()
    for step in STEPS[1:4]:
        here = log[log["stage"] == step].merge(reached, on="id")
        here = here[(here["at"] >= here["last"]) & (here["at"] - here["id"].map(start) <= WINDOW)]
        reached = here.groupby("id")["at"].min().rename("last").reset_index()
    through = start.index.isin(reached["id"])
    is_open = ~through & (start + WINDOW > pd.Timestamp(AS_OF))
    table = pd.DataFrame({"n": 1, "k": through, "open": is_open}).groupby(start.dt.to_period("M").to_numpy()).sum()
    return table.astype(int).to_numpy().tolist()


if __name__ == "__main__":
    run({"F1": f1, "F3": f3, "F4": f4})
