# SPDX-License-Identifier: Apache-2.0
"""Reads the files of cases/, whose notation cases/README.txt describes."""

import re
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).with_name("cases")

_KEYS = ("case", "rfc", "send", "line", "target", "header", "expect", "newer", "has", "not", "fabio", "why")
_REPEATED = ("header", "has", "not")
_HOW_SENT = ("send", "line", "target", "header")
_ENDS = ("keep", "close", "open")
_ESCAPE = re.compile(r"\\(?:([rnt0\\])|x([0-9a-f]{2})|\{(\d+)\*([^{}]*)\}|\{(etag) ([\w.-]+)\})")
_SIMPLE = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
_ARRIVES = re.compile(r"arrives (\d+)(?:\.\.(\d+))?")
_ANSWER = re.compile(r"(\d{3})(?:=([\w.-]+))?(\(head\))?(?:\*(\d+))?")


class BadCase(Exception):
    """A case that cannot be read."""


@dataclass(frozen=True)
class Answer:
    """One expected response. what: whose list, which page, which reason, or who refuses."""

    status: int
    what: str
    head: bool


@dataclass(frozen=True)
class Outcome:
    answers: tuple
    end: str  # keep, close or open


@dataclass
class Case:
    name: str = ""
    where: str = ""
    rfc: str = ""
    parts: list = field(default_factory=list)  # (key, text) of what is sent
    expect: Outcome = None
    newer: Outcome = None
    has: list = field(default_factory=list)
    absent: list = field(default_factory=list)
    fabio: Outcome = None
    fabio_arrivals: range = None  # how many requests arrive at the daemon, where that is all that is certain
    fabio_why: str = ""
    why: str = ""

    def bytes(self, etags):
        """What is sent. etags: {cluster: tag}."""
        return b"".join(_head(key, _unescape(text, etags)) for key, text in self.parts)


def _unescape(text, etags):
    out, at = b"", 0
    for match in _ESCAPE.finditer(text):
        out += _plain(text[at:match.start()])
        at = match.end()
        simple, byte, times, repeated, is_etag, cluster = match.groups()
        if simple:
            out += _SIMPLE[simple]
        elif byte:
            out += bytes.fromhex(byte)
        elif times:
            out += _unescape(repeated, etags) * int(times)
        elif is_etag:
            out += etags[cluster].encode()
    return out + _plain(text[at:])


def _plain(text):
    if not re.fullmatch(r"[\x20-\x5b\x5d-\x7e]*", text):
        raise BadCase(f"{text!r} needs an escape")
    return text.encode("ascii")


def _head(key, data):
    if key == "target":
        return b"GET " + data + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    if key == "line":
        return data + b"\r\nHost: x\r\n\r\n"
    if key == "header":
        return b"GET /rocketmq/a HTTP/1.1\r\n" + data + b"\r\n"
    return data


def _outcome(text):
    *answers, end = text.split() or [""]
    if end not in _ENDS:
        raise BadCase(f"no end ({', '.join(_ENDS)}) in {text!r}")
    found = []
    for word in answers:
        match = _ANSWER.fullmatch(word)
        if match is None:
            raise BadCase(f"{word!r} is no answer")
        found += [Answer(int(match[1]), match[2] or "", bool(match[3]))] * int(match[4] or 1)
    return Outcome(tuple(found), end)


def _fabio(case, text):
    word, _, why = text.partition(";")
    case.fabio_why = why.strip()
    word = word.strip()
    arrives = _ARRIVES.fullmatch(word)
    if word == "same":
        case.fabio = case.expect
    elif arrives is not None:
        case.fabio_arrivals = range(int(arrives[1]), int(arrives[2] or arrives[1]) + 1)
    elif word != "no":
        case.fabio = _outcome(word)
    if word != "same" and not case.fabio_why:
        raise BadCase("why is it another through fabio, or not tried?")


def _case(fields, where):
    case = Case(where=where)
    values = dict(fields)
    for key, count in ((key, sum(1 for k, _ in fields if k == key)) for key in _KEYS):
        if count > 1 and key not in _REPEATED:
            raise BadCase(f"{count} lines {key}")
    if sum(key in values for key in _HOW_SENT) != 1:
        raise BadCase(f"one of {', '.join(_HOW_SENT)} is needed")
    for key in ("case", "rfc", "expect", "fabio"):
        if not values.get(key):
            raise BadCase(f"{key} is needed")
    case.name, case.rfc, case.why = values["case"], values["rfc"], values.get("why", "")
    case.expect = _outcome(values["expect"])
    case.newer = _outcome(values["newer"]) if "newer" in values else None
    case.has = [value for key, value in fields if key == "has"]
    case.absent = [value for key, value in fields if key == "not"]
    headers = [value + "\\r\\n" for key, value in fields if key == "header"]
    case.parts = [("header", "".join(headers))] if headers else [
        (key, value) for key, value in fields if key in _HOW_SENT]
    _fabio(case, values["fabio"])
    return case


def read(text, where="?"):
    """The cases of one file."""
    cases, fields = [], []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        try:
            if line.startswith("#"):
                continue
            if line.startswith("    ") and fields:
                key, value = fields[-1]
                fields[-1] = (key, value + ("" if key == "send" else " " if value else "") + line[4:])
            elif line.strip():
                key, colon, value = line.partition(":")
                if not colon or key not in _KEYS:
                    raise BadCase(f"{line!r} is not one of {', '.join(_KEYS)}")
                fields.append((key, value[1:] if value.startswith(" ") else value))
            elif fields:
                cases.append(_case(fields, f"{where}:{number}"))
                fields = []
        except BadCase as error:
            raise BadCase(f"{where}:{number}: {error}") from None
    return cases


def all_cases():
    cases = [case for file in sorted(FOLDER.glob("[0-9]*.txt")) for case in read(file.read_text(), file.name)]
    names = [case.name for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise BadCase(f"cases of the same name: {', '.join(sorted(twice))}")
    return cases
