"""Round trip: one synthetic truth through each system's layout comes back, except exactly what the limits say."""

import pandas as pd
import pytest

from funnelkit.pipeline import DEAL_COLUMNS
from funnelkit.reading.read import read
from tests.support.writers import LOSSES, chinese, generic, hubspot, make_truth, salesforce, systems


def odoo_default(truth):
    """Write Odoo's default export: what is archived, and so what is lost, stays out of it."""
    return systems.odoo(truth, archived=False)


# Systems that know no third exit never held void deals: their truth has none.
WRITERS = {
    salesforce.opportunity: False, salesforce.opportunity_history: False, salesforce.opportunity_with_history: False,
    salesforce.opportunity_with_field_history: False, salesforce.field_history: False, salesforce.history_report: False,
    hubspot.pages: False, hubspot.api: False, systems.pipedrive: False, systems.pipedrive_api: False,
    systems.odoo: False, odoo_default: False, systems.zoho: False, chinese.fxiaoke: True,
    chinese.fxiaoke_labels: True, chinese.neocrm: False, systems.frappe: False, systems.suitecrm: False,
    systems.business_central: False, generic.wide: True, generic.long: False, generic.long_with_deals: True,
}  # fmt: skip
LAYOUTS = [pytest.param(writer, voids, id=writer.__name__) for writer, voids in WRITERS.items()]


def _read(export, folder):
    paths = []
    for name, table in export.tables.items():
        paths.append(folder / name)
        table.to_csv(paths[-1], index=False, encoding="utf-8")
    stages = export.stages or list(export.labels)
    return read(*paths, preset=export.preset, stages=stages, as_of=export.as_of)


def _same(found, expected, what):
    """Hold two aligned columns equal, blanks being equal to blanks."""
    found, expected = found.astype(object), expected.astype(object)
    blank = found.isna() & expected.isna()
    wrong = ~((found == expected) | blank)
    shown = pd.DataFrame({"found": found[wrong], "truth": expected[wrong]}).head(5)
    assert not wrong.any(), f"{what}: {wrong.sum()} of {len(wrong)} differ\n{shown}"


def _times(column, name, export):
    times = pd.to_datetime(column)
    return times.dt.floor("D") if name in export.day else times


def _check_deals(pipeline, export):
    """Hold each column that the format carries equal to the truth, and each other column empty."""
    found = pipeline.deals.set_index("deal_id").sort_index()
    truth = export.deals.set_index("deal_id").sort_index()
    assert found.index.tolist() == truth.index.tolist()
    for column in set(DEAL_COLUMNS) - {"deal_id"}:
        if column not in truth:
            empty = found[column].isna() | (found[column].astype(str) == "")
            assert empty.all(), f"{column} is invented: {found[column][~empty].head(3).tolist()}"
        elif column in ("created_at", "closed_at", "expected_close"):
            _same(_times(found[column], column, export), _times(truth[column], column, export), column)
        else:
            _same(found[column], truth[column], column)


def _in_order(events, export):
    times = _times(events["entered_at"], "entered_at", export)
    rows = pd.DataFrame({"deal_id": events["deal_id"], "stage": events["stage"].astype(str), "entered_at": times})
    return rows.sort_values(["deal_id", "entered_at", "stage"], ignore_index=True)


def _check_events(pipeline, export):
    """Hold the entries into stages equal to those of the truth that the format carries."""
    names = dict(zip(export.labels, pipeline.model.stage_ids, strict=True))
    truth = export.events.assign(stage=export.events["stage"].map(names))
    found = pipeline.events[pipeline.events["entered_at"].notna() | ("history" not in export.source)]
    found = found[found["deal_id"].isin(truth["deal_id"])]
    pd.testing.assert_frame_equal(_in_order(found, export), _in_order(truth, export), check_dtype=False)
    assert set(found["source"]) <= set(export.source)


def _check_standing(pipeline, export):
    """Hold the stage in which each deal stands equal to the truth, where the format tells it."""
    names = dict(zip(export.labels, pipeline.model.stage_ids, strict=True))
    events = pipeline.events
    won = events["deal_id"].isin(pipeline.deals.loc[pipeline.deals["status"] == "won", "deal_id"])
    last = events.groupby("deal_id")["stage"].last().astype(str)  # entries without a time stand last ...
    last.update(events[won].groupby("deal_id")["stage"].max().astype(str))  # ... yet a won deal stands in the win
    known = export.standing.loc[export.deals.loc[export.deals["status"].isin(export.known_stage), "deal_id"]]
    _same(last.reindex(known.index), known.map(names), "stage in which deals stand")
    assert not (pipeline.events["source"] == "history").any(), "entries are called a history that is not there"


@pytest.mark.parametrize(("writer", "voids"), LAYOUTS)
def test_what_a_layout_carries_comes_back_and_its_limits_name_the_rest(writer, voids, tmp_path):
    export = writer(make_truth(voids=voids))
    pipeline = _read(export, tmp_path)
    faults = [item.message() for item in pipeline.findings if item.severity == "error"]
    assert pipeline.rows.quarantined == 0, faults[:3]
    assert pipeline.rows.rows_in == sum(map(len, export.tables.values()))
    _check_deals(pipeline, export)
    if export.events is None:
        _check_standing(pipeline, export)
    else:
        _check_events(pipeline, export)
    assert {limit.code for limit in pipeline.limits} == {LOSSES[loss] for loss in export.losses}


def test_counts_come_back_and_are_all_there_is(tmp_path):
    truth = make_truth(voids=False)
    table = generic.counts(truth)
    table.to_csv(tmp_path / "counts.csv", index=False)
    pipeline = read(tmp_path / "counts.csv", layout="counts", stages=list(truth.labels), as_of=truth.as_of)
    counts = pipeline.counts.set_index(pipeline.counts["stage"].astype(str)).loc[list(pipeline.model.stage_ids)]
    for column in ("n_entered", "n_lost", "n_open"):
        assert counts[column].tolist() == table[column].tolist()
    assert len(pipeline.deals) == 0
