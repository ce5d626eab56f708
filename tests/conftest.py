"""How the tests run: the same examples every time, and nothing that depends on how fast the machine is."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],  # it times the test
)
# Run now and then by hand: `make test ARGS='--hypothesis-profile thorough'`.
settings.register_profile("thorough", settings.get_profile("repeatable"), derandomize=False, max_examples=2_000)
settings.load_profile("repeatable")
