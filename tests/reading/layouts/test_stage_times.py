"""Time in stage: columns of times spent give the entries; what has no unit or does not fit is kept, and said."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.reading.read import read

STAGES = ["Appointment Scheduled", "Qualified To Buy", "Presentation Scheduled", "Contract Sent"]
BEGIN = pd.Timestamp("2025-01-06 09:00")
FORMS = {
    'Cumulative time in "{} (Sales Pipeline)"': lambda days: str(days * 86_400_000),
    'Cumulative time in "{} (Sales Pipeline)" (HH:mm:ss)': lambda days: f"{24 * days}:00:00",
    "Days in {}": str, "{}停留时长（小时）": lambda days: str(24 * days),
    "hs_v2_cumulative_time_in_{}": lambda days: str(days * 86_400_000),
}  # fmt: skip


def deals(form, write, n=24):
    """Return an export, and the true days from creation to each entry."""
    rng, rows, truth = np.random.default_rng(5), [], {}
    api = form.startswith("hs_")
    names = [name.lower().replace(" ", "") if api else name for name in STAGES]
    for number in range(n):
        created = BEGIN + pd.Timedelta(days=number)
        last, end = int(rng.integers(0, 4)), ("Closed Won", "Closed Lost", None)[number % 3]
        last = 3 if end == "Closed Won" else last
        days = [int(day) for day in rng.integers(1, 9, last + 1)]
        spent = [write(day) for day in days] + [""] * (3 - last)
        if end is None:
            spent[last] = ""  # the stay is not over
        close = "" if end is None else str(created + pd.Timedelta(days=sum(days)))
        rows.append([str(number), end or STAGES[last], str(created), close, *spent])
        truth[str(number)] = [sum(days[:place]) for place in range(last + 1)]
    head = ["Record ID", "Deal Stage", "Create Date", "Close Date", *(form.format(name) for name in names)]
    return pd.DataFrame(rows, columns=head), truth


def rules(pipeline):
    return {finding.rule for finding in pipeline.findings}


@pytest.mark.parametrize("form", FORMS)
def test_entries_are_added_up_from_the_time_in_each_stage(form):
    table, truth = deals(form, FORMS[form])
    pipeline = read(table, stages=[*STAGES, "Closed Won"])
    events = pipeline.events[pipeline.events["stage"].astype(str) != pipeline.model.won_stage]
    created = events["deal_id"].map(pipeline.deals.set_index("deal_id")["created_at"])
    days = ((events["entered_at"] - created) / pd.Timedelta(days=1)).groupby(events["deal_id"]).apply(list)
    assert {deal: [round(day) for day in found] for deal, found in days.items()} == truth
    assert "times_in_stages" in rules(pipeline)
    assert {"dates_from_durations", "stage_of_loss_unknown"} & {limit.code for limit in pipeline.limits} == {
        "dates_from_durations"
    }
    assert not any("停留" in name or "ime" in name for name in pipeline.deals)


def test_what_has_no_unit_or_adds_up_to_more_than_a_life_is_kept_and_said():
    table, _ = deals("Time in {}", str)
    told = read(table.drop(columns="Record ID").assign(ID=range(24)), stages=[*STAGES, "Won"], preset="generic")
    assert "time_without_unit" in rules(told) and "Time in Contract Sent" in told.deals
    table, _ = deals("Time in {} (days)", lambda days: str(24 * days))
    told = read(table, stages=[*STAGES, "Won"])
    assert "time_too_long" in rules(told) and not (told.events["source"] == "wide").any()


def test_a_deal_that_returned_or_was_in_a_stage_unknown_gets_no_dates():
    table, _ = deals("Days in {}", str, n=12)
    table["Days in Legal"] = [3 if row == 0 else None for row in range(12)]
    table.loc[2, ["Deal Stage", "Close Date"]] = ["Appointment Scheduled", ""]
    table.loc[2, [f"Days in {name}" for name in STAGES[:2]]] = ["2", "3"]
    pipeline = read(table, stages=[*STAGES, "Won"])
    dated = pipeline.events[pipeline.events["source"] == "wide"].groupby("deal_id").size()
    assert "0" not in dated and dated["2"] == 1 and dated["3"] == 4
