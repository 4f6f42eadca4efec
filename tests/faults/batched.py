"""Do the faults within batches: an old report in place of each, good reports before and after."""

import json
import shutil
import sys
from dataclasses import replace

from harness import GRACE_S, Bench, Kit, block, hashes, inflict, rights, survivors, template

BEFORE, AFTER = "good before", "good after"


def groups(faults):
    """Return lists of faults: those that cells cause together by their deadline, each of the others alone."""
    cells = [fault for fault in faults if not fault.to_command]
    limits = dict.fromkeys(fault.deadline_s for fault in cells)
    together = [[fault for fault in cells if fault.deadline_s == limit] for limit in limits]
    return [*together, *([fault] for fault in faults if fault.to_command)]


class Batch(Kit):
    """`funnelkit batch`."""

    name = "funnelkit in a batch"

    @staticmethod
    def command(plan, out, fault):
        retry = ["--retry"] if fault.name == "retry" else []
        jobs = "1" if fault.to_command else "4"
        words = ["batch", str(plan), "--out", str(out), "--jobs", jobs, "--lang", "en", *retry]
        return [sys.executable, "-m", "funnelkit", *words]


class BatchBench(Bench):
    """A batch of these faults between good reports; where the command is the victim, the fault comes first."""

    patience_s = 600

    def __init__(self, good, faults):
        super().__init__(Batch, good, faults[0])
        self.faults = {fault.named or f"fault {i}": fault for i, fault in enumerate(faults)}
        self.alone = faults[0].to_command
        self.names = [*self.faults, AFTER] if self.alone else [BEFORE, *self.faults, AFTER]

    def furnish(self):
        reports = []
        for name in self.names:
            shutil.copytree(self.good, self.out / name, symlinks=True)
            if name in self.faults and self.faults[name].latest_is_folder:
                block(Kit, self.out / name)
            report = {"name": name, "template": str(self._template(name, self.faults.get(name)))}
            given = self.faults[name].parameters if name in self.faults else ()
            reports.append(report | {"parameters": dict(pair.rsplit("=", 1) for pair in given)})
        self.reports = reports
        self.lay_tools()
        self.notebook = self._plan("plan", reports, self.fault)

    def _template(self, name, fault=None):
        cells, spec = (fault.cells, fault.kernelspec) if fault else (("1",), "python3")
        tags = bool(fault and fault.null_tags)
        return template(self.home / f"{name}.ipynb", cells, self.out / name, spec, self.out, tags)

    def _plan(self, name, reports, fault):
        plan = {"reports": reports, "deadline_s": fault.deadline_s, "pdf": fault.half_pdf}
        plan |= {"memory_mb": fault.memory_mb} if fault.memory_mb is not None else {}
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in plan.items()]
        text = fault.parameter_file + "".join(lines)
        for named in filter(None, (fault.named for fault in self.faults.values())):
            text = text.replace(json.dumps(named), named)  # as people write names: without quotes
        path = self.home / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def retry(self):
        """Take the causes away, as somebody would, and run what failed again; return the exit code."""
        self.heal()
        for name in self.names:
            self._template(name)
        plan = self._plan("calm", [{**report, "parameters": {}} for report in self.reports], self.fault.healed)
        return self.start(plan, replace(self.fault.healed, name="retry")).wait(600)


def judge_batch(good, faults):
    """Do faults to a batch; return {name of a fault: {check: True or what was wrong}}."""
    with BatchBench(good, faults) as bench:
        before = {name: hashes(bench.out / name / "latest") for name in bench.names}
        codes, _, marked = inflict(bench)
        left = survivors(GRACE_S)
        tamed = bench.steering(bench.out.glob("**/*.html"))
        told = _entries(bench.out)
        found = {name: _judged(bench, name, before[name], told.get(name)) for name in bench.faults}
        common = {
            "exit code": _code_right(bench, codes) or f"{codes[:3]}",
            "nothing alive": left == 0 or f"{left} alive",
            "neighbours": _neighbours_right(bench, before, told),
        }
        if any(fault.parameters for fault in faults):
            common["no code run"] = not marked or "parameter ran as code"
        if bench.fault.umask is not None:
            common["rights"] = rights(Kit.published(bench.out / bench.names[0]), bench.fault.umask)
        if any(fault.tamed for fault in faults):
            common["tamed"] = tamed
        again = bench.retry()
        common["runs again"] = again == 0 or f"exit {again}, {bench.last_word()}"
        scraps = [scrap for name in bench.names for scrap in Kit.scraps(bench.out / name)]
        scraps += [*Kit.scraps(bench.out), *bench.temporary.glob("fk-*"), *bench.temporary.glob("*.json")]
        common["nothing left over"] = not scraps or scraps[0].name
    return {fault.name: found[name] | common for name, fault in bench.faults.items()}


def _entries(out):
    try:
        status = json.loads((out / "batch.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {report["name"]: report for report in status["reports"]}


def _judged(bench, name, before, entry):
    """Judge one report of the batch by its own status, the batch's entry and its old report."""
    fault, folder = bench.faults[name], bench.out / name
    own, found = Kit.told(folder), {}
    full = fault.free_kb is not None or fault.read_only
    gone = "removed" in fault.name
    nothing_begun = full or bool(fault.parameter_file)  # the plan was refused whole, or there was no room for a word
    right = own == fault.reason or (nothing_begun and own == "ok") or (gone and own is None)
    if entry is not None and not (gone and own is None):
        right = right and (entry["exit_code"], entry["reason"]) == (fault.code, fault.reason)
    elif not gone:  # the command was ended, or found no room to write its own status
        right = right and (bool(fault.signal) or nothing_begun or fault.starts > 1)
    found["record agrees"] = right or f"says {own}, {entry and (entry['exit_code'], entry['reason'])}"
    if gone:
        found["record agrees"] = entry["exit_code"] == fault.code or f"says {entry['exit_code']}"
    if entry is not None:
        over = entry["seconds"] - fault.deadline_s
        found["deadline"] = over <= GRACE_S or f"{over:.0f} s over"
    if fault.code and not gone:
        found["old report intact"] = hashes(folder / "latest") == before or "changed"
    return found


def _code_right(bench, codes):
    fault = bench.fault
    if fault.starts > 1:
        return all(code in (0, 16) for code in codes) and 0 in codes
    if fault.signal or fault.parameter_file:
        return codes == [fault.code]
    if fault.free_kb is not None or fault.read_only or fault.open_files is not None:
        return codes[0] in (1, 14)
    return codes == [int(any(fault.code for fault in bench.faults.values()))]


def _neighbours_right(bench, before, told):
    """The good reports are whole in every case, and new unless the command was ended or its disk was full."""
    fault = bench.fault
    limited = fault.free_kb is not None or fault.open_files is not None
    ended = fault.signal or limited or fault.read_only or fault.parameter_file
    for name in set(bench.names) - set(bench.faults):
        shown = hashes(bench.out / name / "latest")
        record = json.loads((bench.out / name / "latest" / "run.json").read_text(encoding="utf-8"))
        if any(shown.get(file) != known for file, known in record["outputs"].items()):
            return f"{name} is torn"
        if not ended and (shown == before[name] or told[name]["outcome"] != "ok"):
            return f"{name} was not made"
    return True
