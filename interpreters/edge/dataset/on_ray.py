"""A build over many machines: every codebase's part is a task of Ray's, which needs the extra `ray`.

The machines must see the same files under the same paths. What is written down is the same as without Ray, since every
part writes its own journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from interpreters.edge.dataset.journal import Line
from tidepool.errors import ConfigError

if TYPE_CHECKING:
    from interpreters.edge.dataset.engines import Engine, Job
    from interpreters.edge.dataset.rounds import Heard


def on_ray(jobs: int) -> Engine:
    """Play jobs as tasks, each on one processor: of the cluster that `RAY_ADDRESS` names, or of one started here.

    Args:
        jobs: how many processors the one that is started here has.

    Raises:
        ConfigError: Ray is not installed.
    """
    if find_spec("ray") is None:
        raise ConfigError("ray cannot be imported: install the extra, `semantic-scout[ray]`, or leave out --engine")
    ray: Any = import_module("ray")

    def played(job: Job) -> list[Line]:
        lines: list[Line] = []
        asyncio.run(job.play(lines.append))
        return lines

    async def engine(parts: Sequence[Job], heard: Heard) -> None:
        if not ray.is_initialized():
            ray.init(num_cpus=jobs, include_dashboard=False, log_to_driver=False)
        task = ray.remote(max_retries=1)(played)
        waiting: list[Any] = [task.remote(part) for part in parts]
        while waiting:
            (done, *_), waiting = await asyncio.to_thread(ray.wait, waiting, num_returns=1)
            lines = await asyncio.to_thread(ray.get, done)
            for line in lines:
                heard(line)

    return engine
