"""Writers of vendors' export layouts from one synthetic truth, made from the public column lists of those systems.

Each writer takes a Truth and returns an Export: the tables as the system would hand them out, how they are to be
read, what must come back, and what the format loses. The readers are not consulted, so the two check each other.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnelkit.synth.generate import synthesize

# What a format can lose, in the words of these writers, and the limit by which a reader must say so.
LOSSES = {
    "log of moves": "no_history",
    "revisits": "one_date_per_stage",
    "outcome": "no_outcome",
    "lost deals": "no_lost_deals",
    "open deals": "no_open_deals",
    "stage of loss": "stage_of_loss_unknown",
    "amount": "no_amount",
    "owner": "no_owner",
    "start": "first_entry_untimed",
    "start of open deals": "untimed_deals",
    "closes": "untimed_closes",
    "hours": "days_only",
    "order": "dates_from_durations",
    "unmoved deals": "unmoved_deals_missing",
}


# What a log of changes alone does not tell.
LOG_ALONE = frozenset({"amount", "owner", "start", "start of open deals", "unmoved deals"})


@dataclass(frozen=True)
class Truth:
    """What happened: deals (with the stage each stands in) and every entry into a stage, as of one day."""

    deals: pd.DataFrame
    events: pd.DataFrame
    labels: tuple[str, ...]  # of the model's stages; the last is the win
    as_of: pd.Timestamp

    def with_ids(self, make):
        """Return the truth with `make(number)` for ids, number counting deals from 0."""
        ids = {old: make(number) for number, old in enumerate(self.deals["deal_id"])}
        swap = {"deal_id": lambda table: table["deal_id"].map(ids)}
        return Truth(self.deals.assign(**swap), self.events.assign(**swap), self.labels, self.as_of)

    def with_stages(self, names):
        """Return the truth with other names for its stages, in the order of the labels."""
        names = dict(zip(self.labels, names, strict=True))
        swap = {"stage": lambda table: table["stage"].map(names)}
        return Truth(self.deals.assign(**swap), self.events.assign(**swap), tuple(names.values()), self.as_of)

    def spells(self):
        """Return each stay in a stage: deal_id, stage, entered_at, left_at (NaT while there), next stage (or None).

        A lost or void deal leaves its last stage when it is closed; a won deal does not leave the winning stage.
        """
        rows = self.events.merge(self.deals[["deal_id", "status", "closed_at"]], on="deal_id", sort=False)
        group = rows.groupby("deal_id", sort=False)
        rows["left_at"], rows["next"] = group["entered_at"].shift(-1), group["stage"].shift(-1)
        dropped = rows["next"].isna() & rows["status"].isin(["lost", "void"])
        rows.loc[dropped, "left_at"] = rows["closed_at"]
        return rows


@dataclass(frozen=True)
class Export:
    """Tables as a system exports them, in reading order, and what must come back from them.

    `deals` and `events` are the truth as far as this format can carry it. Columns of `deals` that are not there must
    come back empty. `events` is None where there is no history. `day` names date columns that hold whole days only.
    """

    tables: dict
    deals: pd.DataFrame
    events: pd.DataFrame | None = None
    losses: frozenset | set = frozenset()
    preset: str | None = None
    stages: object = None  # as given to the reader; None: the labels
    day: tuple = ()
    source: tuple = ("history",)  # that the entries may name
    known_stage: tuple = ("open", "won", "lost", "void")  # statuses whose last stage the format tells
    labels: tuple = ()  # of the stages, in the model's order
    standing: pd.Series | None = None  # by deal_id: the stage in which the deal stands at the end
    as_of: pd.Timestamp | None = None


def make_truth(seed=7, n_deals=300, voids=True):
    """Return a truth: moves back, skipped records, bursts of losses, and deals closed as neither won nor lost."""
    made = synthesize("b2b-8", seed, n_deals=n_deals, void_share=0.03 if voids else 0.0, back_share=0.12)
    labels = tuple(row["label"] for row in made.truth["stages"])
    events = made.events[["deal_id", "stage", "entered_at"]]
    return Truth(made.deals, events, labels, made.as_of)


def told(truth):
    """Return what each Export says of its truth's stages."""
    return {"labels": truth.labels, "standing": truth.deals.set_index("deal_id")["stage"], "as_of": truth.as_of}


def come_back(truth, columns, **other):
    """Return the deals' columns that a format carries, with `other` columns put in."""
    return truth.deals[["deal_id", "status", *columns]].assign(**other)


def iso(times, form="%Y-%m-%dT%H:%M:%S.000Z"):
    """Return times as text, blank where there is none."""
    return times.dt.strftime(form).where(times.notna(), "").fillna("")


def stamp(times):
    """Return times as `2024-01-21 13:10:38`."""
    return iso(times, "%Y-%m-%d %H:%M:%S")


def day(times):
    """Return times as `2024-01-21`."""
    return iso(times, "%Y-%m-%d")


def epoch_ms(times):
    """Return times as milliseconds since 1970 in UTC, as text."""
    whole = times.dropna().astype("datetime64[ms]").astype("int64").astype(str)
    return whole.reindex(times.index).fillna("")


def plain(amounts):
    """Return amounts as `339800.00`."""
    return amounts.map("{:.2f}".format).astype(str)


def numbered(names, form):
    """Return an invented id for each name, the same name the same id: a system's foreign key."""
    codes, _ = pd.factorize(names, sort=True)
    return pd.Series([form.format(code + 1) for code in codes], index=names.index, dtype="str")


def only_open(truth, column="expected_close"):
    """Return a date that the system keeps for open deals only: closing a deal overwrites it."""
    return truth.deals[column].where(truth.deals["status"] == "open")


def close_or_expected(truth):
    """Return the one close date of systems with a single field: when it was closed, else when that is expected."""
    return truth.deals["closed_at"].where(truth.deals["status"] != "open", truth.deals["expected_close"])


def shuffled(table, seed=3):
    """Return the rows in another order: no export promises one."""
    return table.iloc[np.random.default_rng(seed).permutation(len(table))].reset_index(drop=True)
