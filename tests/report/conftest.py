"""Reports of these tests are forked from one preloaded parent a process of tests, not from one each."""

import pytest

from funnelkit.report.kernels import pool, processes

MODULES = ("funnelkit", "numpy", "pandas", "pyarrow", "matplotlib", "seaborn")


@pytest.fixture(scope="session", autouse=True)
def one_parent():
    """Lend the parent to all workers; where a test killed it, it is started anew as it would be in a batch."""
    start = pool.Workers._ensure_forge

    def lend(workers):
        start(parent)
        address = workers.runtime / "forge"
        address.unlink(missing_ok=True)
        address.symlink_to(parent.runtime / "forge")

    with pool.Workers(MODULES) as parent, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool.Workers, "_ensure_forge", lend)
        yield parent


@pytest.fixture(autouse=True)
def no_leftovers(one_parent):
    """End what hid from its own workers: that is done with their parent, and this one stays."""
    yield
    if one_parent.forge is not None:
        processes.end(lambda: processes.descendants(one_parent.forge.pid))
