# SPDX-License-Identifier: Apache-2.0
"""The part of Consul's filter language (go-bexpr) that a client of ours may use.

Selectors with dots, == != in "not in" contains "not contains" matches "not matches" "is empty"
"is not empty", and / or / not and parentheses. `matches` is an unanchored regular expression.
"""

import re

_TOKEN = re.compile(r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<mark>==|!=|\(|\))|(?P<word>[^\s()=!"`]+))')


class BadFilter(Exception):
    pass


def compile_filter(text):
    """A function that tells whether a JSON object passes the filter."""
    parser = _Parser(_tokens(text))
    test = parser.either()
    if parser.peek() is not None:
        raise BadFilter(f"unexpected {parser.peek()}")
    return test


def _tokens(text):
    tokens, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise BadFilter(f"at {at}: {text[at:]!r}")
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens):
        self._tokens = tokens

    def peek(self):
        return self._tokens[0] if self._tokens else None

    def either(self):
        tests = [self._all()]
        while self._skip("or"):
            tests.append(self._all())
        return lambda row: any(test(row) for test in tests)

    def _all(self):
        tests = [self._one()]
        while self._skip("and"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self):
        if self._skip("not"):
            test = self._one()
            return lambda row: not test(row)
        if self._skip("("):
            test = self.either()
            self._need(")")
            return test
        return self._comparison()

    def _comparison(self):
        left = self._take()
        negate, verb = self._verb()
        if verb == "empty":
            return lambda row: (not _select(row, left[1])) != negate
        right = self._take()
        if verb == "in":
            value, selector = _literal(left), right[1]
        elif verb == "matches":
            value, selector = _regex(_literal(right)), left[1]
        else:
            value, selector = _literal(right), left[1]
        return lambda row: _apply(verb, _select(row, selector), value) != negate

    def _verb(self):
        _, word = self._take()
        if word == "is":
            negate = self._skip("not")
            self._need("empty")
            return negate, "empty"
        if word == "not":
            _, word = self._take()
            return True, self._known(word, ("in", "contains", "matches"))
        if word == "!=":
            return True, "=="
        return False, self._known(word, ("==", "in", "contains", "matches"))

    @staticmethod
    def _known(word, verbs):
        if word not in verbs:
            raise BadFilter(f"unknown operator {word}")
        return word

    def _take(self):
        if not self._tokens:
            raise BadFilter("it ends too early")
        return self._tokens.pop(0)

    def _skip(self, word):
        if self._tokens and self._tokens[0][0] != "text" and self._tokens[0][1] == word:
            self._tokens.pop(0)
            return True
        return False

    def _need(self, word):
        if not self._skip(word):
            raise BadFilter(f"{word} is missing")


def _literal(token):
    kind, text = token
    if kind != "text":
        return text
    return text[1:-1] if text[0] == "`" else re.sub(r"\\(.)", r"\1", text[1:-1])


def _regex(text):
    """Go writes a character as \\x{HH}; what else the two languages differ in is not used here."""
    try:
        return re.compile(re.sub(r"\\x\{([0-9A-Fa-f]{1,6})\}", lambda match: rf"\U{int(match[1], 16):08x}", text))
    except re.error as error:
        raise BadFilter(f"error parsing regexp: {error}") from error


def _select(row, selector):
    for name in selector.split("."):
        row = row.get(name) if isinstance(row, dict) else None
    return row


def _apply(verb, value, wanted):
    if verb == "==":
        return str("" if value is None else value) == wanted
    if verb == "matches":
        return wanted.search(value or "") is not None
    return wanted in (value or "")
