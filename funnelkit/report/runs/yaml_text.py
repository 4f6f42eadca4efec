"""YAML as people mean it: names are text, a key given twice is refused, and no file grows beyond what it holds."""

from __future__ import annotations

from typing import Any, ClassVar

import yaml

MOST_VALUES = 20_000  # after aliases are filled in; without them a text has fewer values than characters
_NAMES = ("name", "data")  # keys whose value is a name where it is no list or table
_BOOL = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """YAML 1.1 but for `yes`, `no`, `on` and `off`, which are words; keys and names are the texts that are written."""

    yaml_implicit_resolvers: ClassVar = {
        sign: [(tag, pattern) for tag, pattern in pairs if tag != _BOOL or sign in "tTfF"]
        for sign, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }  # fmt: skip

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a text", key_node.start_mark)
            key = key_node.value
            if key in found and not getattr(node, "merged", False):
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is given twice", key_node.start_mark)
            named = key in _NAMES and isinstance(value_node, yaml.ScalarNode)
            found[key] = value_node.value if named else self.construct_object(value_node, deep=True)
        return found

    def flatten_mapping(self, node: Any) -> None:
        """Fill in `<<: *defaults`; what the table itself says comes last and holds."""
        node.merged = any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value)
        super().flatten_mapping(node)


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_mapping)


def load_yaml(text: str) -> Any:
    """Return what a YAML text holds; raise YAMLError where it is none, gives a key twice or grows too large.

    >>> load_yaml("{no: [on, 1, true], name: 007}")
    {'no': ['on', 1, True], 'name': '007'}
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        most = max(MOST_VALUES, len(text))
        if _size(node, {}, most) > most:
            raise yaml.YAMLError(f"it holds more than {most} values")
        return loader.construct_document(node)
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply, or in itself") from None
    finally:
        loader.dispose()


def _size(node: Any, known: dict[int, int], most: int) -> int:
    """Return how many values a node holds, each alias counted where it stands."""
    if id(node) not in known:
        known[id(node)] = most + 1  # met again within itself, it has no end
        pairs = node.value if isinstance(node.value, list) else []
        parts = [part for item in pairs for part in (item if isinstance(item, tuple) else (item,))]
        known[id(node)] = 1 + sum(_size(part, known, most) for part in parts)
    return known[id(node)]
