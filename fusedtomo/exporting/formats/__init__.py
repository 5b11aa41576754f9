"""Which formats can be written for other programs? One file and one line of registration for each."""

from fusedtomo.exporting.formats.emd import HYPERSPY, TOMVIZ
from fusedtomo.exporting.formats.format import Export
from fusedtomo.exporting.formats.imagej import IMAGEJ
from fusedtomo.exporting.formats.mrc import MRC
from fusedtomo.exporting.formats.ome_zarr import OME_ZARR
from fusedtomo.exporting.formats.vtk import VTK
from fusedtomo.registry import Registry

__all__ = ["EXPORTS", "Export"]

EXPORTS: Registry[Export] = Registry("format to export to")
for _export in (TOMVIZ, HYPERSPY, IMAGEJ, MRC, OME_ZARR, VTK):
    EXPORTS.register(_export)
