"""Checks of the lesson on the industrial eight-step."""

from funnelkit.analysis import VERDICTS, check_gates
from funnelkit.course.checks import check_number, result
from funnelkit.planning import allocate


def check_gain(answer, rows, state):
    """Judge the expected value that one hour gains in `state`; `rows` are states with their cost."""
    row = rows.set_index("state").loc[state]
    deals, chance = row["n_valued"], row["win_probability_after"] - row["win_probability"]
    gain = row["value_open"] * chance / deals / row["cost"]
    wrong = [
        (gain * deals, "gain_of_all"),
        (gain * row["cost"], "gain_per_deal"),
        (gain * deals * row["cost"], "gain_of_all"),
        (row["value_open"] * row["win_probability_after"] / deals / row["cost"], "gain_not_difference"),
        (row["value_open"] * row["win_probability"] / deals / row["cost"], "gain_not_difference"),
        (-gain, "gain_sign"),
    ]
    return check_number(answer, gain, wrong)


def check_price_of_least(answer, rows, budget, least):
    """Judge what a minimum for the first state costs in expected value."""
    bound = rows.assign(least=[least, *[0.0] * (len(rows) - 1)])
    free, held = (allocate(table, budget)["value_won_more"].sum() for table in (rows, bound))
    wrong = [(held - free, "price_sign"), (held, "price_is_total"), (free, "price_is_total")]
    return check_number(answer, free - held, wrong)


def check_verdicts(answer, evidence, model):
    """Judge {deal_id: verdict} against the gate rule, deal by deal; the first wrong one is named."""
    right = check_gates(evidence, model).set_index("deal_id")
    if not answer or (isinstance(answer, dict) and not any(answer.values())):
        return result("empty")
    if not isinstance(answer, dict):
        return result("no_dict", found=type(answer).__name__)
    for deal in right.index:
        if deal not in answer or answer[deal] is None:
            return result("deal_missing", deal=deal)
        given, verdict = str(answer[deal]).strip().lower(), right.at[deal, "verdict"]
        if given not in VERDICTS:
            return result("no_verdict", deal=deal, known=", ".join(VERDICTS))
        if given != verdict:
            return result(f"{verdict}_not_{given}", deal=deal)
    extra = [str(deal) for deal in answer if deal not in right.index]
    return result("deal_unknown", deal=extra[0]) if extra else result("right")
