"""Can these trials be of this campaign? Checked where a whole journal is read, before a map is made of it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from fusedtomo.errors import InputError
from workflows.campaign import STRATEGIES, CampaignConfig, Condition, Dimension
from workflows.campaign.specimen import elements_of
from workflows.record.journal import TrialResult

_ROUNDING = 1e-9  # by which a point may lie outside its range: a strategy goes through logarithms


def check_trials(config: CampaignConfig, trials: Sequence[TrialResult], source: object) -> None:
    """Raise InputError for the first line of a journal that no trial of the campaign can have written.

    Trials of conditions that the campaign does not have, or no longer has, are not looked at: nothing is made of them.
    """
    conditions = {condition.key: condition for condition in config.conditions()}
    spaces = {key: config.space(condition) for key, condition in conditions.items()}
    beyond, elements = _beyond(config, conditions, trials), _elements(config)
    for number, trial in enumerate(trials, start=1):
        if trial.condition not in conditions:
            continue
        found = _fault(trial, spaces[trial.condition], elements)
        if found or (trial.condition, trial.trial) in beyond:
            found = found or f"trial {trial.trial} is beyond the budget, and most before it are missing"
            raise InputError(f"{source}:{number}: not of this campaign ({found}); restore the line or remove it")


def _fault(trial: TrialResult, space: Mapping[str, Dimension], elements: frozenset[str]) -> str:
    for name, point in (("point", trial.point), ("start", trial.start)):
        if point is not None and (found := _outside(point, space)):
            return f"{name} {found}"
    named = {*trial.nrmse_by_element, *trial.rmse_by_element, *trial.snr} - {"HAADF"}
    if elements and named - elements:
        return f"{', '.join(sorted(named - elements))}: the specimen has {', '.join(sorted(elements))}"
    return ""


def _outside(point: Mapping[str, float], space: Mapping[str, Dimension]) -> str:
    """How a point lies outside the space; "" when it does not."""
    for name, dimension in space.items():
        low, high = dimension.low * (1 - _ROUNDING), dimension.high * (1 + _ROUNDING)
        if name in point and not low <= point[name] <= high:
            return f"has {name} = {point[name]:g}, outside {dimension.low:g} to {dimension.high:g}"
    return ""


def _elements(config: CampaignConfig) -> frozenset[str]:
    """The elements of a specimen; none where its family is not there, such as that of a plug-in."""
    try:
        return frozenset(elements_of(config.phantom))
    except InputError:
        return frozenset()


def _beyond(
    config: CampaignConfig, conditions: Mapping[str, Condition], trials: Sequence[TrialResult]
) -> set[tuple[str, int]]:
    """Trials that even a larger budget would not explain: more of those before them are missing than are under way.

    A strategy that sees the campaign chooses how many trials a condition gets, so that no number is beyond.
    """
    if STRATEGIES[config.search.strategy].sees == "campaign":
        return set()
    numbers, highest = Counter(trial.condition for trial in trials), defaultdict[str, int](int)
    for trial in trials:
        highest[trial.condition] = max(highest[trial.condition], trial.trial)
    return {
        (key, highest[key])
        for key, condition in conditions.items()
        if highest[key] >= max(config.evaluations(condition), numbers[key] + config.search.pending)
    }
