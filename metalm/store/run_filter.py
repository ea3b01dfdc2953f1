"""A filter of runs as a reader writes it, and what it means in SQL.

    algorithm = maml and inner.lr >= 0.1 and status != failed
    (tags = keep or notes ~ "worth a look") and not meta-test@512 > 3
    algorithm in (maml, fomaml) and warm_start is missing
    `bits per byte` < 3 and time > 10

A column is called by its name or by its heading in the table, in backquotes where that has spaces.
Comparisons are = != < <= > >= ~ (contains), `in (…)`, `is missing` and `is not missing`; they join with and,
or, not and parentheses. Text is compared without regard to case. What a run lacks fulfils `is missing` and
`!=` alone. Values are bound, never written into the SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from metalm.errors import FilterError
from metalm.store.run_fields import RunField, named
from metalm.store.values import naive

_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')|`(?P<heading>[^`]*)`|(?P<sign><=|>=|!=|==|[=<>~(),])|(?P<word>[^\s=<>!~(),"'`]+))"""
)
_SIGNS = ("=", "==", "!=", "<", "<=", ">", ">=", "~")
_ORDERED = ("<", "<=", ">", ">=")
_WORDS = ("and", "or", "not", "in", "is")
_DEEPEST = 50  # nots and parentheses inside one another
_LONGEST = 10_000  # characters: what the database reads without its own limits


@dataclass(frozen=True)
class Piece:
    """A part of a query. values: what it wants bound, in their order."""

    sql: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _Token:
    text: str
    kind: str  # quoted, heading, sign, word, end
    at: int

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.text.casefold() == word


def compiled(text: str, value_of: Callable[[RunField], Piece]) -> Piece | None:
    """The condition that `text` states, None when it states none. Raises FilterError, saying what and where.

    value_of: the SQL of a column in the query that it becomes a part of.
    """
    if len(text) > _LONGEST:
        raise FilterError(f"filter must have at most {_LONGEST:,} characters, got {len(text):,}")
    return _Parser(text, value_of).parsed() if text.strip() else None


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if not found:
            rest = text[at:].strip()
            place = _place(text.index(rest, at))
            raise FilterError(f"filter has {rest[:20]!r} that cannot be read{place}")
        kind = found.lastgroup or ""
        tokens.append(_Token(found[kind], kind, found.start(kind)))
        at = found.end()
    return [*tokens, _Token("", "end", len(text))]


def _place(at: int) -> str:
    return f", at character {at + 1}"


