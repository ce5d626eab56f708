"""Edits of how a function runs: `def` to `async def`."""

from __future__ import annotations

from tidepool.editing.definitions import Definition, namesakes
from tidepool.editing.outcome import has_own, is_async
from tidepool.editing.signature import is_property
from tidepool.editing.statements import decorators
from tidepool.editing.text import Cut, Refusal, Text
from tidepool.reading.coroutines import can_be_async


def made_async(text: Text, found: Definition) -> list[Cut]:
    """The function as a coroutine function, in every place that defines it: overloads and branches too.

    Raises:
        Refusal: it is none, is one already, or is one that nobody could await.
    """
    if found.is_class:
        raise Refusal("a class cannot be awaited, only its methods can")
    places = [place for place in namesakes(text, found) if place.is_function]
    if not found.is_function or not places:
        raise Refusal("it is no function that is written here")
    name = text.of(found.name)
    if not can_be_async(name):
        raise Refusal(f"nobody awaits `{name}`: Python itself calls it")
    if any(is_property(text, node) for place in places for node in decorators(place.node)):
        raise Refusal("a property is read without a call, and nobody awaits what is read")
    if any(has_own(text, place.node, "yield") for place in places):
        raise Refusal("it yields, so it would be iterated over asynchronously, and not awaited")
    starts = [place.node.start_byte for place in places if not is_async(place.node)]
    if not starts:
        raise Refusal("it is async already")
    return [Cut(start, start, "async ") for start in starts]
