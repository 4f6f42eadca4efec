"""The client that talks to a report's kernel: ready as soon as the kernel's outputs are known to arrive."""

from __future__ import annotations

import time
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient

_REPLY_S, _OUTPUT_S = 1, 0.2
_RETRY_MS = 5


class Client(AsyncKernelClient):
    """jupyter_client's own waits for outputs to be silent for 0.2 s, and 0.1 s for a kernel not yet listening.

    Both are a good part of a short report.
    """

    def start_channels(self, *args: Any, **kwargs: Any) -> None:
        """Connect to the kernel, again and again where it does not listen yet."""
        self.context.reconnect_ivl = _RETRY_MS
        super().start_channels(*args, **kwargs)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel has answered on both channels; RuntimeError where it died or takes longer."""
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            self.kernel_info()
            reply = await _message(self.shell_channel, _REPLY_S)
            if reply and reply["msg_type"] == "kernel_info_reply" and await self._has_outputs(reply):
                self._handle_kernel_info_reply(reply)
                return
            if not await self.is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")

    async def _has_outputs(self, reply: dict[str, Any]) -> bool:
        """Read outputs up to the word that the kernel is idle after this reply; False where they do not arrive yet."""
        asked = reply["parent_header"]["msg_id"]
        while message := await _message(self.iopub_channel, _OUTPUT_S):
            idle = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
            if idle and message["parent_header"].get("msg_id") == asked:
                return True
        return False


async def _message(channel: Any, within_s: float) -> Any:
    try:
        return await channel.get_msg(timeout=within_s)
    except Empty:
        return None
