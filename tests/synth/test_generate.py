"""Generated data: same seed, same bytes; the truth that went in comes out again by plain counting."""

import csv
import json
import math
from collections import Counter, defaultdict
from datetime import datetime
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import funnelkit
from funnelkit.cli import main
from funnelkit.language.errors import CatalogError, DataError
from funnelkit.models.funnel import funnel
from funnelkit.synth.chinese import _companies
from funnelkit.synth.generate import Change, Industry, Settings, Source, Stall, as_pipeline, synthesize, write
from funnelkit.synth.words import TRADES
from tests.support.speech import spoken

DATA = Path(__file__).parents[2] / "data"
FILES = ("deals.csv", "events.csv", "truth.json")
SAMPLES = [("en", DATA), ("zh", DATA / "zh")]
MODEL = funnel("industrial-8")
LABELS = [stage.name.en for stage in MODEL.stages]
ORDER = {label: number for number, label in enumerate(LABELS)}
PLAIN = {"change": None, "stall": None, "back_share": 0, "skip_share": 0, "void_share": 0, "loss_delay": 1,
         "rep_spread": 0, "industries": (Industry("Machinery", 1, 1, 1, 1e5),), "sources": (Source("Website", 1, 1),),
         "n_accounts": 50}  # fmt: skip


@pytest.fixture(scope="module")
def plain():
    return synthesize("b2b-8", 11, n_deals=30_000, **PLAIN)


@pytest.fixture(scope="module")
def rich():
    """Return all effects at once but late losses, large enough to see them."""
    return synthesize("b2b-8", 12, n_deals=40_000, loss_delay=1)


@pytest.fixture(scope="module")
def sample():
    """Return the committed sample: deals, history of each deal, truth; by the csv module alone."""
    deals = list(csv.DictReader((DATA / "deals.csv").open(encoding="utf-8", newline="")))
    history = defaultdict(list)
    for row in csv.DictReader((DATA / "events.csv").open(encoding="utf-8", newline="")):
        history[row["deal_id"]].append((datetime.fromisoformat(row["entered_at"]), row["stage"]))
    return deals, history, json.loads((DATA / "truth.json").read_text(encoding="utf-8"))


def decisions(made, **where):
    """Return one row for each stage that a deal reached and left for good: stage, passed, the day it was left.

    The day of leaving is the entry into the next stage that was recorded, or the close.
    """
    events = made.events.assign(number=made.events["stage"].map(ORDER))
    deals = made.deals.set_index("deal_id")
    for column, value in where.items():
        deals = deals[deals[column] == value]
    events = events[events["deal_id"].isin(deals.index)]
    reach = events.groupby("deal_id")["number"].max().reindex(deals.index)
    rows = []
    for number in range(len(LABELS) - 1):
        later = events[events["number"] > number].groupby("deal_id")["entered_at"].min().reindex(deals.index)
        passed = reach > number
        lost = (reach == number) & (deals["status"] == "lost")
        rows.append(pd.DataFrame({"stage": number, "passed": passed, "left": later.where(passed, deals["closed_at"])})
                    [passed | lost])  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def assert_rate(passed, rate, sigmas=4):
    n = len(passed)
    assert n >= 50
    assert abs(passed.mean() - rate) <= sigmas * math.sqrt(rate * (1 - rate) / n), (passed.mean(), rate, n)


# --- the same bytes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lang", "folder"), SAMPLES)
def test_the_committed_sample_comes_out_again_byte_for_byte(lang, folder, tmp_path, capsys):
    assert main(["synth", "b2b-8", "--seed", "7", "--out", str(tmp_path / "new"), "--lang", lang]) == 0
    assert [Path(line).name for line in capsys.readouterr().out.split("\n") if line] == list(FILES)
    for file in FILES:
        assert (tmp_path / "new" / file).read_bytes() == (folder / file).read_bytes(), file


@pytest.mark.parametrize(("lang", "folder"), SAMPLES)
def test_the_committed_sample_is_small_and_has_unix_line_ends(lang, folder):
    assert sum((folder / file).stat().st_size for file in FILES) < 1_000_000
    assert not any(b"\r" in (folder / file).read_bytes() for file in FILES)
    assert not any((folder / file).read_bytes().startswith(b"\xef\xbb\xbf") for file in FILES)