class _Parser:
    """Recursive descent: or binds loosest, then and, then not."""

    def __init__(self, text: str, value_of: Callable[[RunField], Piece]) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0
        self._value_of = value_of

    def parsed(self) -> Piece:
        piece = self._any()
        if self._here.kind != "end":
            raise self._expected("and, or, or the end")
        return piece

    @property
    def _here(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._here
        self._next += token.kind != "end"
        return token

    def _took(self, word: str) -> bool:
        if self._here.is_word(word) or (self._here.kind == "sign" and self._here.text == word):
            self._take()
            return True
        return False

    def _expected(self, what: str) -> FilterError:
        token = self._here
        got = "the end" if token.kind == "end" else repr(token.text)
        return FilterError(f"filter must go on with {what}, got {got}{_place(token.at)}")

    def _any(self) -> Piece:
        return self._joined("or", self._all)

    def _all(self) -> Piece:
        return self._joined("and", self._not)

    def _joined(self, word: str, part: Callable[[], Piece]) -> Piece:
        pieces = [part()]
        while self._took(word):
            pieces.append(part())
        if len(pieces) == 1:
            return pieces[0]
        sql = f" {word.upper()} ".join(piece.sql for piece in pieces)
        return Piece(f"({sql})", tuple(value for piece in pieces for value in piece.values))

    def _not(self) -> Piece:
        if self._took("not"):
            piece = self._inside(self._not)
            return Piece(f"(NOT {piece.sql})", piece.values)
        if self._took("("):
            piece = self._inside(self._any)
            if not self._took(")"):
                raise self._expected("')'")
            return piece
        return self._comparison()

    def _inside(self, part: Callable[[], Piece]) -> Piece:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FilterError(f"filter must have at most {_DEEPEST} nots and parentheses in one another")
        piece = part()
        self._depth -= 1
        return piece

    def _comparison(self) -> Piece:
        is_word = self._here.kind == "word" and self._here.text.casefold() not in _WORDS
        if not is_word and self._here.kind != "heading":
            raise self._expected("the name of a column")
        token = self._take()
        column = named(token.text)
        if self._took("is"):
            return self._missing(column)
        if self._took("in"):
            return self._one_of(column)
        if self._here.kind != "sign" or self._here.text not in _SIGNS:
            raise self._expected(f"=, !=, <, <=, >, >=, ~, in or is after {token.text!r}")
        sign = self._take().text.replace("==", "=")
        return self._compare(column, sign, self._value())

    def _missing(self, column: RunField) -> Piece:
        negated = self._took("not")
        if not self._took("missing"):
            raise self._expected("'missing'")
        value = self._value_of(column)
        gone = f"({value.sql}) IS NULL"
        if column.kind == "text":
            gone = f"coalesce({value.sql}, '') = ''"
        elif column.kind == "words":
            gone = f"len({value.sql}) = 0"
        return Piece(f"(NOT {gone})" if negated else f"({gone})", value.values)

    def _one_of(self, column: RunField) -> Piece:
        if not self._took("("):
            raise self._expected("'(' after in")
        pieces = [self._compare(column, "=", self._value())]
        while self._took(","):
            pieces.append(self._compare(column, "=", self._value()))
        if not self._took(")"):
            raise self._expected("',' or ')'")
        sql = " OR ".join(piece.sql for piece in pieces)
        return Piece(f"({sql})", tuple(value for piece in pieces for value in piece.values))

    def _value(self) -> str:
        if self._here.kind not in ("word", "quoted"):
            raise self._expected("a value")
        token = self._take()
        return token.text[1:-1] if token.kind == "quoted" else token.text

    def _compare(self, column: RunField, sign: str, value: str) -> Piece:
        left = self._value_of(column)
        sql, bound = _CONDITIONS[column.kind](column, left.sql, sign, value)
        return Piece(f"coalesce({sql}, {'true' if sign == '!=' else 'false'})", (*left.values, bound))


def _text(column: RunField, left: str, sign: str, value: str) -> tuple[str, Any]:
    if sign in _ORDERED:
        raise FilterError(f"{column.key} is text and must be compared by =, != or ~, got {sign}")
    if sign == "~":
        return f"contains(lower({left}), lower(?))", value
    return f"lower({left}) {sign} lower(?)", value


def _words(column: RunField, left: str, sign: str, value: str) -> tuple[str, Any]:
    if sign in _ORDERED:
        raise FilterError(f"{column.key} are words and must be compared by =, != or ~, got {sign}")
    if sign == "~":
        return f"contains(lower(array_to_string({left}, ' ')), lower(?))", value
    has = f"list_contains(list_transform({left}, lambda word: lower(word)), lower(?))"
    return (f"NOT {has}" if sign == "!=" else has), value


def _number(column: RunField, left: str, sign: str, value: str) -> tuple[str, Any]:
    try:
        number = float(value)
    except ValueError:
        raise FilterError(f"{column.key} must be compared with a number, got {value!r}") from None
    _no_tilde(column, sign)
    return f"{left} {sign} ?", number


def _time(column: RunField, left: str, sign: str, value: str) -> tuple[str, Any]:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise FilterError(
            f"{column.key} must be compared with a date such as 2026-01-31, got {value!r}"
        ) from None
    _no_tilde(column, sign)
    # Times are kept in UTC; one without a zone is meant as what the table shows.
    return f"{left} {sign} ?", naive(moment) if moment.tzinfo else moment


def _flag(column: RunField, left: str, sign: str, value: str) -> tuple[str, Any]:
    answers = {"yes": True, "true": True, "no": False, "false": False}
    if value.casefold() not in answers or sign not in ("=", "!="):
        raise FilterError(f"{column.key} must be = or != yes or no, got {sign} {value!r}")
    return f"{left} {sign} ?", answers[value.casefold()]


def _no_tilde(column: RunField, sign: str) -> None:
    if sign == "~":
        raise FilterError(f"{column.key} is no text and must be compared by =, !=, <, <=, > or >=, got ~")


_CONDITIONS = {"text": _text, "words": _words, "number": _number, "time": _time, "flag": _flag}
