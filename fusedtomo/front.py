"""How does a package show what it has without loading it? By names on its front, each loaded when it is used."""

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


class _Front(ModuleType):
    """A package whose names are loaded when they are used."""

    _front: Mapping[str, str]

    def __getattr__(self, name: str) -> Any:
        if name not in self._front:
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'; it has {', '.join(self._front)}")
        module = import_module(self._front[name])
        value = getattr(module, name, module)
        super().__setattr__(name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        """Importing the module `fusedtomo.score` binds it here; its function of that name stands on the front."""
        if not isinstance(value, ModuleType) or name not in self._front:
            super().__setattr__(name, value)
        elif self._front[name] == value.__name__:
            super().__setattr__(name, getattr(value, name, value))
        # else the name is another module's: `__getattr__` finds it

    def __dir__(self) -> list[str]:
        return sorted(self._front)


def front(package: str, names: Mapping[str, str]) -> None:
    """Put names on the front of a package.

    Args:
        package: its name; it is being imported.
        names: and the module that has each, or that each stands for.
    """
    module = sys.modules[package]
    module.__dict__["_front"] = names
    module.__class__ = _Front
