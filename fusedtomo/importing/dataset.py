"""The import, start to end: in which order do a recipe and its files become a data set?

Saturated HAADF pixels are clipped, every image is shifted by whole pixels, tilts are left out, images are
cropped and turned until the tilt axis is x, then backgrounds and gains are set.
"""

from pathlib import Path

from fusedtomo.importing.frame import frame, read_shifts, shifted
from fusedtomo.importing.levels import clip, with_levels
from fusedtomo.importing.recipe import ImportRecipe
from fusedtomo.importing.stacks import opened_maps, read_pixel_nm, read_stacks, without
from fusedtomo.tilts import FusedDataset, check_signal


def import_dataset(recipe: ImportRecipe, data_dir: str | Path) -> tuple[FusedDataset, list[str]]:
    """Return the data set that a recipe describes, and notes on what was read and done.

    Args:
        recipe: what `read_recipe` returned.
        data_dir: folder that holds the recipe's files.

    Raises:
        InputError: a file, data set or value is missing or unfit; it names file, field, value and cure.
    """
    folder = Path(data_dir)
    notes: list[str] = []
    shifts = read_shifts(recipe.shifts, folder) if recipe.shifts else None
    with opened_maps(recipe, folder) as file:  # to the end, so that every InputError names it
        haadf, maps = read_stacks(recipe, folder, file, notes)
        pixel_nm = read_pixel_nm(recipe.pixel_nm, file, notes)
        haadf = clip(haadf, recipe.haadf_saturation, notes)
        if recipe.shifts and shifts is not None:
            haadf, maps = shifted(recipe.shifts, shifts, haadf, maps, notes)
        haadf, *maps = without(recipe.exclude_angles_deg, [haadf, *maps], notes)
        haadf, *maps = frame(recipe, [haadf, *maps], notes)
        dataset = with_levels(recipe, haadf, maps, pixel_nm, notes)
        check_signal(dataset)
        return dataset, notes
