"""Processor time of a forecast: 10,000 paths of some 2,000 open deals, fit included, beside one path at a time.

python benchmarks/forecast_speed.py [--runs 5]. The peer draws, for one path, each open deal on its own in plain Python
from the same chances; its time for 10,000 paths is that of 20 paths times 500. Prints medians and their ratio.
"""

import argparse
import random
import statistics
import time

from funnelkit.forecast import forecast_open
from funnelkit.reading import read
from funnelkit.synth import synthesize

PATHS, PEER_PATHS = 10_000, 20


def plain_paths(deals, paths):
    """Return won value per path, drawn deal by deal."""
    rows = list(zip(deals["chance"], deals["amount"].fillna(0.0), strict=True))
    return [sum(amount for chance, amount in rows if random.random() < chance) for _ in range(paths)]


def seconds(work, runs):
    spent = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return statistics.median(spent)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    made = synthesize("b2b-8", 3, n_deals=21_000)
    history = read(made.deals, made.events, model=made.model, as_of=made.as_of)
    found = forecast_open(history, "2026-03-31", paths=10)  # imports and caches
    ours = seconds(lambda: forecast_open(history, "2026-03-31", unit="month", paths=PATHS), runs)
    peer = seconds(lambda: plain_paths(found.deals, PEER_PATHS), runs) * PATHS / PEER_PATHS
    print(f"{PATHS:,} paths x {len(found.deals):,} open deals, processor seconds, median of {runs} runs")
    print(f"forecast_open, fit, months and parameter draws included: {ours:.2f}")
    print(f"one path at a time in plain Python, fixed chances: {peer:.2f}; ratio {ours / peer:.3f}")


if __name__ == "__main__":
    main()
