"""An extension of Jupyter's server: what a kernel says goes to the browser at once.

The server leaves Nagle's algorithm on for the sockets over which kernels talk to the page: after a first small message
the next ones wait until the browser has confirmed it, which it puts off by 40 ms. A slider's numbers come as such
small messages, one after the other, so every move of a slider costs these 40 ms.
"""

EXTENSION = "funnelkit.explore.server"


def _jupyter_server_extension_points():
    return [{"module": EXTENSION}]


def _load_jupyter_server_extension(app):
    """Have every connection of a kernel to a page send without waiting."""
    settings = app.web_app.settings
    settings["kernel_websocket_connection_class"] = prompt(settings["kernel_websocket_connection_class"])


def prompt(connection):
    """Return a class of connections that is as the given one and sends small messages at once."""

    class Prompt(connection):
        def connect(self):
            self.websocket_handler.set_nodelay(True)
            return super().connect()

    return Prompt
