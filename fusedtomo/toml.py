"""TOML files to validated settings, and validation errors to one message that names file, field, value and cure."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fusedtomo.errors import InputError, nearest

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the content of a TOML file."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "nested too deeply"
        raise InputError(f"{path}: cannot be read ({reason}); give the path of a TOML file") from None
    except ValueError as error:  # errors of TOML and of utf-8, and integers of thousands of digits
        raise InputError(f"{path}: not valid TOML: {error}; mend that line") from None


def validated(model: type[Model], content: dict[str, Any], source: str | Path) -> Model:
    """Return `content` as the model, or raise InputError for the first thing wrong with it."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{source}: {_message(model, content, error)}") from None


def _message(model: type[BaseModel], content: Any, error: ValidationError) -> str:
    problems = sorted(error.errors(), key=_rank)
    problem = problems[0]
    location = problem["loc"]
    field = _field(content, location)
    if problem["type"] == "extra_forbidden":
        return (
            f"unknown key '{field}' = {problem['input']!r}; {nearest(str(location[-1]), _fields_at(model, location))}"
        )
    if problem["type"] == "missing":
        missing = ".".join(filter(None, (_field(content, location[:-1]), str(location[-1]))))
        cure = _description(model, location) or "see the configs that come with fusedtomo"
        return f"'{missing}' is missing; add it: {cure}"
    # a value that may be a number or a word fails once for each: one message for them all
    same = [_text(each) for each in problems if _field(content, each["loc"]) == field]
    told = " or ".join(dict.fromkeys(same))
    if not field:
        return same[0]
    names_its_values = problem["type"] == "value_error" and isinstance(problem["input"], Mapping)
    return f"'{field}': {told}" if names_its_values else f"'{field}' = {problem['input']!r}: {told}"


def _rank(problem: Mapping[str, Any]) -> tuple[bool, bool]:
    """Unknown keys first: a misspelt key also makes its intended field 'missing'.

    Last, that a table or list is no number: its field takes either, and what is wrong inside it says more.
    """
    is_no_number = isinstance(problem["input"], Mapping | list) and problem["type"] not in ("missing", "value_error")
    return problem["type"] != "extra_forbidden", is_no_number


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
