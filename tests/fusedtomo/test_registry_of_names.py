"""Is a registry a mapping that keeps order, refuses a second meaning of a name, and knows the plug-ins' values?"""

import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from threading import Thread

import pytest

from fusedtomo import registry
from fusedtomo.errors import InputError
from fusedtomo.registry import Registry, load_plugins


@dataclass(frozen=True)
class Method:
    """Something with a name."""

    name: str
    terms: int = 1


@pytest.fixture(autouse=True)
def unloaded(monkeypatch):
    """As in a process that has looked nothing up, without plug-ins."""
    monkeypatch.setattr(registry, "_plugins", registry._Plugins())
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    monkeypatch.delenv(registry.VARIABLE, raising=False)


@pytest.fixture
def methods():
    """A registry of two."""
    methods = Registry("method")
    methods.register(Method("poisson"))
    methods.register(Method("fused"))
    return methods


@pytest.fixture
def plugin(tmp_path, monkeypatch, methods):
    """Writes a module that can import `METHODS`, and names it in the variable."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "house", house := type(sys)("house"))
    house.METHODS, house.Method = methods, Method

    def write(source, name="toy_plugin"):
        (tmp_path / f"{name}.py").write_text(f"from house import METHODS, Method\n{source}\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setenv(registry.VARIABLE, name)
        return name

    yield write
    sys.modules.pop("toy_plugin", None)


def test_iterates_in_order_of_registration(methods):
    assert list(methods) == ["poisson", "fused"]
    assert [method.name for method in methods.values()] == ["poisson", "fused"]
    assert len(methods) == 2


def test_register_returns_the_value(methods):
    method = Method("sirt")
    assert methods.register(method) is method
    assert methods["sirt"] is method


def test_a_name_means_one_value(methods):
    methods.register(Method("fused"))  # equal: the same module was imported under two names
    with pytest.raises(InputError, match="there is a method 'fused' already"):
        methods.register(Method("fused", terms=3))
    assert methods["fused"].terms == 1


def test_unknown_name_is_an_input_error_with_the_nearest(methods):
    with pytest.raises(InputError) as caught:
        methods["fusde"]
    assert str(caught.value) == "there is no method 'fusde'; did you mean 'fused'?"


def test_is_a_mapping_to_those_who_ask_carefully(methods):
    assert "fused" in methods
    assert "fusde" not in methods
    assert methods.get("fusde") is None
    assert methods.get("fusde", 3) == 3
    with pytest.raises(KeyError):
        methods["fusde"]


def test_registering_loads_no_plugin(methods, plugin):
    name = plugin("")
    methods.register(Method("sirt"))
    assert name not in sys.modules


@pytest.mark.parametrize("look", [lambda m: m["toy"], lambda m: "toy" in m, lambda m: m.get("toy"), list, len, dict])
def test_every_lookup_loads_plugins(methods, plugin, look):
    plugin('METHODS.register(Method("toy"))')
    look(methods)
    assert "toy_plugin" in sys.modules
    assert list(methods) == ["poisson", "fused", "toy"]


def test_plugins_are_loaded_once(methods, plugin, monkeypatch):
    plugin('METHODS.register(Method("toy"))')
    load_plugins()
    monkeypatch.setenv(registry.VARIABLE, "no_such_module")
    assert "toy" in methods


def test_several_plugins_with_blanks_between(methods, plugin, monkeypatch):
    names = [plugin(f'METHODS.register(Method("toy{i}"))', f"toy_plugin_{i}") for i in range(2)]
    monkeypatch.setenv(registry.VARIABLE, f" {names[1]} , {names[0]},")
    assert list(methods) == ["poisson", "fused", "toy1", "toy0"]


def test_a_plugin_may_look_up_while_it_is_imported(methods, plugin):
    plugin('assert len(METHODS) == 2\nMETHODS.register(Method("toy", terms=METHODS["fused"].terms + 1))')
    assert methods["toy"].terms == 2


def test_a_plugin_that_looks_up_is_imported_to_its_end_before_the_next(methods, plugin, monkeypatch):
    first = plugin('len(METHODS)\nMETHODS.register(Method("first"))', "toy_plugin_a")
    then = plugin('METHODS.register(Method("then"))', "toy_plugin_b")
    monkeypatch.setenv(registry.VARIABLE, f"{first},{then}")
    assert list(methods) == ["poisson", "fused", "first", "then"]


def test_who_iterates_may_register(methods):
    for name in methods:
        methods.register(Method(name + "-tv"))
    assert list(methods) == ["poisson", "fused", "poisson-tv", "fused-tv"]


def test_other_threads_wait_for_the_plugins(methods, plugin):
    plugin('import time\ntime.sleep(0.2)\nMETHODS.register(Method("toy"))')
    found = []
    threads = [Thread(target=lambda: found.append("toy" in methods)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True, True, True]


def test_a_plugin_that_is_missing_is_named(methods, monkeypatch):
    monkeypatch.setenv(registry.VARIABLE, "no_such_module")
    with pytest.raises(InputError, match=r"'no_such_module', named in FUSEDTOMO_PLUGINS.*No module.*PYTHONPATH"):
        methods["fused"]


def test_a_plugin_that_fails_is_told_at_every_lookup(methods, plugin):
    plugin('METHODS.register(Method("toy"))\n1 / 0')
    for _ in range(2):
        with pytest.raises(InputError, match=r"'toy_plugin'.*ZeroDivisionError: division by zero") as caught:
            methods.get("fused")
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_plugin_that_takes_a_built_in_name_is_named(methods, plugin):
    plugin('METHODS.register(Method("fused", terms=9))')
    with pytest.raises(InputError, match=r"'toy_plugin'.*imported: there is a method 'fused' already"):
        list(methods)


def test_entry_points_are_plugins(methods, plugin, monkeypatch):
    entry = EntryPoint("toy", plugin('METHODS.register(Method("toy"))'), registry.GROUP)
    monkeypatch.delenv(registry.VARIABLE)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == registry.GROUP else [])
    assert "toy" in methods


def test_an_entry_point_that_fails_is_named(methods, monkeypatch):
    entry = EntryPoint("toy", "no_such_module", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    with pytest.raises(InputError, match=r"'no_such_module', an entry point of .* cannot be imported: ModuleNotFound"):
        list(methods)
