"""How are best trials computed again on other noise? Workers do it after the search; each seed has a journal."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from workflows.control.steer import Submit
from workflows.control.volumes import computed, tell_failure
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder
from workflows.report.again import trials_again
from workflows.report.findings import Findings


def compute_again(folder: RunFolder, submit: Submit, console: Console, broken: Callable[[], str] = lambda: "") -> None:
    """Have workers compute what is left of the trials that the campaign wants on other noise.

    Raises:
        WorkersLost: no worker can answer any more; the same command goes on.
    """
    wanted = trials_again(Findings(folder))
    with ExitStack() as stack:
        journals: dict[Path, Journal] = {}
        for other, _ in wanted:
            if other.path not in journals:
                stack.enter_context(other)
                journals[other.path] = stack.enter_context(Journal(other.journal))
        folders = {trial.config.acquisition.seed: other.path for other, trial in wanted}
        trials = [trial for _, trial in wanted]
        for trial, result, why in computed(trials, submit, console, "computing best trials on other noise", broken):
            if result is None:
                tell_failure(console, trial, "on other noise", why)
            else:
                journals[folders[trial.config.acquisition.seed]].append(result)
