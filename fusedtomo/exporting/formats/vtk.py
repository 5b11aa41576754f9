"""ParaView, PyVista, 3D Slicer: VTK image data, an array for each element."""

from pathlib import Path

from fusedtomo.exporting.content import Content
from fusedtomo.exporting.formats.format import Export
from fusedtomo.files import replacing


def _write(content: Content, path: Path) -> list[Path]:
    import pyvista

    origin = [-(n - 1) / 2 * content.edge_nm for n in content.shape]
    grid = pyvista.ImageData(dimensions=content.shape, spacing=3 * (content.edge_nm,), origin=origin)
    for name, array in content.arrays.items():
        grid.point_data[name] = array.ravel(order="F")  # x runs fastest
    with replacing(path) as temporary:
        grid.save(temporary)
    return [path]


VTK = Export("vtk", "ParaView, PyVista, 3D Slicer", ".vti", _write, package="pyvista", extra="views")
