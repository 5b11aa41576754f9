"""Are shifts and the tilt axis found again, and is a real series aligned as well as by another program?

    python -m benchmarks.alignment [--size 128] [--specimen cuo_coo_nanocubes ...]
    python -m benchmarks.alignment --needle FOLDER     HAADF.mrc, HAADF.rawtlt and the moves that ETSpy found

Simulated HAADF images (47 tilts, the paper's SNR) are moved by 5 pixels (standard deviation) along both axes and turned
by 2 degrees. Bars: median error at most 0.1 pixel and 0.1 degree; NRMSE of `fused` after the alignment at most 3 %
above that of images that were never moved. The needle: reprojection error and correlation of neighbours no worse
than after ETSpy's moves.
"""

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks.machine import cpu_model
from fusedtomo.alignment import Moves, align, aligned, neighbour_correlation, reprojection_error
from fusedtomo.reconstruct import reconstruct
from fusedtomo.score import score
from fusedtomo.settings import Acquisition, SolverSettings, Weights
from fusedtomo.simulate import simulate
from fusedtomo.tilts import FusedDataset
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng

SD_PX, AXIS_DEG = 5.0, 2.0
ACQUISITION = {"haadf": {"tilts": {"count": 47}, "snr": 2208.67}, "chemical": {"tilts": {"count": 9}, "snr": 2.5}}
WEIGHTS, SETTINGS = Weights(haadf=0.3, tv=1.0), SolverSettings(max_iterations=100)


def _met(value: float, bar: float) -> str:
    return f"{value:.4g} (bar {bar:g}: {'met' if value <= bar else 'not met'})"


def simulated(name: str, size: int) -> None:
    """Print the errors of one specimen."""
    spec = PhantomSpec(name=name, size=size, seed=1)
    truth = make_phantom(spec, phantom_rng(spec))
    straight = simulate(truth, Acquisition.model_validate(ACQUISITION))
    angles = straight.haadf.scheme.angles_deg
    # without what only moves the whole specimen, so that the aligned volume lies where the truth does
    moves = Moves(np.random.default_rng(0).normal(0, SD_PX, (len(angles), 2)), AXIS_DEG, angles).observable()
    recorded = spoilt(straight, moves)
    began = time.perf_counter()
    found = align(recorded.haadf.counts, angles, recorded.haadf.background)
    seconds = time.perf_counter() - began
    off = replace(moves, shifts_px=found.moves.shifts_px - moves.shifts_px).observable().shifts_px
    print(f"{name} {size}^3: aligned in {seconds:.1f} s, {found.rounds} rounds, began with {found.coarse}")
    print(f"  median error in pixels: {_met(float(np.median(np.linalg.norm(off, axis=1))), 0.1)}")
    print(f"  axis, error in degrees: {_met(abs(found.moves.axis_deg - AXIS_DEG), 0.1)}")
    # HAADF alone was moved: the maps stay as they are, so that what differs is the alignment
    repaired = replace(straight, haadf=aligned(recorded, found.moves).haadf)
    errors = [
        score(reconstruct(one, "fused", WEIGHTS, SETTINGS).volume, truth).nrmse
        for one in (straight, repaired, recorded)
    ]
    print(f"  NRMSE never moved {errors[0]:.4f}, aligned {errors[1]:.4f}, as moved {errors[2]:.4f}")
    print(f"  NRMSE over that of images never moved: {_met(errors[1] / errors[0], 1.03)}")


def spoilt(straight: FusedDataset, moves: Moves) -> FusedDataset:
    """HAADF images as they would be recorded, so that `moves` aligns them."""
    back = np.linalg.inv(moves.rotation)
    centre = (np.array(straight.haadf.counts.shape[1:]) - 1) / 2
    images = [
        ndimage.affine_transform(
            image, back, centre - back @ (centre + shift), order=3, mode="constant", cval=straight.haadf.background
        )
        for image, shift in zip(straight.haadf.counts, moves.shifts_px, strict=True)
    ]
    return replace(straight, haadf=replace(straight.haadf, counts=np.array(images, np.float32)))


def needle(folder: Path) -> None:
    """Print both measures of the needle, as recorded, after ETSpy's moves and after ours."""
    import mrcfile

    images = mrcfile.read(folder / "HAADF.mrc").astype(np.float32)
    angles = tuple(np.loadtxt(folder / "HAADF.rawtlt").tolist())
    level = float(np.percentile(images, 5))
    began = time.perf_counter()
    found = align(images, angles, level)
    print(
        f"needle: aligned in {time.perf_counter() - began:.1f} s, {found.rounds} rounds, "
        f"axis {found.moves.axis_deg:+.2f} degrees"
    )
    told = json.loads((folder / "HAADF_Aligned_shifts.json").read_text())
    shifted = [ndimage.shift(i, s, order=1, mode="nearest") for i, s in zip(images, told["shifts_yx_px"], strict=True)]
    theirs = [ndimage.rotate(i, -told["tiltaxis_deg"], reshape=False, order=1, mode="nearest") for i in shifted]
    for name, one in (
        ("as recorded", images),
        ("ETSpy 1.3", np.array(theirs)),
        ("fusedtomo", found.moves.moved(images)),
    ):
        error, correlation = reprojection_error(one - level, angles), neighbour_correlation(one)
        print(f"  {name}: reprojection error {error:.4f}, correlation of neighbours {correlation:.5f}")


def main() -> None:
    """Read the command line, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--specimen", nargs="*", default=["cuo_coo_nanocubes", "conio_nanotube"])
    parser.add_argument("--needle", type=Path)
    arguments = parser.parse_args()
    print(f"{cpu_model()}, {os.cpu_count()} cores")
    for name in () if arguments.needle else arguments.specimen:
        simulated(name, arguments.size)
    if arguments.needle:
        needle(arguments.needle)


if __name__ == "__main__":
    main()
