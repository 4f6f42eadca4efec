"""A kernel provisioner (jupyter_client's interface): kernels forked from the preloaded parent instead of started."""

import asyncio
import os
import sys
from pathlib import Path

from jupyter_client.provisioning import LocalProvisioner

from funnelkit.report.forked import Forked

NAME = "funnelkit-fork"
SOCKET = "FUNNELKIT_FORGE"


class ForkProvisioner(LocalProvisioner):
    """Launch the kernel as a fork of the process that listens at the path in $FUNNELKIT_FORGE.

    Where there is none, or the command is not this Python's own kernel, it is started as usual.
    """

    async def launch_kernel(self, cmd, **kwargs):
        address = os.environ.get(SOCKET)
        if not address or not _is_own_kernel(cmd):
            return await super().launch_kernel(cmd, **kwargs)
        env = dict(kwargs.get("env") or os.environ)
        log = env.pop("FUNNELKIT_LOG", os.devnull)
        for name in (SOCKET, "JPY_PARENT_PID", "JUPYTER_DEFAULT_PROVISIONER_NAME"):
            env.pop(name, None)
        cwd = str(kwargs.get("cwd") or Path.cwd())
        argv = cmd[cmd.index("ipykernel_launcher") :]
        self.process = Forked(address, {"do": "kernel", "argv": argv, "env": env, "cwd": cwd, "log": log})
        self.pid = self.pgid = self.process.pid
        self.cwd = cwd
        return self.connection_info

    async def wait(self):
        """Wait for the end in small steps: the ordinary ones of 100 ms are a good part of a short report."""
        while await self.poll() is None:
            await asyncio.sleep(0.01)
        return await super().wait()


def _is_own_kernel(cmd):
    return "ipykernel_launcher" in cmd and Path(cmd[0]).resolve() == Path(sys.executable).resolve()
