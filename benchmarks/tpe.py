"""What does Optuna's TPE find with the same trials? A study a cell; nothing where Optuna is not installed."""

from importlib.util import find_spec

import numpy as np

from benchmarks.landscapes import Landscape


def installed() -> bool:
    """Whether Optuna is there (`pip install optuna`)."""
    return find_spec("optuna") is not None


def regrets(land: Landscape, evaluations: int, seed: int) -> np.ndarray:
    """(cell,) of the best of so many trials, by Optuna's defaults."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = []
    for number, (key, _) in enumerate(land.least.items()):
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1000 * seed + number))

        def error(trial: "optuna.Trial", key: str = key) -> float:
            place = np.array([trial.suggest_float(name, 0.0, 1.0) for name in ("haadf", "tv")])
            return min(land.error(key, place, cheap=False), 2.0)

        study.optimize(error, n_trials=evaluations)
        found.append(land.regret(key, study.best_value))
    return np.array(found)
