"""Messages of a webhook about changes of deals tell the history of their stages, whatever else they are about."""

import copy
import io
import json

import pandas as pd
import pytest

from funnelkit.reading.read import read
from tests.reading.test_systems import retold
from tests.support.writers import systems

NAMES = ("10", "11", "12", "13", "Won")


def lines(messages):
    return io.BytesIO("".join(json.dumps(message) + "\n" for message in messages).encode())


def messages(version=2, n_deals=120):
    truth = retold(NAMES, n_deals)
    return truth, systems.pipedrive_messages(truth, version)["webhook.jsonl"]


def state(message):
    return message.get("data") or message.get("current")


def change(message, at, **fields):
    """Return a message of version 2 about a further change, `at` so many days after this one."""
    after = copy.deepcopy(message)
    time = (pd.Timestamp(state(message)["update_time"]) + pd.Timedelta(days=at)).strftime("%Y-%m-%dT%H:%M:%SZ")
    after["meta"] |= {"action": "change", "timestamp": time}
    after["previous"] = {name: state(message).get(name) for name in fields}
    after["data"] |= {**fields, "update_time": time}
    return after


def same(found, wanted):
    pd.testing.assert_frame_equal(found.events, wanted.events)
    columns = ["deal_id", "status", "amount", "created_at", "closed_at", "lost_reason", "owner"]
    pd.testing.assert_frame_equal(found.deals[columns], wanted.deals[columns])


@pytest.mark.parametrize("version", [1, 2])
def test_the_history_and_the_outcomes_come_back(version):
    truth, sent = messages(version)
    pipeline = read(lines(sent))
    assert pipeline.rows.good == len(sent) and [limit.code for limit in pipeline.limits] == ["unmoved_deals_missing"]
    assert pipeline.deals["status"].value_counts().to_dict() == truth.deals["status"].value_counts().to_dict()
    columns = ["amount", "owner", "account", "closed_at", "lost_reason"]
    found = pipeline.deals.set_index(pipeline.deals["deal_id"].astype(int))[columns].sort_index()
    wanted = truth.deals.assign(closed_at=truth.deals["closed_at"].dt.floor("s"))[columns]
    assert found.reset_index(drop=True).astype("object").equals(wanted.astype("object"))
    names = dict(zip(truth.labels, pipeline.model.stage_ids, strict=True))
    place = {deal: str(number) for number, deal in enumerate(truth.deals["deal_id"], 1)}
    entries = truth.events.assign(
        deal_id=truth.events["deal_id"].map(place), stage=truth.events["stage"].map(names),
        entered_at=truth.events["entered_at"].dt.floor("s"),
    )  # fmt: skip
    columns = ["deal_id", "entered_at", "stage"]
    found = pipeline.events.assign(stage=pipeline.events["stage"].astype(str))[columns]
    pd.testing.assert_frame_equal(
        found.sort_values(columns, ignore_index=True), entries[columns].sort_values(columns, ignore_index=True),
        check_dtype=False,
    )  # fmt: skip


@pytest.mark.parametrize("version", [1, 2])
def test_messages_in_any_order_about_others_or_sent_twice_or_flattened_tell_the_same(version):
    _, sent = messages(version)
    wanted = read(lines(sent))
    same(read(lines(sent[::-1])), wanted)
    about = sent[0]["meta"] | {"object" if version == 1 else "entity": "person", "id": 900}
    person = {**sent[0], "meta": about, ("current" if version == 1 else "data"): {"id": 1, "name": "Ann", "org_id": 7}}
    mixed = read(lines([person, *sent, person]))
    same(mixed, wanted)
    assert mixed.rows.ignored == 2
    same(read(lines([*sent, *sent[:9]])), wanted)
    same(read(io.BytesIO(pd.json_normalize(sent).to_csv(index=False).encode())), wanted)


def test_the_first_message_kept_of_an_old_deal_tells_since_when_it_stands_there():
    _, sent = messages()
    moved = next(m for m in sent if m["previous"] and "stage_id" in m["previous"] and state(m)["status"] == "open")
    others = [m for m in sent if state(m)["id"] != state(moved)["id"]]
    pipeline = read(lines([change(moved, 40, title="Anew"), *others]))
    first = pipeline.events[pipeline.events["deal_id"] == str(state(moved)["id"])].iloc[0]
    assert first["entered_at"] == pd.Timestamp(state(moved)["stage_change_time"]).tz_localize(None)
    assert first["stage"] == str(state(moved)["stage_id"])


def test_a_deal_lost_and_open_again_is_open_and_one_deleted_is_void():
    _, sent = messages()
    lost = [m for m in sent if state(m)["status"] == "lost" and "status" in m["previous"]]
    last = {state(m)["id"]: m for m in sent}
    again, gone = (last[state(m)["id"]] for m in lost[:2])
    reopened = change(again, 3, status="open", lost_time=None, close_time=None, lost_reason=None)
    richer = change(reopened, 1, value=7)
    deleted = {**change(gone, 3), "previous": state(gone), "data": None}
    deleted["meta"]["action"] = "delete"
    deals = read(lines([*sent, reopened, richer, deleted])).deals.set_index("deal_id")
    open_again, void = deals.loc[str(state(again)["id"])], deals.loc[str(state(gone)["id"])]
    assert (open_again["status"], open_again["amount"]) == ("open", 7) and pd.isna(open_again["closed_at"])
    assert void["status"] == "void"
