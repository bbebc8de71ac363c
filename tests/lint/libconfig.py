# SPDX-License-Identifier: Apache-2.0
"""Reads libconfig text into {"dotted.name": value}: enough of the grammar for our own files."""
from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""\s+ | \#[^\n]* | //[^\n]* | /\*.*?\*/
      | (?P<string>"(?:\\.|[^"\\])*")
      | (?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)L{0,2})
      | (?P<name>[A-Za-z*][-A-Za-z0-9_*]*)
      | (?P<mark>[=:;,{}\[\]()])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}


class SyntaxProblem(ValueError):
    """The text is not what we can read; the message names the line."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        place = 0
        while place < len(text):
            match = _TOKEN.match(text, place)
            line = text.count("\n", 0, place) + 1
            if match is None:
                raise SyntaxProblem(f"line {line}: unexpected {text[place]!r}")
            if match.lastgroup is not None:
                self.tokens.append((match.lastgroup, match.group(), line))
            place = match.end()
        self.tokens.append(("end", "", text.count("\n") + 1))

    def take(self, *wanted: str) -> tuple[str, str]:
        kind, text, line = self.tokens[self.at]
        if kind not in wanted and text not in wanted:
            raise SyntaxProblem(f"line {line}: {text or 'end'!r} instead of {' or '.join(wanted)}")
        self.at += 1
        return kind, text

    def skip(self, *marks: str) -> bool:
        if self.tokens[self.at][0] == "mark" and self.tokens[self.at][1] in marks:
            self.at += 1
            return True
        return False

    def settings(self, end: str) -> dict[str, object]:
        found: dict[str, object] = {}
        while self.tokens[self.at][1] != end or self.tokens[self.at][0] == "string":
            _, name = self.take("name")
            self.take("=", ":")
            if name in found:
                raise SyntaxProblem(f"line {self.tokens[self.at][2]}: {name} is there twice")
            found[name] = self.value()
            self.skip(";", ",")
        return found

    def items(self, end: str) -> list[object]:
        found = []
        while not self.skip(end):
            if found:
                self.take(",")
            found.append(self.value())
        return found

    def value(self) -> object:
        if self.skip("{"):
            group = self.settings("}")
            self.take("}")
            return group
        if self.skip("["):
            return self.items("]")
        if self.skip("("):
            return self.items(")")
        kind, text = self.take("string", "number", "name")
        if kind == "string":
            while self.tokens[self.at][0] == "string":  # adjacent strings are one
                text = text[:-1] + self.take("string")[1][1:]
            return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1])
        if kind == "number":
            text = text.rstrip("L")
            return float(text) if re.search(r"[.]|^[^xX]*[eE]", text) else int(text, 0)
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise SyntaxProblem(f"{text!r} is not a value")


def read_value(text: str) -> object:
    """One value, such as a default written in a table."""
    reader = _Reader(text)
    value = reader.value()
    reader.take("end")
    return value


def read_settings(text: str) -> dict[str, object]:
    """All settings, groups flattened: {"consul.tls.verify": True}."""
    flat: dict[str, object] = {}

    def walk(prefix: str, group: dict[str, object]) -> None:
        for name, value in group.items():
            if isinstance(value, dict):
                walk(f"{prefix}{name}.", value)
            else:
                flat[prefix + name] = value

    reader = _Reader(text)
    walk("", reader.settings(""))
    reader.take("end")
    return flat


_DURATION = re.compile(r"(?:\d+(?:ms|s|m|h|d))+")
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def _plain(value: object) -> object:
    """Durations as milliseconds: "60s" is "1m"."""
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return sum(int(n) * _UNITS[u] for n, u in re.findall(r"(\d+)(ms|s|m|h|d)", value))
    return value


def same(one: object, other: object) -> bool:
    """Equal values; a list of one item is the item, as in `listen`."""
    if isinstance(one, list) != isinstance(other, list):
        one = one if isinstance(one, list) else [one]
        other = other if isinstance(other, list) else [other]
        one, other = ([x for x in v if x != ""] for v in (one, other))
    return type(one) is type(other) and _plain(one) == _plain(other)
