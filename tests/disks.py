"""Disks that are full, for tests of what is written on them."""

import os
import resource
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def file_size_limit(n_bytes):
    """As on a full disk: no file may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class SmallDisk:
    """A folder on a file system of its own, of so many kB."""

    def __init__(self, folder: Path, size_kb: int):
        self.folder = folder
        folder.mkdir()
        made = _mount("-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", folder)
        if made.returncode:
            pytest.skip("only root may mount a small disk")

    def fill(self, room=0):
        """Leave so many bytes free."""
        free = os.statvfs(self.folder)
        (self.folder / "filler").write_bytes(b"x" * (free.f_bavail * free.f_bsize - room))

    def grow(self, size_kb):
        """Give it more room."""
        assert _mount("-o", f"remount,size={size_kb}k", self.folder).returncode == 0

    def only_read(self):
        """Let nothing be written from now on."""
        assert _mount("-o", "remount,ro", self.folder).returncode == 0

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        subprocess.run(["umount", "-l", self.folder], check=True)


def _mount(*arguments):
    return subprocess.run(["mount", *arguments], capture_output=True, check=False)
