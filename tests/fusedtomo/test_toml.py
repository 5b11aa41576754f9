"""Every mistake in a TOML file ends in one message: file, field, value and cure."""

import pickle

import pytest
from pydantic import Field, model_validator

from fusedtomo.errors import InputError
from fusedtomo.settings import Settings
from fusedtomo.toml import InvalidContent, read_toml, validated


class Inner(Settings):
    low: float = Field(gt=0, description="the smallest value")
    kind: str = Field("log", description="the scale")


class Outer(Settings):
    count: int = Field(2, ge=2, description="how many")
    snr: float | dict[str, float] | None = Field(None, description="the ratio")
    space: dict[str, Inner] = Field(default_factory=dict, description="the ranges")
    inner: Inner | None = Field(None, description="a table")
    several: tuple[Inner, ...] = Field((), description="tables")

    @model_validator(mode="after")
    def _not_thirteen(self):
        if self.count == 13:
            raise ValueError("13 brings bad luck; take 14")
        return self


def message(content):
    with pytest.raises(InputError) as refused:
        validated(Outer, content, "my.toml")
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("my.toml: ")
    return str(refused.value).removeprefix("my.toml: ")


def test_what_is_right_becomes_the_model():
    content = {"count": 3, "space": {"tv": {"low": 0.5}}}
    assert validated(Outer, content, "my.toml") == Outer(count=3, space={"tv": Inner(low=0.5)})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"cuont": 3}, "unknown key 'cuont' = 3; did you mean 'count'?"),
        ({"inner": {"low": 1, "knd": "log"}}, "unknown key 'inner.knd' = 'log'; did you mean 'kind'?"),
        ({"space": {"tv": {"low": 1, "lw": 2}}}, "unknown key 'space.tv.lw' = 2; did you mean 'low'?"),
        ({"several": [{"low": 1}, {"low": 1, "lw": 2}]}, "unknown key 'several.1.lw' = 2; did you mean 'low'?"),
    ],
    ids=["top", "table", "table of tables", "list"],
)
def test_an_unknown_key_is_answered_with_the_nearest_known_one(content, expected):
    assert message(content) == expected


def test_a_key_like_none_is_answered_with_those_there_are():
    assert message({"qqq": 1}) == "unknown key 'qqq' = 1; known names: count, inner, several, snr, space"


def test_a_misspelt_key_is_named_before_the_one_that_it_leaves_missing():
    assert message({"inner": {"lwo": 3.0}}) == "unknown key 'inner.lwo' = 3.0; did you mean 'low'?"


def test_a_missing_key_is_described():
    assert message({"inner": {}}) == "'inner.low' is missing; add it: the smallest value"
    assert message({"space": {"tv": {}}}) == "'space.tv.low' is missing; add it: the smallest value"


@pytest.mark.parametrize(
    ("content", "field", "told"),
    [
        ({"count": 1}, "'count' = 1: ", "greater than or equal to 2"),
        ({"count": "many"}, "'count' = 'many': ", "valid integer"),
        ({"count": 2.5}, "'count' = 2.5: ", "integer"),
        ({"inner": {"low": float("nan")}}, "'inner.low' = nan: ", "finite"),
        ({"inner": {"low": float("inf")}}, "'inner.low' = inf: ", "finite"),
        ({"space": {"tv": {"low": -1.0}}}, "'space.tv.low' = -1.0: ", "greater than 0"),
        ({"several": [{"low": 1}, {"low": 0}]}, "'several.1.low' = 0: ", "greater than 0"),
        ({"snr": {"Co": "high"}}, "'snr.Co' = 'high': ", "valid number"),
        ({"space": 3}, "'space' = 3: ", "dictionary"),
    ],
    ids=str,
)
def test_an_impossible_value_is_named_with_its_field_and_limit(content, field, told):
    assert message(content).startswith(field)
    assert told in message(content)


def test_a_value_that_may_be_a_number_or_a_table_gets_one_message_for_both():
    said = message({"snr": "high"})
    assert said.startswith("'snr' = 'high': ")
    assert "number" in said
    assert "dictionary" in said


def test_what_a_validator_says_stands_as_it_is():
    assert message({"count": 13}) == "13 brings bad luck; take 14"


def problems(content):
    with pytest.raises(InvalidContent) as refused:
        validated(Outer, content, "my.toml")
    assert str(refused.value) == refused.value.problems[0]
    assert pickle.loads(pickle.dumps(refused.value)).problems == refused.value.problems
    return [problem.removeprefix("my.toml: ") for problem in refused.value.problems]


def test_all_problems_are_kept_each_field_once():
    content = {
        "cuont": 3,
        "count": 1,
        "snr": {"Co": "x", "Ni": 1.0, "O": "y"},
        "space": {"tv": {"kind": 3}},
        "several": [{"low": 0}, {"low": 1, "lw": 2}],
    }
    found = problems(content)
    assert [text.partition(";")[0].partition(":")[0] for text in found] == [
        "unknown key 'several.1.lw' = 2",
        "unknown key 'cuont' = 3",
        "'count' = 1",
        "'snr.Co' = 'x'",
        "'snr.O' = 'y'",
        "'space.tv.low' is missing",
        "'space.tv.kind' = 3",
        "'several.0.low' = 0",
    ]


def test_a_key_that_was_only_misspelt_is_not_called_missing_as_well():
    assert problems({"inner": {"lwo": 3.0}}) == ["unknown key 'inner.lwo' = 3.0; did you mean 'low'?"]
    assert len(problems({"inner": {"qqq": 3.0}})) == 2


def _nested(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("content", [[1], 3, None], ids=str)
def test_what_is_no_table_is_refused(content):
    assert "dictionary" in message(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a = ", "not valid TOML"),
        (b"a = 1\na = 2\n", "not valid TOML"),
        (b"a = '\xff'", "no UTF-8"),
        (b"\x00", "not valid TOML"),
        (b"a = " + b"[" * 5000, "nested too deeply"),
        (b"a = " + b"9" * 5000, "not valid TOML"),
        (b"a." * 10 + b"a = 1", "a key has more than 10 parts"),
        (b"a = 1\nb = {" + b"'a' . " * 10 + b"a = 1}", "a key has more than 10 parts"),
    ],
    ids=["torn", "twice", "latin-1", "binary", "deep", "long", "dotted", "dotted inside"],
)
def test_a_file_that_is_no_toml_is_named_with_the_reason(tmp_path, content, told):
    path = tmp_path / "my.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"my\.toml: .*{told}"):
        read_toml(path)
    assert path.read_bytes() == content


def test_dots_in_values_and_comments_are_no_keys(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text("# " + "." * 200 + "\na.b = '" + "1." * 5 + "'\nc = [" + "1.5, " * 50 + "]\n")
    assert read_toml(path) == {"a": {"b": "1.1.1.1.1."}, "c": [1.5] * 50}


@pytest.mark.parametrize(
    "content", [{"x" * 10**5: 1}, {"inner": "x" * 10**5}, {"inner": [_nested(900)]}], ids=["key", "value", "deep"]
)
def test_a_message_is_short_whatever_it_is_about(content):
    assert 20 < len(message(content)) < 1100


@pytest.mark.parametrize("name", ["none.toml", "", "x" * 300], ids=["missing", "folder", "long"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(InputError, match=r"cannot be read \(.+\); give the path of a TOML file"):
        read_toml(tmp_path / name)
