"""Checks of the lesson on what a funnel is."""

from math import ceil

from funnelkit.course.checks import check_number, result


def check_share(answer, entered):
    """Judge the share of those in the third stage who reached the last."""
    wrong = [
        (entered[-1] / entered[0], "share_of_first"),
        (100 * entered[-1] / entered[2], "share_in_percent"),
        (entered[2] / entered[-1], "share_turned"),
        (entered[3] / entered[2], "share_one_step"),
    ]
    return check_number(answer, entered[-1] / entered[2], wrong)


def check_list(answer, entered, wanted):
    """Judge how many must enter for `wanted` at the end, in whole people."""
    need = wanted * entered[0] / entered[-1]
    wrong = [
        (need, "list_not_whole"),
        (int(need), "list_not_whole"),
        (wanted * entered[-1] / entered[0], "list_turned"),
    ]
    return check_number(answer, ceil(need), wrong, tolerance=1e-9)


def check_bottleneck(answer, rates):
    """Judge the stage of the lowest rate; those that tie are all right."""
    if answer is None:
        return result("empty")
    known = rates.dropna(subset="rate").set_index("stage")["rate"]
    if answer not in known.index:
        return result("level_unknown", known=", ".join(map(str, known.index)))
    if known[answer] == known.min():
        return result("right")
    return result("bottleneck_loss" if known.index[0] == answer else "bottleneck_other")
