"""Secrets in code, such as keys and passwords, are replaced by a mark before a set is written.

What is one, detect-secrets knows: all its detectors but the one of addresses look at every line, and nothing is asked
over the network. What looks random is one if it is quoted, or is all of a long line, as in the body of a key.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

import attrs

from tidepool.domain import TrainingExample

MARK: Final = "<secret>"

LINES_REMEMBERED: Final = 32_768
"""The lines around one place are mostly those around another one."""

BASE64_BITS: Final = 4.5
HEX_BITS: Final = 3.0
"""The entropy of a character from which on quoted text is a secret: with these limits, 54 of the 190,115 different
lines of twelve published packages hold one, most of them hashes and tokens in their tests."""

FEWEST_CHARACTERS: Final = 4
"""What is shorter is no password, but an example of one."""

_ENTROPY: Final = frozenset({"Base64 High Entropy String", "Hex High Entropy String"})
_KEYWORD: Final = "Secret Keyword"
_PRIVATE_KEY: Final = "Private Key"
_LEFT_OUT: Final = frozenset({"Public IP (ipv4)", _KEYWORD, *_ENTROPY})
_WORTH_A_LOOK: Final = re.compile(r"\d|[\"'`]|://|PRIVATE KEY")
_REST_OF_TOKEN: Final = re.compile(r"[\w.+/=-]*")
_REST_OF_KEY: Final = re.compile(r"[^\"'`]*")
_KEY_BODY: Final = re.compile(r"[\s\"'`bru(]*(?P<key>[A-Za-z0-9+/=]{16,})(?:\\n)?[\s\"'`\\,)+]*")
_KEY_LINE: Final = re.compile(r"[\s\"'`bru(]*(?P<key>[A-Za-z0-9+/]{60,}={0,2})(?:\\n)?[\s\"'`\\,)+]*")


class _Secret(NamedTuple):
    start: int
    end: int
    type: str


class _Scrubbed(NamedTuple):
    line: str
    types: tuple[str, ...]


class Scrubber:
    """Replaces secrets, and counts them.

    Attributes:
        found: how many there were, by the detector's name for them.
    """

    def __init__(self) -> None:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
        from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString
        from detect_secrets.plugins.keyword import QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP

        self.found: Counter[str] = Counter()
        known: dict[str, Any] = get_mapping_from_secret_type_to_class()
        self._tokens = [known[name]() for name in sorted(known) if name not in _LEFT_OUT]
        self._random: list[Any] = [Base64HighEntropyString(BASE64_BITS), HexHighEntropyString(HEX_BITS)]
        self._keywords = QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP
        self._scrubbed = lru_cache(LINES_REMEMBERED)(self._scrub)

    def scrubbed(self, example: TrainingExample) -> TrainingExample:
        """The example without the secrets in its texts, which keep their lines; its question is not looked at."""
        node, rubric, origin = example.node, example.rubric, example.provenance
        hover, snippet = node.hover and self.text(node.hover), self.text(node.snippet)
        reasoning = self.text(rubric.reasoning)
        disputed = self.text(origin.disputed) if origin and origin.disputed else None
        return attrs.evolve(
            example,
            node=attrs.evolve(node, hover=hover, snippet=snippet),
            rubric=attrs.evolve(rubric, reasoning=reasoning),
            provenance=origin and attrs.evolve(origin, disputed=disputed),
        )

    def text(self, text: str) -> str:
        """A text without its secrets."""
        lines: list[str] = []
        in_key = False
        for line in text.split("\n"):
            body = _KEY_BODY.fullmatch(line) if in_key else None
            if body is not None:
                lines.append(f"{line[: body.start('key')]}{MARK}{line[body.end('key') :]}")
                continue
            scrubbed = self._scrubbed(line)
            self.found.update(scrubbed.types)
            in_key = _PRIVATE_KEY in scrubbed.types
            lines.append(scrubbed.line)
        return "\n".join(lines)

    def _scrub(self, line: str) -> _Scrubbed:
        if not _WORTH_A_LOOK.search(line):
            return _Scrubbed(line, ())
        found = {*self._in_tokens(line), *self._in_assignments(line), *self._in_random(line)}
        parts, types, end = [], [], 0
        for secret in sorted(found, key=lambda one: (one.start, one.type in _ENTROPY, one)):
            if secret.start >= end:
                parts += [line[end : secret.start], MARK]
                types.append(secret.type)
            end = max(end, secret.end)
        return _Scrubbed("".join([*parts, line[end:]]), tuple(types))

    def _in_tokens(self, line: str) -> Iterator[_Secret]:
        """What has the form of a service's keys."""
        for detector in self._tokens:
            values = set(detector.analyze_string(line))
            matches = (match for pattern in detector.denylist for match in pattern.finditer(line)) if values else ()
            for match in matches:
                if values.isdisjoint((match[0], *match.groups())):
                    continue
                # A group that opens the match is the prefix of a key; any other is the key itself.
                start, end = match.span(1 if match.lastindex and match.start(1) > match.start() else 0)
                rest = _REST_OF_KEY if detector.secret_type == _PRIVATE_KEY else _REST_OF_TOKEN
                if not _is_blank(line[start:end]):
                    yield _Secret(start, _end(rest, line, end), detector.secret_type)

    def _in_assignments(self, line: str) -> Iterator[_Secret]:
        """What is quoted beside a name such as `password`."""
        for pattern, group in self._keywords.items():
            match = pattern.search(line)
            if match and len(match[group]) >= FEWEST_CHARACTERS and not _is_blank(match[group]):
                yield _Secret(*match.span(group), _KEYWORD)

    def _in_random(self, line: str) -> Iterator[_Secret]:
        """What no person would have written."""
        for detector in self._random:
            for match in (*detector.regex.finditer(line), *_KEY_LINE.finditer(line)):
                start, end = match.span("key" if "key" in match.re.groupindex else 2)
                if _is_random(detector, line[start:end]):
                    yield _Secret(start, end, detector.secret_type)


def _end(rest: re.Pattern[str], line: str, start: int) -> int:
    match = rest.match(line, start)
    return match.end() if match else start


def _is_random(detector: Any, value: str) -> bool:
    from detect_secrets.filters.heuristic import is_sequential_string

    if not (any(map(str.isdigit, value)) and any(map(str.isalpha, value))):  # a long name, or a number
        return False
    return detector.calculate_shannon_entropy(value) > detector.entropy_limit and not is_sequential_string(value)


def _is_blank(value: str) -> bool:
    """Whether something else is to stand here: `{password}`, `<token>`, `****`."""
    from detect_secrets.filters.heuristic import is_not_alphanumeric_string, is_templated_secret

    return is_templated_secret(value) or (value.isascii() and is_not_alphanumeric_string(value) and not value.isdigit())
