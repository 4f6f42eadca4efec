"""Random event logs full of ties, repeats, noise and excluded events, and the depths that the kit finds in them."""

import numpy as np
import pandas as pd

from funnelkit.events.log import LogColumns
from funnelkit.events.search import Search

COLUMNS = LogColumns("id", "name", "at")
START = pd.Timestamp("2026-01-01")


def random_log(rng, n_entities, names="AABBCCDX", longest=8, span_s=12):
    """Return id, name, at, held: up to `longest` events an entity within `span_s` seconds."""
    sizes = rng.integers(0, longest + 1, n_entities)
    who = np.repeat(np.arange(n_entities), sizes)
    seconds = rng.integers(0, span_s, len(who))
    columns = {"id": who, "name": rng.choice(list(names), len(who)), "held": rng.choice(["red", "blue"], len(who))}
    return pd.DataFrame({**columns, "at": START + pd.to_timedelta(seconds, unit="s"), "second": seconds})


def kit_depths(log, steps, rule, n_entities, **options):
    """Return the depth of each entity as `Search` finds it."""
    depths = np.zeros(n_entities, dtype=int)
    with Search(log, steps, rule, columns=COLUMNS, others=(), **options) as search:
        for rows, reached in search.parts():
            depths[np.asarray(rows.ids, dtype=int)] = reached.depth
    return depths


def kit_found(log, steps, rule):
    """Return id, depth and until (us, when the latest window ends) of those who began, as `Search` finds them."""
    found = []
    with Search(log, steps, rule, columns=COLUMNS, others=()) as search:
        for rows, reached in search.parts():
            began = np.flatnonzero(reached.depth > 0)
            found.append(pd.DataFrame({"id": np.asarray(rows.ids)[began], "depth": reached.depth[began].astype("int64"),
                                       "until": reached.until[began]}))  # fmt: skip
    return pd.concat(found, ignore_index=True)


def by_entity(log, n_entities):
    """Return the events [(at_us, name, held)] of each entity in the order logged."""
    events = [[] for _ in range(n_entities)]
    for who, name, held, second in zip(log["id"], log["name"], log["held"], log["second"], strict=True):
        events[who].append((second * 1_000_000, name, held))
    return events
