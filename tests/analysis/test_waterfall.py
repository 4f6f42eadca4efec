from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis.waterfall import PARTS, waterfall
from funnelkit.language.errors import DataError
from funnelkit.reading.read import read
from funnelkit.synth.generate import synthesize

START, END = "2025-07-01", "2025-10-01"


@pytest.fixture(scope="module")
def sample():
    made = synthesize(rng=7, n_deals=1500)
    return read(made.deals, made.events, model=made.model, as_of=made.as_of)


def parts(found):
    return found.table.set_index("part")


def gap(found):
    change = (found.table["change"] * 100).round().astype("int64")
    return int(change.iloc[:-1].sum() - change.iloc[-1])


def test_balances_to_the_cent_whatever_changes(sample, capsys):
    rng, model = np.random.default_rng(1), sample.model
    worst, touched = 0, set()
    for _ in range(12):
        before, after = sample.at(START), sample.at(END)
        deals = after.deals.copy()
        deals["amount"] = (
            deals["amount"] * np.where(rng.random(len(deals)) < 0.3, rng.uniform(0.5, 2, len(deals)), 1)
        ).round(2)
        deals.loc[rng.random(len(deals)) < 0.05, "amount"] = np.nan
        deals["expected_close"] += pd.to_timedelta(rng.integers(-60, 90, len(deals)), unit="D")
        reopened = (deals["status"] == "lost") & (rng.random(len(deals)) < 0.1)
        deals.loc[reopened, "status"] = "open"
        deals = deals[rng.random(len(deals)) > 0.02]
        earlier = sample.at("2025-06-15").events
        back = after.events["deal_id"].isin(rng.choice(after.deals["deal_id"], 60)) & ~after.events.index.isin(
            earlier.index
        )
        after = replace(after, events=after.events[~back])
        weights = None if rng.random() < 0.3 else dict(zip(model.stage_ids, rng.random(len(model.stages)), strict=True))
        found = waterfall(
            before, replace(after, deals=deals), weights=weights, due=None if rng.random() < 0.5 else "2025-08-31"
        )
        worst = max(worst, abs(gap(found)))
        touched |= set(found.table.loc[found.table["n_deals"] > 0, "part"])
    with capsys.disabled():
        print(f"\nWaterfall, 12 pairs (seed 1): worst gap {worst} cents; {len(touched)} of {len(PARTS)} parts occur")
    assert worst == 0 and touched >= set(PARTS) - {"void"}


def test_parts_are_those_of_the_data(sample):
    found = parts(waterfall(sample.at(START), sample.at(END)))
    deals = sample.deals
    closed = deals["closed_at"].between(START, END, inclusive="right") & (deals["status"] == "won")
    created = deals["created_at"].between(START, END, inclusive="right")
    assert found.loc["won", "n_deals"] == closed.sum()
    assert found.loc["won", "change"] == pytest.approx(-deals.loc[closed, "amount"].sum())
    assert found.loc["created", "n_deals"] == created.sum()
    opened = sample.at(START).deals
    assert found.loc["opening", "change"] == pytest.approx(opened.loc[opened["status"] == "open", "amount"].sum())


def test_single_changes_land_in_their_part(sample):
    before = sample.at(START)
    name = before.deals.loc[before.deals["status"] == "open", "deal_id"].iloc[0]
    at = before.deals["deal_id"] == name

    def after(**columns):
        return replace(
            before,
            deals=before.deals.assign(**{key: before.deals[key].mask(at, value) for key, value in columns.items()}),
        )

    amount = before.deals.loc[at, "amount"].item()
    assert parts(waterfall(before, after(amount=amount + 0.01))).loc["amount_up", "change"] == 0.01
    assert parts(waterfall(before, after(status="lost"))).loc["lost", "change"] == -amount
    assert parts(waterfall(after(status="lost"), before)).loc["reopened", "change"] == amount
    won = parts(waterfall(before, after(status="won", amount=2 * amount)))
    assert (won.loc["won", "change"], won.loc["amount_up", "change"]) == (-2 * amount, amount)
    late = pd.Timestamp("2030-01-01")
    due = before.deals["expected_close"].max()
    assert parts(waterfall(before, after(expected_close=late), due=due)).loc["pushed", "change"] == -amount
    assert parts(waterfall(after(expected_close=late), before, due=due)).loc["pulled_in", "change"] == amount


def test_a_single_export_says_what_it_cannot_show(sample):
    found = waterfall(sample.at(START), sample.at(END))
    assert "a single export does not keep such changes" in found.reading() and "单次导出" in found.reading("zh")


def test_amounts_bear_their_currency(sample):
    deals = sample.deals.assign(currency="EUR")
    euros = replace(sample, deals=deals)
    found = waterfall(euros.at(START), euros.at(END))
    assert found.currency == "EUR" and found.sentences()[0].count("€") == 2 and "EUR" in found.chart().ax.get_ylabel()


def test_mixed_currencies_and_reversed_dates_are_refused(sample):
    deals = sample.deals.assign(currency=np.where(np.arange(len(sample.deals)) % 2, "EUR", "CNY"))
    with pytest.raises(DataError, match="CNY, EUR"):
        waterfall(sample.at(START), replace(sample, deals=deals))
    with pytest.raises(DataError, match="Give the earlier one first"):
        waterfall(sample.at(END), sample.at(START))
