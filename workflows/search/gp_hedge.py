"""The paper's strategy: a Gaussian process of each condition and GP-Hedge (scikit-optimize)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workflows.campaign import STRATEGIES, Dimension, Strategy
from workflows.search.propose import Asked, Point, Proposal
from workflows.search.space_filling import sobol

if TYPE_CHECKING:
    from skopt import Optimizer


def gp_hedge(asked: Asked) -> Proposal:
    """Sobol points at first, then the model's."""
    return _gaussian_process(asked) if needs_model(asked) else sobol(asked)


def needs_model(asked: Asked) -> bool:
    """Whether the Gaussian process is fitted."""
    return bool(asked.space) and len(asked.told) >= 2 and asked.trial >= asked.search.initial_points


def _gaussian_process(asked: Asked) -> Proposal:
    """GP with a Matern 5/2 kernel and GP-Hedge (scikit-optimize), rebuilt from the trials.

    Pending points are told to the model with the lowest value so far, the constant liar that keeps it from asking
    for them again. The Hedge's gains and candidates come from the previous proposal's state: refitting once a
    proposal gives what an optimiser kept alive would give. Values are NRMSE as they are, between 0 and about 1.4:
    the Hedge adds them to its gains, so that scaling them would change its choices.
    """
    optimizer = _optimizer(asked)
    names, liar = list(asked.space), min(value for _, value in asked.told)
    told = [([point[name] for name in names], value) for point, value in asked.told]
    lies = [([point[name] for name in names], liar) for point in asked.pending]
    *rest, (last_x, last_y) = lies + told
    optimizer.tell([x for x, _ in rest], [y for _, y in rest], fit=False)
    if "gains" in asked.state:
        optimizer.gains_ = np.array(asked.state["gains"])
        if asked.state["told"] < len(told):  # a failed trial taught the Hedge nothing
            optimizer.next_xs_ = [np.array(candidate) for candidate in asked.state["candidates"]]
    optimizer.tell(last_x, last_y)
    state = {
        "gains": [float(gain) for gain in optimizer.gains_],
        "candidates": [[float(u) for u in candidate] for candidate in optimizer.next_xs_],
        "told": len(told),
    }
    return Proposal(clipped(asked.space, optimizer.ask()), state)


def _optimizer(asked: Asked) -> "Optimizer":
    from skopt import Optimizer  # half a second to import, and only the model needs it
    from skopt.space import Real

    priors = {"log": "log-uniform", "linear": "uniform"}
    dimensions = [Real(d.low, d.high, prior=priors[d.scale], name=name) for name, d in asked.space.items()]
    seed = np.random.SeedSequence([asked.seed, asked.trial]).generate_state(1)[0]
    return Optimizer(
        dimensions,
        base_estimator="GP",
        acq_func="gp_hedge",
        acq_optimizer="lbfgs",
        n_initial_points=0,
        random_state=int(seed),
        model_queue_size=1,
        n_jobs=1,
    )


def clipped(space: Mapping[str, Dimension], values: Sequence[float]) -> Point:
    """The optimiser's point, with the last digit's rounding kept inside the range."""
    pairs = zip(space.items(), values, strict=True)
    return {name: float(min(max(value, dimension.low), dimension.high)) for (name, dimension), value in pairs}


STRATEGIES.register(Strategy("gp_hedge", gp_hedge, needs_model=needs_model))
