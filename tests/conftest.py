"""How the tests run: the same examples every time, and nothing that depends on how fast the machine is."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# Where this was started in a way that ignores them (`nohup`), so would every process that a test starts.
for name in ("SIGINT", "SIGHUP"):
    number = getattr(signal, name, None)
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)

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
