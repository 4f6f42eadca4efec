"""Batches on a real scheduler, one of its two workers killed; one command a report for schedulers of other kinds."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from funnelkit import cli
from funnelkit.language import ReportError
from funnelkit.report.runs.batch import run_batch
from funnelkit.report.runs.plan import read_plan
from funnelkit.report.runs.publish import load_json
from tests.report.runs.test_batch import plan, template
from tests.support.spark import free_port, wait_for

dask = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="no Dask: install the extra dask")
SLOW_CELL = "import time\nopen(mark, 'a').write('x')\ntime.sleep(wait)\nprint(x)"
PARAMETERS = "x: int = 50\nwait: float = 0\nmark: str = ''"


@pytest.fixture
def scheduler(tmp_path):
    """Run a scheduler and two workers; yield its address and the workers."""
    port, environment = free_port(), {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"}
    address, processes = f"tcp://127.0.0.1:{port}", []

    def start(*words):
        log = (tmp_path / "dask.log").open("ab")
        command = [sys.executable, "-m", "dask", *map(str, words)]
        processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))
        return processes[-1]

    start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
    wait_for(port)
    options = ("--host", "127.0.0.1", "--nthreads", 1, "--no-dashboard", "--no-nanny", "--local-directory", tmp_path)
    workers = [start("worker", address, *options) for _ in range(2)]
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield address, workers
    for process in reversed(processes):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)


@dask
@pytest.mark.slow
def test_a_killed_worker_leaves_each_report_published_once(scheduler, tmp_path):
    address, workers = scheduler
    template(tmp_path / "t.ipynb", SLOW_CELL, parameters=PARAMETERS)
    template(tmp_path / "bad.ipynb", "1 / 0", parameters=PARAMETERS)
    content = {
        "each": {"x": [1, 2, 3, 4]}, "parameters": {"wait": 1.5, "mark": str(tmp_path / "begun")},
        "reports": [{"name": "bad", "template": "bad.ipynb"}],
    }  # fmt: skip
    items = read_plan(plan(tmp_path, **content), tmp_path / "out")
    found = []
    run = threading.Thread(target=lambda: found.extend(run_batch(items, tmp_path / "out", scheduler=address)))
    run.start()
    begun = tmp_path / "begun"
    while run.is_alive() and not (begun.exists() and begun.stat().st_size >= 2):
        time.sleep(0.02)
    os.killpg(workers[0].pid, signal.SIGKILL)
    assert run.is_alive(), "the batch was over before the worker was killed"
    run.join(60)
    assert [result.outcome for result in found] == ["ok"] * 4 + ["failed"]
    assert found[-1].reason == "cell_error" and found[-1].exit_code == 10
    assert begun.stat().st_size > 4, "a report was begun again elsewhere"
    for item in items[:4]:
        assert len(list((item.request.out / "runs").iterdir())) == 1
        assert load_json(item.request.out / "status.json")["outcome"] == "ok"
        assert not list(item.request.out.glob(".staging-*"))
    status = load_json(tmp_path / "out" / "batch.json")
    assert (status["n_done"], status["n_failed"], status["running"], status["waiting"]) == (5, 1, [], [])


@pytest.mark.slow
def test_a_report_that_a_lost_worker_had_published_is_not_made_again(tmp_path):
    from funnelkit.report.runs.run import run_report

    template(tmp_path / "t.ipynb", "print(x)")
    item = read_plan(plan(tmp_path, each={"x": [1]}), tmp_path / "out")[0]
    first = run_report(item.request, after="")
    assert run_report(item.request, after="") == first.resolve()
    assert run_report(item.request, after=first.resolve().name).resolve() != first.resolve()


@dask
@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_said_and_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr("funnelkit.report.runs.scheduler._WAIT_S", 1)
    template(tmp_path / "t.ipynb", "print(x)")
    items = read_plan(plan(tmp_path, each={"x": [1]}), tmp_path / "out")
    with pytest.raises(ReportError, match=r"no scheduler answers at tcp://127\.0\.0\.1:1 ") as caught:
        run_batch(items, tmp_path / "out", scheduler="tcp://127.0.0.1:1")
    assert caught.value.exit_code == 11 and not (tmp_path / "out" / "x=1").exists()


def test_without_dask_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    template(tmp_path / "t.ipynb", "print(x)")
    items = read_plan(plan(tmp_path, each={"x": [1]}), tmp_path / "out")
    with pytest.raises(ReportError, match=r"pip install 'funnelkit\[dask\]', here and on the workers"):
        run_batch(items, tmp_path / "out", scheduler="tcp://127.0.0.1:1")


@pytest.mark.slow
def test_listed_commands_run_one_report_each_at_the_same_time(tmp_path, capsys):
    template(tmp_path / "t.ipynb", "print(x)")
    path = plan(tmp_path, each={"x": [1]}, reports=[{"name": "it's all"}])
    arguments = ["batch", str(path), "--out", str(tmp_path / "out")]
    assert cli.main([*arguments, "--list"]) == 0
    lines = capsys.readouterr().out
    assert len(lines.splitlines()) == 2 and lines.count("# never made") == 2
    paths = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    at_once = ["xargs", "-d", "\n", "-P", "2", "-I{}", "sh", "-c", "{}"]
    subprocess.run(at_once, input=lines, text=True, check=True, env=paths, stdout=subprocess.DEVNULL, timeout=120)
    assert cli.main([*arguments, "--list"]) == 0
    assert capsys.readouterr().out.count("# good") == 2 and not (tmp_path / "out" / "batch.json").exists()
    assert cli.main([*arguments, "--retry"]) == 0
    status = load_json(tmp_path / "out" / "batch.json")
    assert [report["outcome"] for report in status["reports"]] == ["kept"] * 2
