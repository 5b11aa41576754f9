"""Findings of a run that was never made: a campaign, a map and trials as a test wants them."""

from functools import cached_property

import numpy as np
import xarray as xr

from workflows.maps.sampling_map import METHOD
from workflows.paper.claims import Found


class Stub:
    """Findings with a map of given errors by method, (axis, ...), and with trials.

    Every measure of the map that a test does not give is the error itself.
    """

    def __init__(self, config, errors=None, trials=(), **measures):
        self.config, self.trials, self.errors, self.measures = config, list(trials), errors or {}, measures

    @cached_property
    def map(self):
        coords = {METHOD: list(self.errors), **{name: list(values) for name, values in self.config.axes.items()}}
        stacked = np.stack([np.asarray(values, float) for values in self.errors.values()])
        names = {"error": stacked, "nrmse": stacked, "stoichiometry_error": stacked, **self.measures}
        return xr.Dataset({name: xr.DataArray(values, coords, dims=list(coords)) for name, values in names.items()})

    def cells(self, wanted):
        return [self.config.cell(self.config.methods[0], values) for values in wanted]

    @staticmethod
    def first(cell):
        return cell


def said(found):
    """What was found as a reader sees it: its numbers are written."""
    return Found(found.text, found.holds)
