"""Parse YAML that somebody else wrote, within bounds.

The one place where cotbuild parses YAML: settings, templates, recipes, variants,
studies and the front matter of cards. PyYAML's loaders bound nothing: 1 KB of nested
aliases expands to gigabytes, and a repeated key overrides the first one silently. So
values are built here from PyYAML's events, in one pass without recursion.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from cotbuild.schemas.errors import ConfigError, CotbuildError
from cotbuild.schemas.record import MAX_INT, MIN_INT, short_repr

if TYPE_CHECKING:
    from yaml import ScalarNode
    from yaml.events import Event

MAX_YAML_BYTES = 1 << 20
"""Largest text. A card's front matter of 100 variants takes about 40 KiB."""
MAX_YAML_VALUES = 100_000
"""Most values in a text, keys included and aliases expanded."""
MAX_YAML_CHARS = 4 << 20
"""Most characters in the values of a text, aliases expanded."""
MAX_YAML_DEPTH = 50
"""Deepest nesting, aliases expanded."""
MAX_NUMBER_CHARS = 100
"""Longest number; quoted, a longer one is a text."""

_TAG = "tag:yaml.org,2002:"
_CONVERTED_TAGS = frozenset(_TAG + name for name in ("bool", "int", "float"))
_PLAIN_TAGS = frozenset(
    _TAG + name for name in ("str", "int", "float", "bool", "null", "map", "seq")
)
_MERGE = object()
"""The value of a merge key."""


def parse_yaml(
    text: str, where: str, *, error: type[CotbuildError] = ConfigError
) -> Any:
    """Return the value of one YAML document, of plain types; None if it is empty.

    Mappings become dicts, sequences lists; a date stays a text. Raises `error` in one
    line, which starts with `where` and names the line of the text, if the text is not
    YAML, exceeds a bound of this module, repeats a key, or has a tag of another type.
    """
    import yaml

    try:
        if len(text.encode()) > MAX_YAML_BYTES:
            raise _YamlFault(f"larger than {MAX_YAML_BYTES >> 20} MiB. Shorten it.")
        return _Builder(text).build()
    except _YamlFault as fault:
        raise error(f"{where}: {fault}") from fault
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        what = " ".join(f"{fault.problem or fault.context}".split())
        raise error(f"{where}: not YAML: {what}{place}. Correct it.") from fault
    except (yaml.YAMLError, UnicodeError) as fault:
        what = " ".join(str(fault).split())
        raise error(f"{where}: not YAML: {what}. Correct it.") from fault


class _YamlFault(Exception):
    """Text that is YAML and yet refused; the message says why and what to do."""


@dataclass
class _Extent:
    """How much a value takes with its aliases expanded."""

    num_values: int = 1
    num_chars: int = 0
    depth: int = 1


@dataclass
class _Open:
    """A mapping or sequence whose end has not come yet."""

    value: dict[Hashable, Any] | list[Any]
    anchor: str | None
    extent: _Extent = field(default_factory=_Extent)
    key: tuple[Hashable] | None = None
    """The key whose value comes next, in a tuple since it may be None."""
    merged: list[dict[Hashable, Any]] = field(default_factory=list)
    """The mappings of merge keys (<<); the mapping's own keys override theirs."""

    def merge(self) -> None:
        """Add the entries of merged mappings, of which an earlier one comes first."""
        for mapping in self.merged:
            for key, value in mapping.items():
                if isinstance(self.value, dict):
                    self.value.setdefault(key, value)


