"""TOML files to validated settings, and validation errors to one message that names file, field, value and cure."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fusedtomo.errors import InputError, nearest

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the content of a TOML file."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}; mend that line") from None


def validated(model: type[Model], content: dict[str, Any], source: str | Path) -> Model:
    """Return `content` as the model, or raise InputError for the first thing wrong with it."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{source}: {_message(model, error)}") from None


def _message(model: type[BaseModel], error: ValidationError) -> str:
    # unknown keys first: a misspelt key also makes its intended field 'missing'
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    problem = problems[0]
    field = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = _fields_at(model, problem["loc"][:-1])
        return f"unknown key '{field}' = {problem['input']!r}; {nearest(str(problem['loc'][-1]), known)}"
    if problem["type"] == "missing":
        description = _description(model, problem["loc"])
        return f"'{field}' is missing; add it: {description or 'see the configs that come with fusedtomo'}"
    text = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"'{field}': {text}" if field else text
    return f"'{field}' = {problem['input']!r}: {text[0].lower()}{text[1:]}"


def _model_at(model: type[BaseModel], location: tuple) -> type[BaseModel] | None:
    for part in location:
        if not isinstance(part, str) or part not in model.model_fields:
            continue  # an index, or the key of a table
        inner = _models_in(model.model_fields[part].annotation)
        if not inner:
            return None
        model = inner[0]
    return model


def _models_in(annotation) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in getattr(annotation, "__args__", ()) for found in _models_in(inner)]


def _fields_at(model: type[BaseModel], location: tuple) -> list[str]:
    found = _model_at(model, location)
    return list(found.model_fields) if found else []


def _description(model: type[BaseModel], location: tuple) -> str | None:
    found = _model_at(model, location[:-1])
    field = found.model_fields.get(location[-1]) if found else None
    return field.description if field else None
