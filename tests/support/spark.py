"""A Spark cluster of the tests' own: a master and workers on loopback, small, each a process that can be killed."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

FRUGAL = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # programs of a minute are not worth the second compiler
DEFAULTS = {
    "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.memory": "768m",
    "spark.executor.memory": "512m", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2", "spark.sql.adaptive.enabled": "false", "spark.log.level": "ERROR",
    "spark.driver.extraJavaOptions": FRUGAL, "spark.executor.extraJavaOptions": FRUGAL,
}  # fmt: skip


def missing():
    """Return why no cluster can be started here, None where one can."""
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        return "no Java: apt-get install openjdk-17-jre-headless"
    return None if importlib.util.find_spec("pyspark") else "no PySpark: install the extra spark"


class Cluster:
    """A running cluster: its `url`, and its workers, each the leader of a process group with its executors."""

    def __init__(self, folder, stack):
        self.folder, self.stack, self.workers = folder, stack, []
        (folder / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in DEFAULTS.items()))
        (folder / "log4j2.properties").write_text("rootLogger.level = error\nrootLogger.appenderRef.a.ref = a\n"
            "appender.a.type = Console\nappender.a.name = a\nappender.a.layout.type = PatternLayout\n")  # fmt: skip
        home = Path(importlib.util.find_spec("pyspark").origin).parent
        self.command = [str(home / "bin" / "spark-class")]
        heap = {"SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": FRUGAL}
        own = {"SPARK_HOME": str(home), "SPARK_CONF_DIR": str(folder), "SPARK_LOCAL_IP": "127.0.0.1"}
        self.environment = {**os.environ, **own, **heap}
        port = free_port()
        self.url = f"spark://127.0.0.1:{port}"
        self._start("master.Master", "--host", "127.0.0.1", "--port", port, "--webui-port", "0")
        wait_for(port)
        for number in range(2):
            options = ("--cores", 1, "--memory", "640m", "--work-dir", folder / f"work{number}", "--webui-port", "0")
            self.workers.append(self._start("worker.Worker", *options, self.url))

    def _start(self, program, *options):
        command = [*self.command, f"org.apache.spark.deploy.{program}", *map(str, options)]
        log = self.stack.enter_context((self.folder / "cluster.log").open("ab"))
        process = subprocess.Popen(
            command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        self.stack.callback(kill, process)
        return process

    def kill_worker(self):
        """Kill a worker with its executor, as a machine that fails would end them."""
        kill(self.workers.pop())


def kill(process):
    for child in descendants(process.pid):
        os.kill(child, signal.SIGKILL)
    process.wait(30)


def descendants(pid):
    """Return a process and all that came of it: executors of a worker have sessions of their own."""
    import psutil

    try:
        own = psutil.Process(pid)
        return [own.pid, *(child.pid for child in own.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(port, within_s=60):
    """Wait until something listens on a port of loopback."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"nothing listens on port {port}")


@contextmanager
def cluster(folder, monkeypatch):
    """Run a master and two workers; sessions of this process take the cluster's settings."""
    with ExitStack() as stack:
        made = Cluster(folder, stack)
        for name in ("SPARK_HOME", "SPARK_CONF_DIR", "SPARK_LOCAL_IP"):
            monkeypatch.setenv(name, made.environment[name])
        try:
            yield made
        finally:
            from pyspark.sql import SparkSession

            session = SparkSession.getActiveSession()
            if session is not None:
                session.stop()
