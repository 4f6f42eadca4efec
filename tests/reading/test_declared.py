"""Declared outcomes of a log of activities: check, count and report give won, lost and open as they are declared."""

import json
from collections import Counter
from datetime import datetime, timedelta
from random import Random

import pandas as pd
import pytest

from funnelkit import cli
from funnelkit.reading import read

STEPS = ["A_SUBMITTED", "A_PREACCEPTED", "A_ACCEPTED", "A_FINALIZED"]
AFTER = ["A_REGISTERED", "A_ACTIVATED"]
WORK = ["W_Complete", "W_Call", "W_Check"]
LOST = ["A_DECLINED", "A_CANCELLED"]
DECLARED = {"won": "A_APPROVED", "lost": ",".join(LOST)}
OPTIONS = [word for name, value in DECLARED.items() for word in (f"--{name}", value)]


def log_of(seed, work=False, gap_s=60, n=240):
    """Return (the rows of a log, {case: what became of it}): applications, their ends, and work before and after."""
    rng, rows, truth = Random(seed), [], {}
    for case in range(n):
        at = datetime(2026, 1, 1) + timedelta(minutes=rng.randrange(120 * 1440))
        path = STEPS[: 1 + next((k for k, go in enumerate((0.7, 0.75, 0.9)) if rng.random() > go), 3)]
        ends = ["A_APPROVED", "A_APPROVED", None] if len(path) == len(STEPS) else [None]
        end = rng.choice([*ends, *LOST])
        truth[f"{case}"] = "open" if end is None else "won" if end == "A_APPROVED" else "lost"
        for name in [*path, *([end] if end else [])]:
            at += timedelta(minutes=rng.randint(60, 8000))
            rows.append((f"{case}", name, at))
            if name == "A_APPROVED":
                moments = [at + timedelta(seconds=gap_s * k) for k in (1, 2)]
                rows += [(f"{case}", after, moment) for after, moment in zip(AFTER, moments, strict=True)]
            if work:
                more = (rng.choice(WORK) for _ in range(rng.randint(1, 3)))
                rows += [(f"{case}", what, at + timedelta(minutes=9 + k)) for k, what in enumerate(more)]
    rng.shuffle(rows)
    frame = pd.DataFrame(rows, columns=["CaseID", "ActivityID", "CompleteTimestamp"])
    return frame if not gap_s else frame.sort_values("CompleteTimestamp", kind="stable"), truth


def statuses(pipeline):
    return dict(zip(pipeline.deals["deal_id"], pipeline.deals["status"], strict=True))


@pytest.mark.parametrize("work", [False, True])
@pytest.mark.parametrize("gap_s", [0, 60], ids=["at once", "later"])
def test_a_log_is_won_lost_and_open_as_declared(work, gap_s):
    for seed in range(3):
        log, truth = log_of(seed, work, gap_s)
        pipeline = read(log, **DECLARED)
        assert statuses(pipeline) == truth and pipeline.rows.good == len(log)
        told = {finding.rule for finding in pipeline.findings}
        assert "reopened" not in told and ("goes_on_ended" in told) == work
        if gap_s and not work:
            assert list(pipeline.model.stage_ids) == [*STEPS, "A_APPROVED", *AFTER]
        ended = pipeline.deals.set_index("deal_id")["closed_at"]
        declared = log[log["ActivityID"].isin(["A_APPROVED", *LOST])].set_index("CaseID")["CompleteTimestamp"]
        assert ended.dropna().to_dict() == declared.to_dict()


def test_a_history_of_stages_whose_few_deals_are_reopened_keeps_them_open():
    rows = [(case, name, day) for case in range(9) for day, name in enumerate(("Lead", "Offer", "Signed"), 1)]
    frame = pd.DataFrame([*rows, (3, "Offer", 9)], columns=["deal_id", "stage", "entered_at"])
    frame["entered_at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(frame["entered_at"], unit="D")
    pipeline = read(frame, won="Signed")
    assert statuses(pipeline) == {str(case): "open" if case == 3 else "won" for case in range(9)}
    assert "reopened" in {finding.rule for finding in pipeline.findings}


@pytest.fixture
def file(tmp_path):
    log, truth = log_of(5, work=True)
    log.to_csv(tmp_path / "log.csv", index=False, date_format="%Y/%m/%d %H:%M:%S.000")
    return tmp_path / "log.csv", Counter(truth.values())


def test_count_gives_them_too_also_from_a_mapping_file(file, tmp_path, capsys):
    path, truth = file
    (tmp_path / "m.toml").write_text(
        f'model = "industrial-8"\nwon = "{DECLARED["won"]}"\nlost = "{DECLARED["lost"]}"\n', encoding="utf-8"
    )
    command = ["count", str(path), "--steps", ",".join(STEPS), "--json", "--id", "CaseID", "--stage", "ActivityID"]
    command += ["--at", "CompleteTimestamp"]
    for more in (OPTIONS, ["--mapping", str(tmp_path / "m.toml")]):
        assert cli.main([*command, *more]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert rows[-1]["step"] == "A_APPROVED" and rows[-1]["n_entered"] == truth["won"]
        assert (sum(row["n_lost"] for row in rows), sum(row["n_open"] for row in rows)) == (
            truth["lost"], truth["open"],
        )  # fmt: skip


@pytest.mark.slow
def test_a_report_gives_them_too(file, tmp_path, capsys):
    path, truth = file
    assert cli.main(["report", "--data", str(path), *OPTIONS, "--out", str(tmp_path / "out")]) == 0
    figures = json.loads((tmp_path / "out" / "latest" / "summary.json").read_text(encoding="utf-8"))["figures"]
    assert {kind: figures[f"n_{kind}"] for kind in ("won", "lost", "open")} == dict(truth)
