"""Measured tilt series: how do a laboratory's stacks become a fused data set?

A recipe (TOML, `fusedtomo.importing.recipe`) says where the stacks, angles and pixel size are, in a file of any
registered format (`formats`), how the images are shifted by what is known, cropped and turned (`frame`), and what a
count means (`levels`). Names in it are relative to the data folder and cannot leave it.
Nothing is taken on trust: `import_dataset` returns notes that say in plain words what was read and done, because
vendors' metadata lies (tilt 0.0 in every Bruker file, pixels of 1 Angstrom in MRC).
"""

from fusedtomo.importing.dataset import import_dataset
from fusedtomo.importing.recipe import ImportRecipe, read_recipe

__all__ = ["ImportRecipe", "import_dataset", "read_recipe"]
