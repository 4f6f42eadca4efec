"""retentioneering, telemetry off: python benchmarks/peer_retentioneering.py F5 FILE.

It has no window, so it is asked F5: F1 without one. It needs an environment of its own; name its interpreter to
compare.py: --interpreter retentioneering=PATH. Rows are sorted so that its ties also come in the order of the steps.
"""

import os

os.environ["RETENTIONEERING_NO_TRACK"] = "1"

import duckdb
from retentioneering.eventstream import Eventstream
from tasks import STEPS, run


def f5(path):
    columns = 'id AS user_id, stage AS event, "at" AS timestamp'
    log = duckdb.sql(f"SELECT {columns} FROM '{path}' ORDER BY id, \"at\", stage").df()
    stream = Eventstream(log)
    return [int(step["unique_paths"]) for step in stream.funnel_data(steps=STEPS)["steps"]]


if __name__ == "__main__":
    run({"F5": f5})
