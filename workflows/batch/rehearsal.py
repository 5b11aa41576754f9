"""Does a trial of every method work at all? One of each, at the smallest size, before anything is started."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from workflows.campaign import CampaignConfig, Condition, Trial
from workflows.campaign.specimen import at_least
from workflows.trial.evaluate import evaluate

_SIZE, _ITERATIONS = 16, 3


def failures(config: CampaignConfig) -> Iterator[str]:
    """What is wrong with the methods whose trial fails."""
    small = _small(config)
    for condition in _one_of_each(small):
        point = {name: dimension.middle for name, dimension in small.space(condition).items()}
        with _unlogged():
            result = evaluate(Trial(small, condition, 0, point))
        if not result.ok:
            size = small.setup(condition).size
            yield f"a trial of {condition.method} fails at {size}^3 already: {result.reason}; mend the campaign"


@contextmanager
def _unlogged() -> Iterator[None]:
    """A failed trial's traceback is for a worker's log; here its reason says enough."""
    log = logging.getLogger("workflows")
    log.disabled, before = True, log.disabled
    try:
        yield
    finally:
        log.disabled = before


def _one_of_each(config: CampaignConfig) -> tuple[Condition, ...]:
    return tuple({condition.method: condition for condition in reversed(config.conditions())}.values())


def _small(config: CampaignConfig) -> CampaignConfig:
    """The campaign with a specimen of the smallest size, and few iterations."""
    specimen = at_least(config.phantom, _SIZE, config.bins)
    axes = config.axes | ({"size": (specimen.size,)} if "size" in config.axes else {})
    solver = {"max_iterations": min(_ITERATIONS, config.solver.max_iterations), "depth": None}
    return config.model_copy(
        update={
            "axes": axes,
            "phantom": specimen,
            "solver": config.solver.model_copy(update=solver),
        }
    )
