"""Which values of one kind are there by name, those of plug-ins included?

A registry holds the values of one kind, such as every family of specimens. A built-in module registers its values
while it is imported. A plug-in is a module that does the same from outside: it is named in the environment variable
FUSEDTOMO_PLUGINS (comma separated), or it is the entry point of an installed package:

    [project.entry-points."fusedtomo.plugins"]
    gold_rods = "gold_rods.fusedtomo"

No file that is read can name one. Plug-ins are imported at the first lookup in any registry, once per process. So no
built-in module may look a value up while it is imported: a plug-in would import it half made.
"""

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from threading import RLock
from typing import Protocol, TypeVar

from fusedtomo.errors import InputError, nearest

VARIABLE = "FUSEDTOMO_PLUGINS"
GROUP = "fusedtomo.plugins"


class Named(Protocol):
    """What a registry holds: anything that tells its name."""

    @property
    def name(self) -> str:
        """The name that people write."""


class UnknownName(InputError, KeyError):
    """A name that no value has; a KeyError too, so that a registry is a Mapping like any other."""

    __str__ = Exception.__str__  # KeyError's would put the message in quotes


T = TypeVar("T", bound=Named)


class Registry(Mapping[str, T]):
    """The values of one kind by name, in order of registration.

    Args:
        kind: what one value is called in messages, such as "method".
        built_in: modules that register values of this kind and stand above the registry, so that it cannot import
            them; they are imported before the first lookup.
    """

    def __init__(self, kind: str, built_in: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self._built_in = built_in
        self._values: dict[str, T] = {}

    def register(self, value: T) -> T:
        """Add a value under its name and return it; a value that is there already may be registered again.

        Raises:
            InputError: another value has the name.
        """
        taken = self._values.setdefault(value.name, value)
        if taken is not value and taken != value:
            raise InputError(f"there is a {self.kind} '{value.name}' already; register this one under another name")
        return value

    def _complete(self) -> None:
        """Import what registers values of this kind."""
        for module in self._built_in:
            import_module(module)
        self._built_in = ()
        load_plugins()

    def __getitem__(self, name: str) -> T:
        self._complete()
        if name not in self._values:
            raise UnknownName(f"there is no {self.kind} '{name}'; {nearest(name, self._values)}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        self._complete()
        return iter(tuple(self._values))  # a copy: who iterates may register

    def __len__(self) -> int:
        self._complete()
        return len(self._values)


def load_plugins() -> None:
    """Import the plug-ins unless that was done; a lookup does it.

    Raises:
        InputError: one cannot be imported. It is raised at every call, so that nothing goes on without a plug-in.
    """
    _plugins.load()


def plugins() -> list[str]:
    """The plug-ins of this process: modules named in the variable, then entry points as ``name = module``."""
    return [*_named(), *(f"{entry.name} = {entry.value}" for entry in entry_points(group=GROUP))]


def _named() -> list[str]:
    return [module for module in map(str.strip, os.environ.get(VARIABLE, "").split(",")) if module]


class _Plugins:
    """The plug-ins of this process, imported once."""

    def __init__(self) -> None:
        self._lock = RLock()  # other threads wait for the plug-ins; their own imports look up what is there so far
        self._loading = False
        self._loaded = False
        self._failure: InputError | None = None

    def load(self) -> None:
        if not self._loaded:
            with self._lock:
                self._load_once()
        if self._failure:
            raise InputError(str(self._failure)) from self._failure.__cause__

    def _load_once(self) -> None:
        if self._loading or self._loaded:
            return
        self._loading = True
        try:
            _import_all()
        except InputError as failure:
            self._failure = failure
        finally:
            self._loading = False
        self._loaded = True


_plugins = _Plugins()


def _import_all() -> None:
    for module in _named():
        try:
            import_module(module)
        except Exception as cause:
            raise InputError(
                f"plug-in '{module}', named in {VARIABLE}, cannot be imported: {_told(cause)}; "
                f"mend it, put its folder on PYTHONPATH, or take it out of {VARIABLE}"
            ) from cause
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as cause:
            package = entry.dist.name if entry.dist else "an unknown package"
            raise InputError(
                f"plug-in '{entry.value}', an entry point of {package}, cannot be imported: {_told(cause)}; "
                f"mend or uninstall {package}"
            ) from cause


def _told(cause: Exception) -> str:
    return str(cause) if isinstance(cause, InputError) else f"{type(cause).__name__}: {cause}"
