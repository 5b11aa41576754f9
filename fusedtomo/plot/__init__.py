"""Figures of volumes and maps: Matplotlib axes or figures in and out.

``ft.plot.slices(volume)``, ``ft.plot.cost(reconstruction)`` and ``ft.plot.sampling_map(map)``; what they draw is made
first as a value (slices_info, history_info, CellsInfo), which other programs may use.
"""

from fusedtomo.front import front

front(
    "fusedtomo.plot",
    {
        "slices": "fusedtomo.plot.quick",
        "cost": "fusedtomo.plot.quick",
        "sampling_map": "fusedtomo.plot.quick",
        "save_figure": "fusedtomo.plot.drawing",
        "element_color": "fusedtomo.plot.elements",
    },
)
