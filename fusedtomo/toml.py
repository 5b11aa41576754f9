"""TOML files to validated settings, and validation errors to one message that names file, field, value and cure."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from reprlib import Repr
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fusedtomo.errors import InputError, nearest
from fusedtomo.incoming import read_text

Model = TypeVar("Model", bound=BaseModel)

_MOST_PARTS = 10  # of a dotted key; tomllib takes the square of their number
_ENDS_KEY = re.compile(r"[=,{\n]")
_PART = re.compile(r"[\w\"'-][ \t]*\.")
_MOST_SAID = 1000  # letters of one message: what is wrong may be a key or a value of any length
_VALUES = Repr()  # cuts what is long, and what is nested too deeply for repr
_VALUES.maxstring = _VALUES.maxother = 200


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the content of a TOML file."""
    text = read_text(path, "a TOML file")
    if any(len(_PART.findall(piece)) >= _MOST_PARTS for piece in _ENDS_KEY.split(text)):
        raise InputError(f"{path}: a key has more than {_MOST_PARTS} parts; no key of ours has, so mend it")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply; give the path of a TOML file") from None
    except ValueError as error:  # errors of TOML, and integers of thousands of digits
        raise InputError(f"{path}: not valid TOML: {error}; mend that line") from None


class InvalidContent(InputError):
    """Content that a model refuses: the message names the first thing wrong, `problems` all of them."""

    def __init__(self, message: str, problems: Sequence[str] = ()):
        super().__init__(message)
        self.problems = tuple(problems) or (message,)


def validated(model: type[Model], content: dict[str, Any], source: str | Path) -> Model:
    """Return `content` as the model, or raise InvalidContent for the first thing wrong with it."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        found = [f"{source}: {problem[:_MOST_SAID]}" for problem in _problems(model, content, error)]
        raise InvalidContent(found[0], found) from None


def _problems(model: type[BaseModel], content: Any, error: ValidationError) -> list[str]:
    """A message for each field that is wrong, the most telling first."""
    problems = sorted(error.errors(), key=_rank)
    misspelt = {_meant(model, problem["loc"]) for problem in problems if problem["type"] == "extra_forbidden"}
    by_field: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for problem in problems:
        kind, location = problem["type"], problem["loc"]
        if kind == "missing" and location in misspelt:
            continue  # its unknown key is named already, with this one as the cure
        key = _whole(content, location) if kind == "missing" else _field(content, location)
        by_field.setdefault((kind if kind in _ABOUT_KEYS else "value", key), []).append(problem)
    return [_message(model, content, same) for same in _told_once(by_field)]


_ABOUT_KEYS = ("extra_forbidden", "missing")


def _told_once(by_field: Mapping[tuple[str, str], list[Mapping[str, Any]]]) -> list[list[Mapping[str, Any]]]:
    """Leaves out that a table is no number where something inside the table is wrong: that says more."""
    inside = [field for _, field in by_field]
    return [
        same
        for (kind, field), same in by_field.items()
        if not (
            kind == "value"
            and all(_is_no_number(problem) for problem in same)
            and any(other.startswith(f"{field}.") for other in inside)
        )
    ]


def _message(model: type[BaseModel], content: Any, same: Sequence[Mapping[str, Any]]) -> str:
    """One message for a field; a value that may be a number or a word fails once for each."""
    problem = same[0]
    location = problem["loc"]
    field = _field(content, location)
    if problem["type"] == "extra_forbidden":
        hint = nearest(str(location[-1]), _fields_at(model, location))
        return f"unknown key '{field}' = {_VALUES.repr(problem['input'])}; {hint}"
    if problem["type"] == "missing":
        cure = _description(model, location) or "see the configs that come with fusedtomo"
        return f"'{_whole(content, location)}' is missing; add it: {cure}"
    told = " or ".join(dict.fromkeys(_text(each) for each in same))
    if not field:
        return told
    names_its_values = problem["type"] == "value_error" and isinstance(problem["input"], Mapping)
    return f"'{field}': {told}" if names_its_values else f"'{field}' = {_VALUES.repr(problem['input'])}: {told}"


def _whole(content: Any, location: Sequence[str | int]) -> str:
    """The keys of a location whose last one the content lacks."""
    return ".".join(filter(None, (_field(content, location[:-1]), str(location[-1]))))


def _meant(model: type[BaseModel], location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where an unknown key was meant to stand: at the known name nearest to it."""
    close = get_close_matches(str(location[-1]), _fields_at(model, location), n=1, cutoff=0.5)
    return (*location[:-1], *close)


def _rank(problem: Mapping[str, Any]) -> tuple[bool, bool]:
    """Unknown keys first: a misspelt key also makes its intended field 'missing'.

    Last, that a table or list is no number: its field takes either, and what is wrong inside it says more.
    """
    return problem["type"] != "extra_forbidden", _is_no_number(problem)


def _is_no_number(problem: Mapping[str, Any]) -> bool:
    return isinstance(problem["input"], Mapping | list) and problem["type"] not in ("missing", "value_error")


def _text(problem: Mapping[str, Any]) -> str:
    text: str = problem["msg"]
    return text.removeprefix("Value error, ") if problem["type"] == "value_error" else text[0].lower() + text[1:]


def _field(content: Any, location: Sequence[str | int]) -> str:
    """The keys of `location` that the content has; the others name alternatives of a type."""
    found = []
    for part in location:
        inside = range(len(content)) if isinstance(content, list | tuple) else content
        if isinstance(inside, range | Mapping) and part in inside:
            content = content[part]
            found.append(str(part))
    return ".".join(found)


def _model_at(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    for part in location:
        if not isinstance(part, str) or part not in model.model_fields:
            continue  # an index, or the key of a table
        inner = _models_in(model.model_fields[part].annotation)
        if not inner:
            return None
        model = inner[0]
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in getattr(annotation, "__args__", ()) for found in _models_in(inner)]


def _fields_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    found = _model_at(model, location[:-1])
    return list(found.model_fields) if found else []


def _description(model: type[BaseModel], location: Sequence[str | int]) -> str | None:
    found = _model_at(model, location[:-1])
    field = found.model_fields.get(str(location[-1])) if found else None
    return field.description if field else None
