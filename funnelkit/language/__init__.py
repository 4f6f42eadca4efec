"""Language: texts in English and Chinese, formats of numbers, errors, tables for people, nearest names, samples."""

from funnelkit.doors import open_door

__getattr__, __dir__, __all__ = open_door(__name__)
