# ruff: noqa: E501 (texts in two languages)
"""Rewrite the tables between `<!-- scoreboard:NAME -->` marks in README.md and README.zh.md.

Figures come from files that other programs write: benchmarks/SCORES.json (below), tests/faults/RESULTS.md,
benchmarks/RESULTS.md, REPORTS.md and EXPLORABLES.md. `--measure files` and `--measure worlds` run the tests of that
kind and write their part of SCORES.json; `--check` writes nothing and ends with 1 where a README is behind.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCORES = ROOT / "benchmarks" / "SCORES.json"
EDITIONS = {"en": ROOT / "README.md", "zh": ROOT / "README.zh.md"}
Pair = tuple[str, str]  # English, Chinese
Table = tuple[list[Pair], list[list[str | Pair]], Pair]  # heads, rows, a line below

FILES = {
    "test_a_hostile_table_is_answered_alike_in_every_container": (
        "hostile tables as CSV, Excel, Parquet and SQLite", "刁难用的表格，分别存为 CSV、Excel、Parquet、SQLite"),
    "test_a_hostile_file_is_answered": ("hostile files: encodings, bombs, torn archives", "刁难用的文件：编码、压缩炸弹、损坏的压缩包"),
    "test_deals_of_a_system_are_read_at_once": ("CRM exports, with no setting given", "CRM 导出文件，不给任何设置"),
    "test_events_of_a_system_are_read_at_once": ("event exports of analytics systems", "分析系统的事件导出"),
    "test_older_forms_are_read_at_once_or_ask_for_the_order_alone": ("older forms of such exports", "上述导出的旧格式"),
    "test_what_a_layout_carries_comes_back_and_its_limits_name_the_rest": (
        "layouts written from a known history and read back", "由已知历史写出、再读回的版式"),
    "test_awkward": ("sheets as people keep them: titles, merged cells, subtotals", "手工维护的表格：标题行、合并单元格、小计"),
}  # fmt: skip
SUITES = {
    "files": ("tests/reading/test_corpus.py", "tests/reading/test_awkward.py", "tests/reading/test_systems.py",
              "tests/reading/test_roundtrip.py"),
    "worlds": ("tests/analysis/test_win_rate.py::test_the_win_rate_is_the_truth",
               "tests/analysis/test_rates.py::test_stage_rates_are_the_truth",
               "tests/forecast/test_worlds.py::test_bands_hold_in_foreign_worlds"),
}  # fmt: skip
WORLDS = {
    "one year": "一年历史", "two years": "两年历史", "one year, intake doubled": "一年历史，新商机后来翻倍",
    "two years, intake doubled": "两年历史，新商机后来翻倍", "300 deals": "仅 300 单", "long tails": "停留时间长尾", "slow": "升迁周期长",
    "growing": "业务增长", "quarter end": "季末冲刺", "quarter_end": "季末冲刺", "constant": "各项恒定", "seasonal": "有季节性",
    "zombie": "有僵尸商机", "edited": "记录事后改过", "amount_mild": "大单略难赢", "amount_strong": "大单难赢得多", "backfilled": "日期事后补录",
}  # fmt: skip
_WIN = re.compile(r"truth ([\d.]+), mean ([\d.]+) \(se ([\d.]+); won of closed ([\d.]+)\), 95% interval holds ([\d.]+)")
_BAND = re.compile(r"^(\w+): (\d+) outcomes of (\d+) histories; 80 % band held ([\d.]+) \(se ([\d.]+)\)", re.M)


def main() -> int:
    """Measure where asked, then write the tables; return 1 where --check finds a README behind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--measure", choices=sorted(SUITES), action="append", default=[])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--into", type=Path, help="a folder with README.md and README.zh.md; default the repository")
    options = parser.parse_args()
    for suite in options.measure:
        for path in SUITES[suite]:
            measure(suite, path)
    behind = 0
    for lang, readme in EDITIONS.items():
        path = options.into / readme.name if options.into else readme
        old = path.read_text(encoding="utf-8")
        new = filled(old, lang)
        behind += new != old
        if not options.check:
            path.write_text(new, encoding="utf-8")
    return int(bool(options.check and behind))


