"""Does one controller keep hundreds of workers busy, in little time and memory?

python -m benchmarks.steering [--full]

The loop, the journal and the search are the campaign's own. 512 workers are simulated by threads that sleep: 2 s for a
trial, and for a proposal as long as one was measured to take first. Two real ones are Parsl's and evaluate trials of
the quickstart. "Once started" is from when every worker had a first task until the last task was begun.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from threadpoolctl import threadpool_limits

from benchmarks import figures, machine, simulated
from benchmarks.results import Results, table, verdict
from workflows.campaign import Search, Trial, load_campaign
from workflows.control.steer import Steering
from workflows.machines import load_machine
from workflows.record.journal import replay
from workflows.search.propose import Asked, propose
from workflows.workers.start import workers

WORKERS, SIDE, EVALUATIONS, PENDING, TRIAL_S = 512, 20, 50, 2, 2.0  # 400 cells, two trials of a cell at once
REAL_WORKERS, SLOW_DISK_S, FEW = 2, 0.05, 8
POINTS = (10, 20, 30, 40, 50)
SIMULATED_BAR, REAL_BAR, COST_BAR_MS, REPLAY_BAR_S, MEMORY_BAR_MIB = 0.90, 0.95, 3.0, 10.0, 1e9 / 2**20
_CAMPAIGN = Path(__file__).parents[1] / "configs" / "campaigns" / "quickstart.toml"
_PARSL_TASKS = 1000


def proposal_seconds(repeats: int) -> dict[int, float]:
    """Median seconds of a proposal from so many points, by the model in one thread as on a worker."""
    found: dict[int, list[float]] = {points: [] for points in POINTS}
    with threadpool_limits(1):
        propose(_asked(4, 0))  # imports the model
        for seed in range(repeats):
            for points in POINTS:
                asked, began = _asked(points, seed), time.perf_counter()
                propose(asked)
                found[points].append(time.perf_counter() - began)
    return {points: float(np.median(seconds)) for points, seconds in found.items()}


def _asked(points: int, seed: int) -> Asked:
    """A question with so many trials behind it, spread over two weights around one minimum."""
    search: Search = simulated.campaign(1, EVALUATIONS, 1).search
    rng, (haadf, tv) = np.random.default_rng(seed), search.space.values()
    places = rng.random((points, 2))
    told = [
        (
            {"haadf": haadf.low * (haadf.high / haadf.low) ** u, "tv": tv.low * (tv.high / tv.low) ** v},
            0.3 + 0.2 * ((u - 0.6) ** 2 + (v - 0.4) ** 2) + 0.002 * rng.standard_normal(),
        )
        for u, v in places
    ]
    return Asked(search, search.space, points, EVALUATIONS, told, [], {}, seed)


def simulate(journal: Path, times: dict[int, float], evaluations: int, slow_s: float = 0.0) -> simulated.Run:
    """A 400-cell map on 512 sleeping workers; a write of the journal takes `slow_s` more than this disk does."""
    config = simulated.campaign(SIDE, evaluations, PENDING)
    points, seconds = list(times), list(times.values())
    sleepers = simulated.Sleepers(WORKERS, TRIAL_S, lambda told: float(np.interp(told, points, seconds)))
    with _slow_fsync(slow_s):
        return simulated.steer(config, journal, sleepers, WORKERS)


@contextmanager
def _slow_fsync(seconds: float) -> Iterator[None]:
    fsync = os.fsync
    os.fsync = lambda descriptor: (fsync(descriptor), time.sleep(seconds))
    try:
        yield
    finally:
        os.fsync = fsync


def real(folder: Path, full: bool) -> tuple[simulated.Run, float]:
    """Trials of the quickstart on two workers of Parsl; and this process's ms for a task that does nothing."""
    config = load_campaign(_CAMPAIGN)
    if not full:
        one_row = {**config.axes, "haadf_tilts": config.axes["haadf_tilts"][:1]}
        config = config.model_copy(update={"axes": one_row, "methods": config.methods[:1]})
    profile = load_machine("laptop").with_workers(REAL_WORKERS)
    folder.mkdir()
    with workers(profile, folder, Console(quiet=True)) as submit:
        run = simulated.steer(config, folder / "journal", submit, REAL_WORKERS)
        trial = Trial(config, config.conditions()[-1], 0, {"haadf": 0.1, "tv": 1.0})
        began = time.process_time()
        for future in [submit(isinstance, trial, Trial) for _ in range(_PARSL_TASKS)]:
            future.result()
        return run, 1e3 * (time.process_time() - began) / _PARSL_TASKS


def resume(journal: Path, evaluations: int) -> dict[str, float]:
    """What it takes to read a journal and be ready to go on."""
    began = time.perf_counter()
    trials = replay(journal)
    steered = Steering(simulated.campaign(SIDE, evaluations, PENDING), trials, None, None, WORKERS, None)
    seconds = time.perf_counter() - began
    assert all(order.finished for order in steered.orders)
    size = journal.stat().st_size / 2**20
    return {"trials": len(trials), "MiB": size, "seconds": seconds, "peak MiB": machine.peak_memory_mib()}


