"""The extension of Jupyter's server: found where the kit is installed; connections send at once, whichever they are."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from funnelkit.explore import server


class Connection:
    """What a server may be configured with: it must keep its name for the page and its answer."""

    def __init__(self, handler):
        self.websocket_handler = handler

    def connect(self):
        return "connected"


def test_connections_send_without_delay():
    settings = {"kernel_websocket_connection_class": Connection}
    server._load_jupyter_server_extension(SimpleNamespace(web_app=SimpleNamespace(settings=settings)))
    told = []
    made = settings["kernel_websocket_connection_class"](SimpleNamespace(set_nodelay=told.append))
    assert isinstance(made, Connection)
    assert (made.connect(), told) == ("connected", [True])


def test_the_server_has_what_the_extension_changes():
    from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
    from tornado.websocket import WebSocketHandler

    assert issubclass(KernelWebsocketHandler, WebSocketHandler) and hasattr(WebSocketHandler, "set_nodelay")


def test_installing_the_kit_switches_the_extension_on():
    path = Path(sys.prefix) / "etc" / "jupyter" / "jupyter_server_config.d" / "funnelkit.json"
    if not path.exists():
        pytest.skip("the kit is not installed in this environment by its own project file")
    assert json.loads(path.read_text())["ServerApp"]["jpserver_extensions"] == {server.EXTENSION: True}
    assert server._jupyter_server_extension_points() == [{"module": server.EXTENSION}]