def measure(suite: str, path: str) -> None:
    """Run tests of a kind; note how many of each passed, and what they recorded or printed, beside what is noted."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        how = ["-p", "no:cacheprovider", "-o", "junit_logging=system-out", f"--junitxml={report}"]
        subprocess.run([sys.executable, "-m", "pytest", "-q", path, *how], cwd=ROOT)
        cases = list(ET.parse(report).iter("testcase"))
    found: dict[str, dict[str, object]] = {}
    for case in cases:
        name = case.attrib["name"].partition("[")[0]
        if case.attrib["classname"].endswith("test_awkward"):
            name = "test_awkward"
        entry = found.setdefault(name, {"passed": 0, "n": 0, "said": []})
        if case.find("skipped") is None:
            entry["n"] = int(str(entry["n"])) + 1
            entry["passed"] = int(str(entry["passed"])) + (case.find("failure") is None and case.find("error") is None)
        said = [f"{one.attrib['name']}: {one.attrib['value']}" for one in case.iter("property")]
        said += [line for out in case.iter("system-out") for line in (out.text or "").splitlines() if _BAND.match(line)]
        entry["said"] = [*entry["said"], *said]  # type: ignore[misc]
    known = json.loads(SCORES.read_text(encoding="utf-8")) if SCORES.is_file() else {}
    earlier = known.get(suite, {}).get("tests", {})
    known[suite] = {"measured": str(date.today()), "tests": {**earlier, **found}}
    SCORES.write_text(json.dumps(known, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def filled(text: str, lang: str) -> str:
    """Return a README with its tables written anew; a mark whose figures are not there stays as it is, and is said."""
    for name, make in BOARDS.items():
        try:
            heads, rows, below = make()
        except (OSError, KeyError, ValueError, AttributeError) as error:
            print(f"scoreboard:{name}: no figures ({type(error).__name__}: {error})", file=sys.stderr)
            continue
        pick = ("en", "zh").index(lang)
        lines = [[cell if isinstance(cell, str) else cell[pick] for cell in row] for row in (heads, *rows)]
        table = [f"| {' | '.join(line)} |" for line in lines]
        table.insert(1, "|---" + "|--:" * (len(heads) - 1) + "|")
        body = "\n".join(["", *table, "", below[pick], ""])
        pattern = rf"(<!-- scoreboard:{name} -->).*?(<!-- /scoreboard:{name} -->)"
        text, n = re.subn(pattern, lambda found, body=body: found[1] + body + found[2], text, flags=re.S)
        if not n:
            print(f"scoreboard:{name}: README of {lang} has no such mark", file=sys.stderr)
    return text


def _scores(suite: str) -> tuple[dict[str, dict[str, object]], str]:
    known = json.loads(SCORES.read_text(encoding="utf-8"))[suite]
    return known["tests"], known["measured"]


def files() -> Table:
    """Tell how many files and tables of the corpus are answered as they should be."""
    tests, day = _scores("files")
    rows: list[list[str | Pair]] = [
        [shown, f"{tests[name]['passed']} / {tests[name]['n']}"] for name, shown in FILES.items() if name in tests
    ]
    heads = [("files", "文件"), ("answered as they should be", "结果正确")]
    below = (
        f"Right means: read with the expected counts and sums, or refused with the expected reason. `tests/reading`, {day}.",
        f"“正确”指读出的笔数、金额与预期一致，或以预期的理由拒收。`tests/reading`，{day}。",
    )  # fmt: skip
    return heads, rows, below


def worlds() -> Table:
    """Tell how close rates and bands come to the truth of simulators that share nothing with the kit's own."""
    tests, day = _scores("worlds")
    rows: list[list[str | Pair]] = []
    for line in _said(tests, "test_the_win_rate_is_the_truth"):
        name, _, told = line.removeprefix("win rate, ").rpartition(": truth ")
        found = _WIN.search(f"truth {told}")
        if found:
            truth, mean, raw, held = (f"{float(found[i]):.1%}" for i in (1, 2, 4, 5))
            what = (f"win rate, {name}", f"赢单率，{WORLDS.get(name, name)}")
            rows.append([what, truth, mean, raw, (f"{held} of 95%", f"{held}（应为 95%）")])
    for line in _said(tests, "test_bands_hold_in_foreign_worlds"):
        found = _BAND.match(line)
        if found:
            name, held = found[1], f"{float(found[4]):.1%}"
            what = (f"forecast, {name.replace('_', ' ')}", f"预测，{WORLDS.get(name, name)}")
            rows.append([what, "", "", "", (f"{held} of 80%", f"{held}（应为 80%）")])
    if not rows:
        raise ValueError("nothing recorded")
    heads = [
        ("in simulated worlds whose truth is known", "真值已知的模拟世界"), ("truth", "真值"),
        ("mean of 200 histories", "200 段历史的均值"), ("won ÷ closed, for comparison", "对照：赢单 ÷ 已结束"), ("interval held", "区间覆盖"),
    ]  # fmt: skip
    below = (
        f"The simulators (`tests/worlds`) share no code with the kit's own generator. Measured {day}.",
        f"模拟器（`tests/worlds`）与自带的数据生成器没有共用代码。{day} 测得。",
    )
    return heads, rows, below


