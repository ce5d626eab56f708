"""Any value of the domain, for property tests; needs the extra `testing`, which is Hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from tidepool.domain import (
    NodeContext,
    Pointer,
    Provenance,
    QueryContext,
    Rubric,
    ScoutQuery,
    ScoutResponse,
    Status,
    Tag,
    TrainingExample,
    Verdict,
)

texts = st.text(max_size=40)
"""Any text that can be written as UTF-8."""
tags = st.lists(st.sampled_from(Tag), max_size=4).map(tuple)
one_to_five = st.integers(1, 5)
counts = st.integers(0, 10**9)
locations = st.builds(
    "{}:{}".format,
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.integers(1, 10**9 - 1),
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC) | zones)  # noqa: DTZ001

rubrics = st.builds(Rubric, one_to_five, one_to_five, one_to_five, texts)
queries = st.builds(QueryContext, texts, tags)
nodes = st.builds(NodeContext, locations, st.none() | texts, texts)
provenances = st.builds(Provenance, *[st.none() | texts] * 7)
examples = st.builds(TrainingExample, queries, nodes, rubrics, times, st.none() | provenances)
scout_queries = st.builds(ScoutQuery, texts, tags, counts, st.booleans())
pointers = st.builds(
    Pointer,
    location=locations,
    what=texts,
    relevance=one_to_five,
    risk=one_to_five,
    confidence=one_to_five,
    reasoning=texts,
    tags=tags,
    action=texts,
    verdict=st.sampled_from(Verdict),
)
responses = st.builds(
    ScoutResponse,
    summary=texts,
    status=st.sampled_from(Status),
    pointers=st.lists(pointers, max_size=3),
    nodes_visited=counts,
    frontier_left=counts,
    training_examples=st.none() | st.lists(examples, max_size=2),
)
values = st.one_of(rubrics, queries, nodes, provenances, examples, scout_queries, pointers, responses)
"""A value of any class that has a wire format."""

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
"""Any plain data, as JSON may hold it."""
