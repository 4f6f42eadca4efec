"""The client of a report's kernel: ready at once, no output lost; a kernel that is dead or silent is said to be so."""

import asyncio
import sys

import pytest
from jupyter_client.manager import AsyncKernelManager

from funnelkit.report.kernels.client import Client

SILENT = [sys.executable, "-c", "import time; time.sleep(60)", "{connection_file}"]
DEAD = [sys.executable, "-c", "raise SystemExit(3)", "{connection_file}"]


async def start(command=None):
    manager = AsyncKernelManager(client_factory=Client)
    if command:
        manager.kernel_spec.argv = command
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    return manager, client


async def end(manager, client):
    client.stop_channels()
    await manager.shutdown_kernel(now=True)


def test_the_first_outputs_arrive_after_ready():
    async def run():
        manager, client = await start()
        found = []
        try:
            await client.wait_for_ready(timeout=60)
            asked = client.execute("print('first')")
            while True:
                message = await client.get_iopub_msg(timeout=30)
                if message["parent_header"].get("msg_id") == asked:
                    found.append((message["msg_type"], message["content"].get("text")))
                    if message["content"].get("execution_state") == "idle":
                        return found
        finally:
            await end(manager, client)

    assert ("stream", "first\n") in asyncio.run(run())


@pytest.mark.parametrize(
    ("command", "text"), [(DEAD, "Kernel died before replying"), (SILENT, "Kernel didn't respond in 2 seconds")]
)
def test_a_kernel_that_never_answers(command, text):
    async def run():
        manager, client = await start(command)
        try:
            await client.wait_for_ready(timeout=2)
        finally:
            await end(manager, client)

    with pytest.raises(RuntimeError, match=text):
        asyncio.run(run())