def _said(tests: dict[str, dict[str, object]], name: str) -> Iterator[str]:
    said = tests.get(name, {}).get("said", [])
    yield from said if isinstance(said, list) else []


def faults() -> Table:
    """Tell after how many faults everything is as promised."""
    text = (ROOT / "tests" / "faults" / "RESULTS.md").read_text(encoding="utf-8")
    counts = dict(re.findall(r"(funnelkit in a batch|funnelkit|papermill) (\d+ of \d+)", text.partition("\n")[0]))
    shown = {name: tuple(counts[name].split(" of ")) for name in ("funnelkit", "funnelkit in a batch", "papermill")}
    n = shown["funnelkit"][1]
    heads = [(f"of {n} faults", f"{n} 种故障"), ("everything as promised after", "之后一切如约")]
    names = [("`funnelkit report`",) * 2, ("`funnelkit batch`",) * 2, ("bare papermill", "直接用 papermill")]
    rows: list[list[str | Pair]] = [[name, kept] for name, (kept, _) in zip(names, shown.values(), strict=True)]
    below = (
        "Killed kernels, full disks, endless loops, 20 starts at once ...: each fault and what came of it is in "
        "[tests/faults/RESULTS.md](tests/faults/RESULTS.md).",
        "内核被杀、磁盘写满、死循环、20 个任务同时启动等；每种故障的结果见 [tests/faults/RESULTS.md](tests/faults/RESULTS.md)。",
    )
    return heads, rows, below


