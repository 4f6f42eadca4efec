"""Checks of the first page: two small answers to learn how checks speak."""

from funnelkit.course.checks import check_number


def check_entered(answer, counts):
    """Judge how many entered the first stage."""
    wrong = [(counts["n_entered"].iloc[-1], "entered_last"), (counts["n_entered"].sum(), "entered_sum")]
    return check_number(answer, counts["n_entered"].iloc[0], wrong, tolerance=1e-9)


def check_decided(answer, counts):
    """Judge how many of the first stage have gone on or were lost."""
    first = counts.iloc[0]
    wrong = [
        (first["n_entered"], "decided_with_open"),
        (first["n_advanced"], "decided_half"),
        (first["n_lost"], "decided_half"),
    ]
    return check_number(answer, first["n_advanced"] + first["n_lost"], wrong, tolerance=1e-9)
