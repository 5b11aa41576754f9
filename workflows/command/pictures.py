"""Which pictures are drawn beside a reconstruction? Slices of every element, and the cost over the iterations."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from fusedtomo.methods import METHODS
from fusedtomo.parallel import Comm
from fusedtomo.reconstruct import Reconstruction
from fusedtomo.volume import ChemicalVolume


def write_pictures(
    say: Console, out: Path, truth: ChemicalVolume | None, results: Mapping[str, Reconstruction], comm: Comm
) -> None:
    """Write both as PNG beside `out`; the curves are those of the last result."""
    from fusedtomo.plot.drawing import save_figure, to_figure
    from fusedtomo.plot.history import draw_history, history_info
    from fusedtomo.plot.slices import draw_slices

    volumes = {} if truth is None else {"Truth": truth}
    volumes |= {METHODS[method].label: result.volume for method, result in results.items()}
    info = _slices(volumes, truth is not None, comm)
    if comm.rank > 0:
        return
    slices, cost = out.with_suffix(".slices.png"), out.with_suffix(".cost.png")
    save_figure(to_figure(draw_slices, info), slices)
    history = {name: values for name, values in list(results.values())[-1].history.items() if max(values) > 0}
    save_figure(to_figure(draw_history, history_info(history)), cost)
    say.print(f"{slices}, {cost}", markup=False)


def _slices(volumes: Mapping[str, ChemicalVolume], has_truth: bool, comm: Comm):
    from fusedtomo.plot.slices import slices_info

    depth, width, nx_local = next(iter(volumes.values())).shape
    plane = "zy" if 2 * depth > width else "yx"  # across a slab there is little to see
    if has_truth:
        return slices_info(volumes, plane=plane, comm=comm)
    # the middle, scaled by the last volume: truncated edges and noise would set both otherwise
    middle = (depth if plane == "yx" else sum(comm.widths(nx_local))) // 2
    last = list(volumes)[-1]
    return slices_info(volumes, plane=plane, index=middle, scaled_by=last, brightest=0.995, comm=comm)
