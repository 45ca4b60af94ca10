"""Splits a text into terms as a vectorizer of scikit-learn does: words, runs of words, or runs of
characters.

scikit-learn builds its analyzer anew for each request, which takes longer than the splitting.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

Split = Callable[[str], list[str]]

SEVERAL_BLANKS = re.compile(r"\s\s+")

USUAL_PATTERN = r"(?u)\b\w\w+\b"
"""scikit-learn's default: words of two letters or more."""

BLANK_FOR_SIGN = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}


@dataclass(frozen=True)
class TextOptions:
    """The options of a vectorizer, by scikit-learn's names for them.

    stop_words: the words themselves; only ``word`` leaves them out.
    least, most: ``ngram_range``.
    """

    analyzer: Literal["word", "char", "char_wb"]
    lowercase: bool
    strip_accents: Literal["ascii", "unicode"] | None
    token_pattern: str
    stop_words: tuple[str, ...]
    least: Annotated[int, Field(ge=1)]
    most: int


def splitter(options: TextOptions) -> Split:
    """Return what splits a text. Raises re.error if the pattern is none."""
    split = {"word": _words, "char": _runs, "char_wb": _runs_in_words}[options.analyzer](options)
    strip = {"ascii": _to_ascii, "unicode": _without_accents, None: None}[options.strip_accents]
    if strip:
        stripped = strip
        if options.lowercase:
            return lambda text: split(stripped(text.lower()))
        return lambda text: split(stripped(text))
    if options.lowercase:
        return lambda text: split(text.lower())
    return split


def _words(options: TextOptions) -> Split:
    find: Split = re.compile(options.token_pattern).findall
    if options.token_pattern == USUAL_PATTERN:
        find = _usual_words(find)
    stop_words = frozenset(options.stop_words)
    sizes = range(options.least, options.most + 1)

    def kept(text: str) -> list[str]:
        return [word for word in find(text) if word not in stop_words]

    words = kept if stop_words else find
    if options.most == 1:
        return words

    def runs(text: str) -> list[str]:
        single = words(text)
        terms: list[str] = []
        for size in sizes:
            shifted = (single[start:] for start in range(size))
            terms += single if size == 1 else map(" ".join, zip(*shifted, strict=False))
        return terms

    return runs


def _usual_words(find: Split) -> Split:
    """Return the same as ``find``, which takes three times as long for plain English."""

    def words(text: str) -> list[str]:
        if not text.isascii():
            return find(text)
        return [word for word in text.translate(BLANK_FOR_SIGN).split() if len(word) > 1]

    return words


def _runs(options: TextOptions) -> Split:
    sizes = range(options.least, options.most + 1)

    def runs(text: str) -> list[str]:
        text = SEVERAL_BLANKS.sub(" ", text)
        return [
            text[start : start + size] for size in sizes for start in range(len(text) - size + 1)
        ]

    return runs


def _runs_in_words(options: TextOptions) -> Split:
    sizes = range(options.least, options.most + 1)

    def runs(text: str) -> list[str]:
        terms: list[str] = []
        for word in text.split():
            padded = f" {word} "
            for size in sizes:
                if len(padded) <= size:  # a short word counts once
                    terms.append(padded)
                    break
                terms += [padded[start : start + size] for start in range(len(padded) - size + 1)]
        return terms

    return runs


def _to_ascii(text: str) -> str:
    if text.isascii():
        return text
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    normal = unicodedata.normalize("NFKD", text)
    return "".join([letter for letter in normal if not unicodedata.combining(letter)])