class _Builder:
    """Builds the value of a document from its events."""

    def __init__(self, text: str) -> None:
        import yaml

        # The C loader is much faster, but not every PyYAML is built with it.
        self._loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, _Extent]] = {}
        self._root: Any = None
        self._num_documents = 0

    def build(self) -> Any:
        """Return the value of the only document, None if there is none."""
        try:
            while (event := self._loader.get_event()) is not None:
                self._handle(event)
        finally:
            self._loader.dispose()
        return self._root

    def _handle(self, event: "Event") -> None:
        from yaml import events

        if isinstance(event, events.DocumentStartEvent):
            self._num_documents += 1
            if self._num_documents > 1:
                self._refuse(event, "a second document. Keep one")
        elif isinstance(event, events.AliasEvent):
            self._add_alias(event)
        elif isinstance(event, events.ScalarEvent):
            self._check_tag(event, event.tag)
            value = self._scalar(event)
            extent = _Extent(num_chars=len(event.value))
            self._add(event, value, extent, event.anchor)
        elif isinstance(event, events.CollectionStartEvent):
            self._check_tag(event, event.tag)
            is_mapping = isinstance(event, events.MappingStartEvent)
            self._open.append(_Open({} if is_mapping else [], event.anchor))
            self._check_depth(event, 0)
        elif isinstance(event, events.CollectionEndEvent):
            closed = self._open.pop()
            closed.merge()
            self._add(event, closed.value, closed.extent, closed.anchor)

    def _add_alias(self, event: Any) -> None:
        name = event.anchor
        if name not in self._anchors:
            # Also one inside the very value that it stands for.
            self._refuse(event, f"the alias *{name} stands for no value before it")
        value, extent = self._anchors[name]
        self._check_depth(event, extent.depth)
        self._add(event, value, extent, None)

    def _add(
        self, event: "Event", value: Any, extent: _Extent, anchor: str | None
    ) -> None:
        """Put a complete value into the innermost open one."""
        if anchor is not None:
            self._anchors[anchor] = (value, extent)
        if not self._open:
            self._root = value
            return
        parent = self._open[-1]
        grown = parent.extent
        grown.num_values += extent.num_values
        grown.num_chars += extent.num_chars
        grown.depth = max(grown.depth, extent.depth + 1)
        self._check_extent(event, grown)
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is None:
            parent.key = (self._check_key(event, value, parent.value),)
        elif parent.key[0] is _MERGE:
            parent.merged += self._check_merged(event, value)
            parent.key = None
        else:
            parent.value[parent.key[0]] = value
            parent.key = None

    def _check_key(
        self, event: "Event", key: Any, mapping: dict[Hashable, Any]
    ) -> Hashable:
        if isinstance(key, dict | list):
            self._refuse(event, "a key that is itself a mapping or a list. Use a text")
        if key in mapping:
            self._refuse(event, f"the key {short_repr(key)} for a second time")
        checked: Hashable = key
        return checked

    def _check_merged(self, event: "Event", value: Any) -> list[dict[Hashable, Any]]:
        mappings = value if isinstance(value, list) else [value]
        if not all(isinstance(mapping, dict) for mapping in mappings):
            self._refuse(event, "a merge key (<<) whose value is no mapping")
        return mappings

    def _awaits_key(self) -> bool:
        if not self._open:
            return False
        parent = self._open[-1]
        return isinstance(parent.value, dict) and parent.key is None

    def _scalar(self, event: Any) -> Hashable:
        from yaml import ScalarNode

        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(ScalarNode, event.value, event.implicit)
        text: str = event.value
        if tag == _TAG + "merge":
            return _MERGE if self._awaits_key() else text
        if tag == _TAG + "null":
            return None
        if tag not in _CONVERTED_TAGS:
            return text
        if len(text) > MAX_NUMBER_CHARS:
            self._refuse(
                event,
                f"a number of {len(text)} characters, more than {MAX_NUMBER_CHARS}. "
                "Put a text in quotes",
            )
        try:
            return self._convert(ScalarNode(tag, text))
        except (ValueError, KeyError, IndexError, OverflowError):
            kind = tag.removeprefix(_TAG)
            self._refuse(event, f"{short_repr(text)} cannot be read as {kind}")

    def _convert(self, node: "ScalarNode") -> bool | int | float:
        """Return the value of a bool, int or float; raises ValueError or KeyError."""
        from yaml.constructor import SafeConstructor

        if node.tag == _TAG + "bool":
            return bool(SafeConstructor.bool_values[node.value.lower()])
        if node.tag == _TAG + "int":
            whole = int(SafeConstructor.construct_yaml_int(self._loader, node))
            if not MIN_INT <= whole <= MAX_INT:
                raise ValueError("more than 64 bits")
            return whole
        number = float(SafeConstructor.construct_yaml_float(self._loader, node))
        if not math.isfinite(number):
            raise ValueError("not finite")
        return number

    def _check_tag(self, event: "Event", tag: str | None) -> None:
        if tag is not None and tag != "!" and tag not in _PLAIN_TAGS:
            self._refuse(event, f"the tag {short_repr(tag)}. Leave it out")

    def _check_depth(self, event: "Event", inner: int) -> None:
        if len(self._open) + inner > MAX_YAML_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_YAML_DEPTH} levels")

    def _check_extent(self, event: "Event", extent: _Extent) -> None:
        if extent.num_values > MAX_YAML_VALUES:
            self._refuse(
                event, f"more than {MAX_YAML_VALUES:,} values with its aliases"
            )
        if extent.num_chars > MAX_YAML_CHARS:
            self._refuse(
                event,
                f"more than {MAX_YAML_CHARS >> 20} Mi characters with its aliases",
            )

    def _refuse(self, event: "Event", what: str) -> NoReturn:
        mark = event.start_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise _YamlFault(f"{place}{what}.")