def test_the_chinese_sample_has_chinese_names_and_the_same_figures():
    english, chinese = (spoken(lang, funnelkit.sample) for lang in ("en", "zh"))
    names = ["name", "account", "owner", "team", "industry", "region", "source", "lost_reason"]
    pd.testing.assert_frame_equal(english.deals.drop(columns=names), chinese.deals.drop(columns=names))
    pd.testing.assert_frame_equal(english.events, chinese.events)
    for column in names:
        pairs = pd.DataFrame({"en": english.deals[column], "zh": chinese.deals[column]}).dropna()
        assert not pairs["zh"].str.contains(r"[A-Za-z]").any(), column
        assert len(pairs.drop_duplicates()) == pairs["en"].nunique() == pairs["zh"].nunique(), column


def test_chinese_companies_never_share_a_name():
    for trades in TRADES.values():
        names = list(islice(_companies(trades["zh"]), 9_000))
        assert len(set(names)) == len(names) and all(any(trade in name for trade in trades["zh"]) for name in names)


def test_names_of_ones_own_stay_in_chinese():
    own = {"industries": (Industry("Textiles", 1, 1, 1, 1e5),), "change": Change(lost_reason="Fog")}
    made = spoken("zh", lambda: synthesize("b2b-8", 3, n_deals=300, **own))
    assert set(made.deals["industry"]) == {"Textiles"}
    assert set(made.deals["region"]) == {"华北", "华东", "华南", "西部"}
    assert made.truth == synthesize("b2b-8", 3, n_deals=300, **own).truth, "the truth keeps the English names"
    assert as_pipeline(made).events["stage"].notna().all()


def test_another_seed_gives_other_data_and_a_generator_the_same_as_its_seed():
    first, same, other = synthesize("b2b-8", 7), synthesize("b2b-8", np.random.default_rng(7)), synthesize("b2b-8", 8)
    pd.testing.assert_frame_equal(first.deals, same.deals)
    pd.testing.assert_frame_equal(first.events, same.events)
    assert (first.truth["seed"], same.truth["seed"]) == (7, None)
    assert not first.deals["amount"].equals(other.deals["amount"])


def test_files_hold_what_the_tables_hold(tmp_path):
    made = synthesize("b2b-8", 3, n_deals=200)
    deals, events, truth = write(made, tmp_path)
    times = {"parse_dates": ["created_at", "closed_at", "expected_close"]}
    pd.testing.assert_frame_equal(pd.read_csv(deals, **times), made.deals, check_dtype=False)
    pd.testing.assert_frame_equal(pd.read_csv(events, parse_dates=["entered_at"]), made.events, check_dtype=False)
    assert json.loads(truth.read_text(encoding="utf-8")) == json.loads(json.dumps(made.truth))


def test_public_name():
    assert funnelkit.synthesize is synthesize


# --- the sample, replayed in plain Python -------------------------------------------------------------------------


def test_sample_key_facts(sample):
    deals, history, truth = sample
    assert Counter(deal["status"] for deal in deals) == {"won": 139, "lost": 1657, "open": 185, "void": 19}
    assert len(deals) == len(history) == 2000
    assert sum(map(len, history.values())) == 6213
    facts = truth["facts"]
    steps = [ORDER[b] - ORDER[a] for rows in history.values() for (_, a), (_, b) in pairwise(rows)]
    assert facts["n_moves_back"] == sum(step < 0 for step in steps) == 199
    assert facts["n_unrecorded_stages"] == sum(step - 1 for step in steps if step > 1) == 106
    assert facts["n_accounts"] == len({deal["account"] for deal in deals}) == 448
    late = [deal for deal in deals if deal["status"] == "open" and deal["expected_close"] < truth["as_of"]]
    assert facts["n_open_past_expected_close"] == len(late) == 47
    won = sum(float(deal["amount"]) for deal in deals if deal["status"] == "won")
    assert facts["amount_won"] == pytest.approx(won) == 121_104_900
    standing = Counter(deal["stage"] for deal in deals if deal["status"] == "open")
    assert facts["n_open_by_stage"] == {stage.id: standing[stage.name.en] for stage in MODEL.stages[:-1]}


def test_sample_conserves_deals_in_every_stage(sample):
    deals, history, _ = sample
    reached, advanced, ended = Counter(), Counter(), Counter()
    for deal in deals:
        furthest = max(ORDER[stage] for _, stage in history[deal["deal_id"]])
        reached.update(range(furthest + 1))
        advanced.update(range(furthest))
        ended[furthest, deal["status"]] += 1
    assert reached[0] == 2000
    for number in range(8):
        here = sum(ended[number, status] for status in ("won", "lost", "open", "void"))
        assert reached[number] == advanced[number] + here
        assert reached[number + 1] == advanced[number]
    assert ended[7, "won"] == reached[7]


