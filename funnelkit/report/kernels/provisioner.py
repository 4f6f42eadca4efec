"""A kernel provisioner (jupyter_client's interface): kernels forked from the preloaded parent instead of started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from funnelkit.report.kernels.forked import GONE, Forked

NAME = "funnelkit-fork"
SOCKET = "FUNNELKIT_FORGE"
_LOOK_S, _OBEY_S = 0.005, 0.5


class ForkProvisioner(LocalProvisioner):
    """Launch the kernel as a fork of the process that listens at the path in its environment's FUNNELKIT_FORGE.

    Where there is none, it is being killed, or the command is not this Python's own kernel, it is started as usual.
    """

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        env = dict(kwargs.get("env") or os.environ)
        address = env.get(SOCKET)
        if not address or not _is_own_kernel(cmd):
            return await super().launch_kernel(cmd, **kwargs)
        log = env.pop("FUNNELKIT_LOG", os.devnull)
        for name in (SOCKET, "JPY_PARENT_PID", "JUPYTER_DEFAULT_PROVISIONER_NAME"):
            env.pop(name, None)
        cwd = str(kwargs.get("cwd") or Path.cwd())
        argv = cmd[cmd.index("ipykernel_launcher") :]
        try:
            process = Forked(address, {"do": "kernel", "argv": argv, "env": env, "cwd": cwd, "log": log})
        except GONE:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = process  # type: ignore[assignment]  # it has the methods of Popen that are used
        self.pid = self.pgid = process.pid
        self.cwd = cwd
        return self.connection_info

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Give the kernel half a second to end: its manager would look only every 100 ms, long for a short report."""
        await super().shutdown_requested(restart=restart)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._end(), _OBEY_S)

    async def wait(self) -> Any:
        """Wait for the end in small steps, for the same reason."""
        await self._end()
        return await super().wait()

    async def _end(self) -> None:
        while await self.poll() is None:
            await asyncio.sleep(_LOOK_S)


def _is_own_kernel(cmd: list[str]) -> bool:
    return "ipykernel_launcher" in cmd and Path(cmd[0]).resolve() == Path(sys.executable).resolve()
