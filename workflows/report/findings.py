"""What did a run find? Its trials, map and reconstructions, as the products of a report see them."""

import json
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr

from fusedtomo.errors import InputError
from fusedtomo.io import read_attributes, read_history, read_volume
from fusedtomo.volume import ChemicalVolume
from workflows.campaign import Condition, Trial, Value
from workflows.maps.sampling_map import Winners, best_by_condition, lowest, sampling_map
from workflows.record.journal import TrialResult
from workflows.record.runfolder import RunFolder
from workflows.trial.bench import truth_of

VOLUMES = "volumes"


class Findings:
    """A run as its products see it.

    Reconstructions are those of the best trial of a condition, which workers make after the search: here they are
    only read. Of a cell that is averaged over repeats, the first repeat's stands for it.

    Attributes:
        path: the run folder.
        config: the campaign.
        trials: all that its journal holds.
    """

    def __init__(self, folder: RunFolder):
        self.path, self.config, self.trials = folder.path, folder.config, folder.trials()

    @cached_property
    def winners(self) -> Winners:
        """The best trial of every condition."""
        return best_by_condition(self.config, self.trials)

    @cached_property
    def map(self) -> xr.Dataset:
        """The sampling map and the atlas (workflows/maps/sampling_map.py)."""
        return sampling_map(self.config, self.trials)

    def cells(self, wanted: tuple[tuple[Value, ...], ...]) -> list[Condition]:
        """The first method's cells asked for, else the one of the lowest error, else none."""
        method = self.config.methods[0]
        return [self.config.cell(method, values) for values in wanted or lowest(self.map, method)[:1]]

    def beside(self, cell: Condition) -> dict[str, Condition]:
        """The conditions of all methods under a cell's conditions, those with the fewest terms first."""
        at = dict(cell.at)
        values = tuple(at.get(name, known[0]) for name, known in self.config.axes.items())
        rows = {method: self.config.cell(method, values) for method in reversed(self.config.methods)}
        return {method: self.first(cell) for method, cell in rows.items()}

    def first(self, cell: Condition) -> Condition:
        """The condition that stands for a cell: the first of its repeats."""
        return self.config.repeated(cell)[0]

    def best(self, condition: Condition) -> TrialResult | None:
        """The best trial of a condition; None without one."""
        return self.winners.get(condition)

    def reconstruction_of(self, condition: Condition) -> Path:
        """The file of a condition's best reconstruction, whether it is there or not."""
        return self.path / VOLUMES / f"{condition.key}.h5"

    def is_kept(self, condition: Condition) -> bool:
        """Whether that file is there, and of the best trial so far."""
        winner, path = self.best(condition), self.reconstruction_of(condition)
        if winner is None or not path.is_file():
            return False
        try:
            facts = read_attributes(path)
        except InputError:
            return False
        of = (condition.key, winner.trial, json.dumps(winner.point), self.config.fingerprint())
        return of == tuple(facts.get(name) for name in ("condition", "trial", "point", "fingerprint"))

    def volume(self, condition: Condition) -> ChemicalVolume:
        """The best reconstruction of a condition."""
        return read_volume(self.reconstruction_of(condition))

    def history(self, condition: Condition) -> dict[str, np.ndarray]:
        """Cost terms of that reconstruction by name, each (iteration,)."""
        return read_history(self.reconstruction_of(condition))

    def truth(self, condition: Condition) -> ChemicalVolume:
        """The ground truth of a condition, of the elements that it maps."""
        winner = self.best(condition)
        elements = tuple(winner.nrmse_by_element) if winner else None
        return truth_of(self.config, condition, elements)

    def to_keep(self, condition: Condition) -> Trial:
        """The trial whose reconstruction is to be kept, for a worker."""
        winner, path = self.winners[condition], self.reconstruction_of(condition).resolve()
        assert winner is not None
        return Trial(self.config, condition, winner.trial, winner.point, winner.start, keep=str(path))