def test_sample_history_is_in_order_and_ends_before_the_as_of_date(sample):
    deals, history, truth = sample
    end = datetime.fromisoformat(truth["as_of"])
    for deal in deals:
        rows = history[deal["deal_id"]]
        times = [at for at, _ in rows]
        assert rows[0] == (datetime.fromisoformat(deal["created_at"]), LABELS[0])
        assert all(a < b for a, b in pairwise(times))
        assert rows[-1][1] == deal["stage"]
        closed = datetime.fromisoformat(deal["closed_at"]) if deal["closed_at"] else None
        assert (closed is None) == (deal["status"] == "open")
        assert max(times) < end and (closed is None or closed < end)
        if deal["status"] == "won":
            assert (closed, LABELS[-1]) == rows[-1]
        elif closed:
            assert closed > times[-1] and deal["stage"] != LABELS[-1]
        assert (deal["lost_reason"] != "") == (deal["status"] == "lost")


def test_sample_has_names_that_try_a_reader(sample):
    names = {deal["account"] for deal in sample[0]}
    for sign in ('"', ",", "&", "'", "ü"):
        assert any(sign in name for name in names), sign
    assert all(ord(sign) < 0x300 for name in names for sign in name), "a Chinese name in the English sample"


@pytest.mark.parametrize("n_accounts", [480, 6000])
def test_an_account_has_one_industry_region_and_owner(n_accounts):
    deals = synthesize("b2b-8", 7, n_deals=30_000, n_accounts=n_accounts).deals
    assert (deals.groupby("account")[["industry", "region", "owner"]].nunique() == 1).all(axis=None)
    assert deals["account"].nunique() > 0.75 * n_accounts


def test_the_stalled_stage_piles_up_in_the_sample(sample):
    deals, history, _ = sample
    label = MODEL.stage("solution-confirmed").name.en

    def standing(day):
        inside = [deal for deal in deals if not deal["closed_at"] or deal["closed_at"] >= day]
        last = [[stage for at, stage in history[deal["deal_id"]] if str(at) < day][-1:] for deal in inside]
        return last.count([label])

    assert (standing("2025-08-01"), standing("2025-12-31")) == (16, 33)


@pytest.mark.parametrize(("lang", "folder"), SAMPLES)
def test_the_data_dictionary_tells_the_truth(lang, folder):
    text = (DATA / {"en": "README.md", "zh": "README.zh.md"}[lang]).read_text(encoding="utf-8")
    titles = {"en": ("What is known about them", "data"), "zh": ("数据里埋了什么", "data/zh --lang zh")}[lang]
    tables = {part.split("\n")[0]: part for part in text.split("\n## ")}

    def rows(title):
        lines = [line for line in tables[title].split("\n") if line.startswith("|")][2:]
        return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]

    deals, events = (list(csv.DictReader((folder / file).open(encoding="utf-8", newline=""))) for file in FILES[:2])
    assert {row[0]: row[-1] for row in rows("deals.csv")} == deals[2]
    entry = [row for row in events if row["deal_id"] == "D00003"][1]
    assert [row[-1] for row in rows("events.csv")] == list(entry.values())
    assert f"funnelkit synth b2b-8 --seed 7 --out {titles[1]}\n" in text and "| 2000 |" in text and "| 6213 |" in text
    facts = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["facts"]
    stated = {name: float(value) for name, value in rows(titles[0])}
    assert len(stated) == 10
    assert stated == {name: facts[name] for name in stated}


# --- the truth comes out again ------------------------------------------------------------------------------------


def test_every_stage_has_the_rate_that_was_put_in(plain):
    rows = decisions(plain)
    for number, stage in enumerate(MODEL.stages[:-1]):
        assert plain.truth["stages"][number]["rate"] == stage.rate
        assert_rate(rows.loc[rows["stage"] == number, "passed"], stage.rate)


def test_the_rate_changes_on_its_day_and_nowhere_else():
    made = synthesize("b2b-8", 13, n_deals=30_000, **{**PLAIN, "change": Change()})
    rows = decisions(made)
    after = rows["left"] >= "2025-07-01"
    for number, stage in enumerate(MODEL.stages[:-1]):
        here = rows["stage"] == number
        changed = 0.45 if stage.id == "solution-demo" else stage.rate
        assert_rate(rows.loc[here & ~after, "passed"], stage.rate)
        assert_rate(rows.loc[here & after, "passed"], changed)