def _rows(path: Path) -> list[list[str]]:
    """Return the cells of all table rows of a Markdown file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if line.startswith("|")]


COUNTED = (
    ("10M", "time_int", "F1", "chdb", ("10 million events, 8 steps within 30 days", "1000 万事件，30 天内走完 8 步")),
    ("50M", "time_int", "F1", "chdb", ("50 million events, the same", "5000 万事件，同上")),
    ("10M", "time_int", "F2", "chdb", ("10 million events, split by 20 segments", "1000 万事件，按 20 个分组")),
    ("10M", "time_int", "F3", "pandas", ("10 million events, times from step to step", "1000 万事件，各步间隔时间")),
)
RAN = {
    "**Small template": ("a small report of a batch", "批量生成的小报告，每份"),
    "report on the sample, by five columns": ("a full report, five on the same data", "完整报告，同一数据出五份，每份"),
    "report on the sample, as of five days": ("a full report, five different days", "完整报告，五个不同日期，每份"),
}
JOBS = {"1 job": "单任务", "2 jobs": "双任务"}


def speed() -> Table:
    """Tell the times of counting and of reports beside the fastest peer."""
    cells = _rows(ROOT / "benchmarks" / "RESULTS.md")
    rows: list[list[str | Pair]] = []
    for size, file, task, peer, what in COUNTED:
        wall = {row[3]: row[4] for row in cells if row[:3] == [size, file, task] and row[3] in ("funnelkit", peer)}
        rows.append([what, f"{wall['funnelkit']} s", f"{peer} {wall[peer]} s", _ratio(wall["funnelkit"], wall[peer])])
    text = (ROOT / "benchmarks" / "REPORTS.md").read_text(encoding="utf-8")
    for part, (english, chinese) in RAN.items():
        table = dict(
            re.findall(r"^\| (papermill|\d+ jobs?) \| ([\d.]+) \|", text.split(part)[1].split("\n\n")[1], re.M)
        )
        for runner, jobs in JOBS.items():
            own, peer = table[runner], table["papermill"]
            rows.append(
                [(f"{english}, {runner}", f"{chinese}，{jobs}"), f"{own} s", f"papermill {peer} s", _ratio(own, peer)]
            )
    heads = [("task", "任务"), ("funnelkit", "funnelkit"), ("peer", "对照"), ("ratio", "比值")]
    below = (
        "Two cores; same answers, compared before times. [benchmarks/RESULTS.md](benchmarks/RESULTS.md), "
        "[benchmarks/REPORTS.md](benchmarks/REPORTS.md).",
        "双核机器；先核对结果一致，再比时间。见 [benchmarks/RESULTS.md](benchmarks/RESULTS.md)、"
        "[benchmarks/REPORTS.md](benchmarks/REPORTS.md)。",
    )
    return heads, rows, below


def _ratio(own: str, peer: str) -> str:
    return f"{float(own) / float(peer):.2f}"


def frame() -> Table:
    """Tell how long a slider's move takes until it is painted: the usual and the slowest card, `interact` beside them."""
    measured = [row for row in _rows(ROOT / "benchmarks" / "EXPLORABLES.md") if re.fullmatch(r"[\d.]+", row[2])]
    rows: list[list[str | Pair]] = []
    for place, shown in (("page", ("on a page", "网页")), ("JupyterLab", ("in JupyterLab", "JupyterLab"))):
        cards = sorted((row for row in measured if row[0] == place and row[4]), key=lambda row: float(row[2]))
        if cards:
            half, most = cards[len(cards) // 2], cards[-1]
            n = len(cards)
            rows.append([(f"{n} cards {shown[0]}, the middle one", f"{shown[1]}，{n} 张卡片居中者"), *half[2:4]])
            rows.append([(f"the slowest {shown[0]}", f"{shown[1]}，最慢的一张"), *most[2:4]])
    rows += [
        [("`interact`, a new figure for each move", "`interact`，每次重画一张图"), *row[2:4]]
        for row in measured
        if row[1].startswith("interact")
    ]
    heads = [
        ("from the key to the painted frame", "从按键到画面更新"),
        ("median, ms", "中位数（毫秒）"),
        ("95% within, ms", "95% 不超过（毫秒）"),
    ]
    below = (
        "Keys are pressed in Chromium; other work on the machine is named in [benchmarks/EXPLORABLES.md](benchmarks/EXPLORABLES.md).",
        "在 Chromium 中真实按键测得；当时机器的负载见 [benchmarks/EXPLORABLES.md](benchmarks/EXPLORABLES.md)。",
    )
    return heads, rows, below


BOARDS = {"files": files, "worlds": worlds, "faults": faults, "speed": speed, "frame": frame}

if __name__ == "__main__":
    sys.exit(main())
