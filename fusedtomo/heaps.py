"""Heaps of HDF5: is text of any length, as earlier versions wrote it and xarray writes it, safe to read?

HDF5 keeps such values in global heaps without a checksum (HDF5 File Format Specification 3.0, section III.E), and HDF5
2.0 reads a damaged one for ever: free space of size 0 leads it to itself.
"""

import mmap
import os
import struct
from functools import lru_cache

import h5py

from fusedtomo.errors import InputError

_MARK = b"GCOL\x01\0\0\0"  # with version and reserved bytes: no numbers of a data set look like it by chance
_HEADER = 16  # mark, version and size of a heap; also number, references and size of an object in it
_SIZE, _OBJECT = struct.Struct("<Q"), struct.Struct("<H6xQ")


def check_heaps(file: h5py.File) -> None:
    """Refuse a file in which a heap is not filled by its objects from end to end."""
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise InputError("has addresses of an odd size; convert it with h5repack first")
    status = os.stat(file.filename)
    if status.st_size and not _all_filled(file.filename, status.st_size, status.st_mtime_ns):
        raise InputError("is damaged (a heap of texts); copy it again or write it anew")


@lru_cache(maxsize=16)
def _all_filled(path: str, _size: int, _changed_ns: int) -> bool:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_MARK)
        while start >= 0:
            if not _is_filled(content, start):
                return False
            start = content.find(_MARK, start + 1)
    return True


def _is_filled(content: mmap.mmap, start: int) -> bool:
    """Whether the objects of a heap fill it; a heap that is longer than its file, HDF5 refuses itself."""
    if start + _HEADER > len(content):
        return True
    place, end = start + _HEADER, start + int(_SIZE.unpack_from(content, start + 8)[0])
    if end > len(content):
        return True
    while place + _HEADER <= end:
        number, size = map(int, _OBJECT.unpack_from(content, place))
        if number == 0:  # free space, which is last
            return place + size == end
        place += _HEADER + -(-size // 8) * 8
    return place <= end
