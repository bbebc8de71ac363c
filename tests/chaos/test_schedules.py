# SPDX-License-Identifier: Apache-2.0
"""Random schedules: whatever happens in whatever order, what is served keeps the promises, and comes right in the end.

NSADDRD_SCHEDULES=N carries out N of them, NSADDRD_SEED=S the one of that seed.
"""

import multiprocessing
import os
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

from ports import free_port
from recorded import RecordedRun
from schedule import Schedule, draw
from world import CLUSTERS

SCHEDULES = 200
AT_ONCE = 8
_ports = []  # of this worker: of Consul, and the two of the daemon


def test_random_schedules(tmp_path):
    seeds = _seeds()
    begun = time.monotonic()
    workers = min(AT_ONCE, len(seeds))
    offered = multiprocessing.Queue()
    for _ in range(workers):
        offered.put([free_port() for _ in range(3)])
    # Processes, because in threads of one process the pollers would wait for one another.
    with ProcessPoolExecutor(workers, initializer=_take_ports, initargs=(offered,)) as pool:
        jobs = [pool.submit(_carry_out, seed, tmp_path / f"seed-{seed}") for seed in seeds]
        results = [job.result() for job in jobs]
    failed = [complaint for _, complaint in results if complaint]
    print(f"{len(seeds)} schedules, {AT_ONCE} at a time, in {time.monotonic() - begun:.0f} s: "
          f"{sum(answers for answers, _ in results)} answers, {len(failed)} schedules failed")
    assert not failed, "\n\n".join(failed)


def _seeds():
    if "NSADDRD_SEED" in os.environ:
        return [int(os.environ["NSADDRD_SEED"])]
    return range(1, int(os.environ.get("NSADDRD_SCHEDULES") or SCHEDULES) + 1)


def _take_ports(offered):
    """Each worker has ports of its own, for all its schedules."""
    _ports.extend(offered.get())


def _carry_out(seed, folder):
    """How many answers were judged, and what was wrong, with the way to see it again; None if nothing was."""
    folder.mkdir()
    options, steps = draw(seed)
    (folder / "steps").write_text("".join(f"{step}\n" for step in steps))
    run = RecordedRun(f"seed-{seed}", folder, CLUSTERS, ports=_ports, options=options)
    schedule = Schedule(seed, run, steps)
    wrong = []
    try:
        with run:
            schedule.carry_out()
    except Exception:  # of whatever kind: it is told with its seed
        wrong.append(traceback.format_exc())
    wrong += run.violations()
    answers = sum(" serves " in line for line in run.history())
    if not wrong:
        return answers, None
    again = f"NSADDRD_SEED={seed} python3 -m pytest tests/chaos/test_schedules.py"
    return answers, "\n".join([f"seed {seed}, replayed by {again}; its files: {folder}", *wrong])
