"""Settings of every test: examples are drawn the same each time, and a slow machine is no failure."""

from hypothesis import settings

settings.register_profile("kit", deadline=None, derandomize=True)
settings.load_profile("kit")