def alone(function: Callable, *arguments):
    """The function's value from a fresh process, whose memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def run(*, full: bool = False) -> Results:
    """Measure proposals, then steer simulated and real workers, then replay the simulated journal."""
    host, others = machine.describe(), machine.OtherLoad()
    times = proposal_seconds(9 if full else 3)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fast = alone(simulate, folder / "journal", times, EVALUATIONS)
        replayed = alone(resume, folder / "journal", EVALUATIONS)
        slow = alone(simulate, folder / "slow", times, EVALUATIONS if full else FEW, SLOW_DISK_S)
        load = str(others)  # the workers of Parsl would count as other processes
        measured, parsl_ms = alone(real, folder / "real", full)
    disk = f"simulated, {1e3 * SLOW_DISK_S:.0f} ms more a write"
    runs = {"simulated": fast, disk: slow, "Parsl, quickstart": measured}
    cost = {"loop ms": 1e3 * fast.loop_s / fast.trials, "Parsl ms a task": parsl_ms}
    cost["sum of a trial, two tasks"] = cost["loop ms"] + 2 * parsl_ms
    more = {
        "A proposal on one thread": [{"points": points, "seconds": seconds} for points, seconds in times.items()],
        "The controller's processor time": [cost],
        "Reading the journal": [replayed],
    }
    notes = [*_notes(), f"while simulating, {load}", *bars(runs, cost, replayed)]
    curves = {name: simulated.busy_info(each.spans, each.workers) for name, each in runs.items()}
    rows = [_row(name, each) for name, each in runs.items()]
    return Results("steering", host, rows, notes, more, curves=curves, figure=figures.steering(curves))


def _row(name: str, found: simulated.Run) -> dict:
    busy = simulated.busy_once_started(found.spans, found.workers)
    seconds = max(end for *_, end in found.spans) - min(begin for _, begin, _ in found.spans)
    return {
        "workers": name,
        "count": found.workers,
        "trials": found.trials,
        "seconds": seconds,
        "busy once started": _percent(sum(busy.values())),
        "with trials": _percent(busy["trial"]),
        "busy, first to last task": _percent(sum(e - b for _, b, e in found.spans) / (found.workers * seconds)),
        "loop ms a trial": 1e3 * found.loop_s / found.trials,
        "peak MiB": found.peak_mib,
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _notes() -> list[str]:
    return [
        f"simulated: {SIDE**2} cells, {PENDING} trials of a cell at once (there are fewer cells than workers), trials "
        f"of {TRIAL_S:g} s ± 20 %, proposals as measured here; threads that sleep, in the controller's process",
        "busy: with trials or proposals; first to last task: with the start and the end, where work is short",
        "loop ms: processor time of the steering thread, a trial; Parsl ms: processor time of the whole process for a "
        f"task that does nothing, all of Parsl's threads, over {_PARSL_TASKS} of them; a trial is up to two tasks, its "
        "proposal and its evaluation",
        "of two workers the loop hears little, and what it spends a trial is mostly its waking four times a second",
        "real: trials of configs/campaigns/quickstart.toml, its first row alone unless --full; each worker one thread",
    ]


def bars(runs: dict[str, simulated.Run], cost: dict[str, float], replayed: dict[str, float]) -> list[str]:
    """How the required numbers came out."""
    few, many = runs["Parsl, quickstart"], runs["simulated"]
    ms, memory = cost["sum of a trial, two tasks"], max(many.peak_mib, replayed["peak MiB"])
    return [
        _busy_bar(f"{WORKERS} simulated workers", many, SIMULATED_BAR),
        _busy_bar(f"{REAL_WORKERS} real workers", few, REAL_BAR),
        verdict(f"the controller's own cost at most {COST_BAR_MS:g} ms a trial", ms <= COST_BAR_MS, f"{ms:.2f} ms"),
        verdict(
            f"{many.trials} trials replayed within {REPLAY_BAR_S:g} s",
            replayed["seconds"] <= REPLAY_BAR_S,
            f"{replayed['seconds']:.2f} s",
        ),
        verdict("the controller within 1 GB", memory <= MEMORY_BAR_MIB, f"{memory:.0f} MiB"),
    ]


def _busy_bar(name: str, found: simulated.Run, least: float) -> str:
    busy = sum(simulated.busy_once_started(found.spans, found.workers).values())
    return verdict(f"{name} at least {100 * least:.0f} % busy once started", busy >= least, _percent(busy))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the whole quickstart, and all trials on the slow disk")
    results = run(**vars(parser.parse_args()))
    print(table(results.rows), *results.notes, sep="\n")
