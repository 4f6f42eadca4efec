"""A plain-Python reference of ordered rules: try every event for every step. Small, slow, and written apart."""


def deepest(events, steps, rule):
    """Return the depth of the deepest chain of one entity's events [(at_us, name, held value)]."""
    rank = {name: steps.index(name) for name in steps}
    log = sorted((at, rank[name], held, place) for place, (at, name, held) in enumerate(events) if name in rank)
    windows = rule.windows_us(len(steps) - 1)
    excluded = [at for at, name, _ in events if name in rule.exclude]

    def fits(chain, event):
        (at, _, held, place), last = event, chain[-1]
        if rule.hold and held != last[2]:
            return False
        if rule.once and any(place == used[3] for used in chain):
            return False
        if rule.gap is not None and at - last[0] < rule.gap.total_seconds() * 1e6:
            return False
        if rule.ties == "progress" and (
            (at, event[1], place) < (last[0], last[1], last[3]) if rule.once else at < last[0]
        ):
            return False
        if (rule.ties == "strict" and at <= last[0]) or (rule.ties == "grace" and at < last[0] - rule.grace_s * 1e6):
            return False
        if rule.exclusion == "keep" and any(min(last[0], at) <= x < max(last[0], at) for x in excluded):
            return False
        since = last[0] if rule.window_from == "previous" else chain[0][0]
        return windows is None or at - since <= windows[len(chain) - 1]

    def extend(chain):
        if len(chain) == len(steps):
            return len(chain)
        wanted = rank[steps[len(chain)]]
        return max([len(chain), *(extend([*chain, e]) for e in log if e[1] == wanted and fits(chain, e))])

    starts = [event for event in log if event[1] == rank[steps[0]]]
    if rule.reentry == "first":
        firsts = {}
        for event in starts:
            firsts.setdefault(event[2] if rule.hold else None, event)
        starts = list(firsts.values())
    return max((extend([start]) for start in starts), default=0)