def test_the_change_begins_on_its_day_exactly():
    change = Change("project-initiation", "2025-01-01", 0.25)
    rows = decisions(synthesize("b2b-8", 18, n_deals=30_000, **{**PLAIN, "change": change}))
    first = rows[rows["stage"] == 0]
    for begin, end, rate in (("2024-12-27", "2025-01-01", 0.75), ("2025-01-01", "2025-01-06", 0.25)):
        assert_rate(first.loc[(first["left"] >= begin) & (first["left"] < end), "passed"], rate)


def test_rates_by_furthest_stage_match_the_mean_of_the_true_rates_with_all_effects(rich):
    rows = decisions(rich)
    for number, truth in enumerate(rich.truth["stages"][:-1]):
        parts = [truth[key] for key in ("decisions", "decisions_after_change") if key in truth]
        n = sum(part["n"] for part in parts)
        mean = sum(part["n"] * part["mean_rate"] for part in parts) / n
        here = rows.loc[rows["stage"] == number, "passed"]
        assert len(here) == n
        assert_rate(here, mean)


def test_rates_without_the_skipped_stages_are_lower(rich):
    reach = rich.events.groupby("deal_id")["stage"].agg(set)
    demo, confirmed = LABELS[3], LABELS[4]
    recorded = reach.map(lambda stages: demo in stages)
    direct = reach[recorded].map(lambda stages: confirmed in stages).sum()
    backfilled = reach[recorded].map(lambda stages: max(map(ORDER.get, stages)) > 3).sum()
    assert 0.02 < 1 - direct / backfilled < 0.06


def test_each_industry_has_its_own_rates(rich):
    for name, truth in rich.truth["segments"].items():
        rows = decisions(rich, industry=name)
        # Reps shift the mean of a segment a little, so the bounds are wider than chance alone.
        for number, rate in enumerate(list(truth["rates"].values())[:3]):
            here = rows.loc[rows["stage"] == number, "passed"]
            assert here.mean() == pytest.approx(rate, abs=0.035)
    low, high = (rich.truth["segments"][name]["rates"]["first-contact"] for name in ("Electronics", "Machinery"))
    assert (low, high) == (0.620253, 0.744681)


def test_a_source_shifts_the_first_stage_and_no_other():
    sources = (Source("Referral", 1, 1.6), Source("Website", 1, 1.0))
    made = synthesize("b2b-8", 14, n_deals=30_000, **{**PLAIN, "sources": sources})
    rows = decisions(made, source="Referral")
    assert_rate(rows.loc[rows["stage"] == 0, "passed"], 0.75 * 1.6 / (0.25 + 0.75 * 1.6))
    assert_rate(rows.loc[rows["stage"] == 1, "passed"], 0.70)


def test_reps_have_the_factors_that_the_truth_names():
    made = synthesize("b2b-8", 15, n_deals=40_000, **{**PLAIN, "rep_spread": 0.5})
    for rep in made.truth["reps"]:
        rows = decisions(made, owner=rep["owner"])
        assert_rate(rows.loc[rows["stage"] == 0, "passed"], 0.75 * rep["odds"] / (0.25 + 0.75 * rep["odds"]))
    assert np.log([rep["odds"] for rep in made.truth["reps"]]).mean() == pytest.approx(0, abs=1e-6)


def spells(made):
    """Return stage number, begin and days of each spell that ended."""
    events = made.events.merge(made.deals[["deal_id", "closed_at"]], on="deal_id")
    left = events.groupby("deal_id")["entered_at"].shift(-1).fillna(events["closed_at"])
    days = left.dt.normalize() - events["entered_at"].dt.normalize()
    table = events.assign(number=events["stage"].map(ORDER), days=days.dt.days)
    return table[(table["number"] < 7) & table["days"].notna()]


def test_stages_last_as_long_as_the_truth_says(plain):
    rows = spells(plain)
    early = rows[rows["entered_at"] < "2025-04-01"]  # nearly all of these have ended by the as-of date
    for number, truth in enumerate(plain.truth["stages"][:-1]):
        days = early.loc[early["number"] == number, "days"]
        assert days.median() == pytest.approx(truth["median_duration_days"], rel=0.04, abs=0.5)
        assert days.mean() == pytest.approx(MODEL.stages[number].duration_days, rel=0.05)


