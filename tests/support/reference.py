"""A plain-Python reference of ordered rules: try every event for every step. Small, slow, and written apart."""

from dataclasses import replace


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


def optional_made(events, steps, rule):
    """Return (depth, optional steps made) of one entity."""
    path, _ = made_path(events, steps, rule)
    made = {step for step, at in zip(steps, path, strict=True) if at is not None}
    return len(made - set(rule.optional)), made & set(rule.optional)


def made_path(events, steps, rule):
    """Return ([when each step was made, None where it was not], when the last of its windows ends) of one entity.

    Every chain of the steps that are not optional is tried, and one is chosen.
    """
    needed = [step for step in steps if step not in rule.optional]
    ordered = replace(rule, optional=())
    logged = [(at, needed.index(name), held, place) for place, (at, name, held) in enumerate(events) if name in needed]
    excluded = [at for at, name, _ in events if name in rule.exclude and rule.exclusion == "keep"]
    windows = rule.windows_us(len(needed) - 1)
    begun = {}  # (level, event): the latest start of a chain that comes to it

    def key(event):
        return event[0], event[1], event[3]

    def extend(chain):
        level = len(chain)
        begun[level, chain[-1]] = max(begun.get((level, chain[-1]), chain[0]), chain[0], key=key)
        for event in logged:
            if level < len(needed) and event[1] == level and follows(chain, event, ordered, excluded):
                since = chain[-1] if rule.window_from == "previous" else chain[0]
                if windows is None or event[0] - since[0] <= windows[level - 1]:
                    extend([*chain, event])

    starts = sorted((event for event in logged if event[1] == 0), key=key)
    if rule.reentry == "first":
        starts = list({event[2] if rule.hold else None: event for event in reversed(starts)}.values())
    for event in starts:
        extend([event])
    depth = max((level for level, _ in begun), default=0)
    if not depth:
        return [None] * len(steps), None
    ends = [event for level, event in begun if level == depth]
    through = depth == len(needed)

    def preferred(event):
        moment = -event[0] if through else event[0]
        within = (event[1], event[3])
        return moment, event[2] if rule.hold else "", tuple(-part for part in within) if through else within

    start = begun[depth, max(ends, key=preferred)]
    chosen = [(level, event) for (level, event), since in begun.items() if since == start]
    path = [min((event for at, event in chosen if at == level), key=key) for level in range(1, depth + 1)]
    slack = {"strict": -1, "grace": rule.grace_s * 1e6}.get(rule.ties, 0) if rule.gap is None else 0
    times = {step: event[0] for step, event in zip(needed, path, strict=False)}
    for name in rule.optional:
        before = sum(step not in rule.optional for step in steps[: steps.index(name)])
        if depth < before:
            continue
        since = path[before - 1][0]
        if depth > before:
            until = path[before][0] + slack
        else:
            opened = since if rule.window_from == "previous" else start[0]
            until = float("inf") if windows is None else opened + windows[min(before, len(needed) - 1) - 1]
            until = min([until, *(at for at in excluded if at >= since)])
        own = [at for at, what, value in events if what == name and (not rule.hold or value == start[2])]
        if fits := [at for at in own if since - slack <= at <= until]:
            times[name] = min(fits)
    levels = range(1, len(needed)) if rule.window_from == "previous" else (1,)
    running = [event[0] + windows[level - 1] for level, event in begun if level in levels] if windows else [None]
    return [times.get(step) for step in steps], max(running)


def follows(chain, event, rule, excluded):
    """Return whether an event may come next in a chain, its window apart."""
    (at, _, held, place), last = event, chain[-1]
    if rule.hold and held != last[2]:
        return False
    if rule.gap is not None and at - last[0] < rule.gap.total_seconds() * 1e6:
        return False
    if rule.ties == "progress" and (at, event[1], place) < (last[0], last[1], last[3]):
        return False
    if (rule.ties == "strict" and at <= last[0]) or (rule.ties == "grace" and at < last[0] - rule.grace_s * 1e6):
        return False
    return not any(min(last[0], at) <= x < max(last[0], at) for x in excluded)
