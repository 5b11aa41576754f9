"""Files for other programs: how do volumes and data sets of ours get into what people have open beside?

`export` writes a file of any registered format (`formats`); one value, one file and one line of registration each, here
or in a plug-in (docs/adding.md). What a format sees is a `Content`: named arrays on one grid, turned into the order of
axes that the field's programs expect, with their calibration. `fusedtomo import` reads data sets back
(docs/formats.md).
"""

from fusedtomo.exporting.content import Content, contents_of
from fusedtomo.exporting.formats import EXPORTS, Export
from fusedtomo.exporting.write import export, files_of

__all__ = ["EXPORTS", "Content", "Export", "contents_of", "export", "files_of"]