def test_a_stalled_stage_takes_its_factor_longer_from_its_day():
    made = synthesize("b2b-8", 16, n_deals=30_000, **{**PLAIN, "stall": Stall("first-contact", "2024-07-01", 4.0)})
    rows = spells(made)
    rows = rows[(rows["entered_at"] < "2025-01-01")]
    stalled = rows["entered_at"] >= "2024-07-01"
    for number in (0, 1, 2):
        here = rows["number"] == number
        ratio = rows.loc[here & stalled, "days"].median() / rows.loc[here & ~stalled, "days"].median()
        assert ratio == pytest.approx(4.0 if number == 1 else 1.0, rel=0.08)


def test_losses_are_entered_late_and_the_truth_counts_those_still_hidden():
    prompt, late = (synthesize("b2b-8", 17, n_deals=20_000, **{**PLAIN, "loss_delay": by}) for by in (1, 1.5))
    assert prompt.truth["facts"]["n_open_already_lost"] == 0
    before, after = prompt.truth["facts"], late.truth["facts"]
    hidden = after["n_open_already_lost"]
    assert hidden > 50
    assert after["n_open"] == before["n_open"] + hidden
    assert after["n_lost"] == before["n_lost"] - hidden


def test_the_low_rate_industry_grows(rich):
    share = rich.deals["industry"].eq("Electronics").groupby(rich.deals["created_at"].dt.to_period("Q")).mean()
    assert share.iloc[0] == pytest.approx(0.15 + 0.25 / 16, abs=0.03)
    assert share.iloc[-1] == pytest.approx(0.40 - 0.25 / 16, abs=0.03)
    assert share.is_monotonic_increasing


def test_moves_back_void_deals_and_gaps_have_their_shares(rich):
    rows, facts = rich.events, rich.truth["facts"]
    visits = (rows["stage"] != LABELS[0]).sum()
    assert facts["n_moves_back"] / visits == pytest.approx(0.05, abs=0.015)
    assert facts["n_void"] / facts["n_deals"] == pytest.approx(0.015, abs=0.003)
    assert 0 < facts["n_unrecorded_stages"] < 0.04 * len(rows)


def test_a_deal_that_moved_back_always_returns(rich):
    events = rich.events.assign(number=rich.events["stage"].map(ORDER))
    step = events.groupby("deal_id")["number"].diff()
    following = step.groupby(events["deal_id"]).shift(-1)
    back = (step < 0) & (events["entered_at"] < "2025-01-01")  # a year is enough for any spell to end
    assert back.sum() > 500
    assert (step[back] == -1).all() and (following[back] > 0).all()


def test_the_change_brings_its_own_lost_reason(rich):
    lost = rich.deals[(rich.deals["status"] == "lost") & (rich.deals["stage"] == LABELS[3])]
    after = lost["closed_at"] >= "2025-07-01"
    competitor = lost["lost_reason"] == "Competitor"
    assert competitor[after].mean() > 2 * competitor[~after].mean()


def test_sellers_expect_the_close_too_early(plain):
    ahead = (plain.deals["expected_close"] - plain.deals["created_at"].dt.normalize()).dt.days
    cycle = sum(stage.duration_days for stage in MODEL.stages[:-1])
    assert ahead.median() / cycle == pytest.approx(0.75, rel=0.02)


def test_amounts_and_seasons_follow_their_settings(rich):
    medians = rich.deals.groupby("industry")["amount"].median()
    for row in Settings().industries:
        assert medians[row.name] == pytest.approx(row.median_amount, rel=0.06)
    months = rich.deals["created_at"].dt.month.value_counts()
    assert 1.1 < months[4] / months[10] < 1.7


def test_all_rows_stay_before_the_end_and_all_labels_are_the_model_s(rich):
    end = pd.Timestamp("2025-12-31")
    assert (rich.events["entered_at"] < end).all() and not (rich.deals["closed_at"] >= end).any()
    assert set(rich.events["stage"]) == set(LABELS) and set(rich.deals["stage"]) <= set(LABELS)
    assert rich.as_of == end


# --- other settings and wrong ones ------------------------------------------------------------------------------


def test_extreme_rates_and_a_single_deal():
    sure = synthesize("b2b-8", 1, n_deals=300, **{**PLAIN, "rates": dict.fromkeys(MODEL.stage_ids[:-1], 1)})
    assert sure.truth["facts"]["n_lost"] == 0 < sure.truth["facts"]["n_won"]
    never = synthesize("b2b-8", 1, n_deals=300, **{**PLAIN, "rates": {"project-initiation": 0}})
    assert set(never.deals["stage"]) == {LABELS[0]} and never.truth["facts"]["n_won"] == 0
    assert len(synthesize("b2b-8", 1, n_deals=1).deals) == 1


def test_another_model_with_rates_of_its_own():
    ids = funnel("purchase-5").stage_ids
    won = funnel("purchase-5").won_stage or ids[-1]
    before = ids[: ids.index(won)]
    made = synthesize("b2b-8", 1, n_deals=500, model="purchase-5", change=None, stall=None,
                      rates=dict.fromkeys(before, 0.8), duration_days=dict.fromkeys(before, 10))  # fmt: skip
    won_label = funnel("purchase-5").label(won)
    assert set(made.deals.loc[made.deals["status"] == "won", "stage"]) == {won_label}
    assert made.truth["facts"]["n_won"] > 0


def test_settings_can_be_given_whole_and_overridden():
    settings = Settings(n_deals=20, currency="USD")
    made = synthesize("b2b-8", 1, settings, n_deals=30)
    assert (len(made.deals), set(made.deals["currency"]), settings.n_deals) == (30, {"USD"}, 20)


def test_an_unknown_generator_or_setting_names_the_nearest():
    with pytest.raises(DataError) as caught:
        synthesize("b2b8", 1)
    assert str(caught.value) == "no generator named 'b2b8'. Nearest: b2b-8."
    assert caught.value.say("zh") == "没有名为“b2b8”的数据生成器。相近的有：b2b-8。"
    with pytest.raises(DataError) as caught:
        synthesize("b2b-8", 1, n_deal=3)
    assert str(caught.value).startswith("the generator has no setting 'n_deal'. Nearest: n_deals")
    with pytest.raises(CatalogError, match="no model named 'industrial-9'"):
        synthesize("b2b-8", 1, model="industrial-9")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_deals": 0}, "setting n_deals is 0. Expected a whole number of at least 1."),
        ({"n_deals": 2.5}, "setting n_deals is 2.5. Expected a whole number of at least 1."),
        ({"start": "2024-1-1"}, "setting start is '2024-1-1'. Expected a date, YYYY-MM-DD."),
        ({"end": "2023-01-01"}, "setting end is '2023-01-01'. Expected a date after start (2024-01-01), YYYY-MM-DD."),
        ({"rates": {"negotiation": 1.2}}, "setting rates is {'negotiation': 1.2}. Expected a rate from 0 to 1 for"),
        ({"duration_days": {"negotiation": 0}}, "setting duration_days is {'negotiation': 0}. Expected days above 0"),
        ({"rates": {"negotiations": 0.5}}, "setting rates names the stage 'negotiations'. Expected one of: project-"),
        ({"change": Change("contract-signed")}, "setting change names the stage 'contract-signed'. Expected one of:"),
        ({"change": 3}, "setting change is 3. Expected None, or a Change with a date (YYYY-MM-DD) and a rate"),
        ({"stall": Stall(factor=0)}, "setting stall is Stall(stage='solution-confirmed', date='2025-08-01', factor=0)"),
        ({"industries": ()}, "setting industries is (). Expected one or more Industry of different names"),
        ({"sources": ()}, "setting sources is (). Expected one or more Source with shares"),
        ({"n_accounts": 3}, "setting n_accounts is 3. Expected a whole number of at least 4."),
        ({"back_share": 1}, "setting back_share is 1. Expected a fraction from 0 to below 1."),
        ({"loss_delay": 0.5}, "setting loss_delay is 0.5. Expected a number of at least 1."),
        ({"spread": "wide"}, "setting spread is 'wide'. Expected a number of at least 0."),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_expected(wrong, message):
    with pytest.raises(DataError) as caught:
        synthesize("b2b-8", 1, **wrong)
    assert str(caught.value).startswith(message)
    assert caught.value.say("zh").startswith("设置 " + next(iter(wrong)))


@pytest.mark.parametrize("seed", [-1, 1.5, None, "7"])
def test_a_wrong_seed_is_refused(seed):
    with pytest.raises(DataError, match=r"setting seed is .* Expected a whole number of at least 0\."):
        synthesize("b2b-8", seed)


def test_the_command_line_ends_with_the_right_code(tmp_path, capsys):
    assert main(["synth", "b2b", "--seed", "1", "--out", str(tmp_path), "--lang", "en"]) == 2
    assert "no generator named 'b2b'. Nearest: b2b-8." in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["synth", "b2b-8", "--seed", "1", "--out", str(tmp_path / "file"), "--lang", "en"]) == 2
    assert "file: cannot be written (" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["synth", "b2b-8", "--out", str(tmp_path)])
    assert ended.value.code == 64
