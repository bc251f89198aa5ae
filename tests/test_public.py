"""What the package promises from outside: its names, how light it starts, and that everything in it is explained."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import arldm
from arldm.errors import ArldmError

SOURCE = Path(arldm.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(arldm.__path__, "arldm.")
    if not module.name.endswith("__main__")  # importing it runs the command
)
HEAVY = ("torch", "diffusers", "transformers")
LONGEST = 300  # lines, as CONTRIBUTING.md has it


def loaded(code: str) -> list[str]:
    """Which of the heavy packages a fresh Python has loaded after this code."""
    show = f"import sys; print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


class TestNames:
    @pytest.mark.parametrize("name", arldm.__all__)
    def test_each_can_be_had_and_is_explained(self, name: str) -> None:
        found = getattr(arldm, name)
        assert found.__name__ == name
        assert found.__doc__
        assert not found.__doc__.startswith(f"{name}(")  # what a dataclass writes of itself explains nothing

    def test_they_are_in_order_and_complete(self) -> None:
        assert list(arldm.__all__) == sorted(set(arldm.__all__))
        assert set(arldm.__all__) == set(arldm._HOMES)

    def test_a_name_that_is_not_there(self) -> None:
        with pytest.raises(AttributeError, match="module 'arldm' has no attribute 'tel'"):
            _ = arldm.tel  # type: ignore[attr-defined]

    def test_every_error_is_an_arldm_error(self) -> None:
        import arldm.errors

        kinds = [value for value in vars(arldm.errors).values() if isinstance(value, type)]
        assert len(kinds) == 10
        assert all(issubclass(kind, ArldmError) for kind in kinds)


class TestLightness:
    @pytest.mark.parametrize(
        "code",
        [
            "import arldm",
            "import arldm.toonsv; arldm.toonsv.story('val', 0, 2, 32)",
            "import arldm.page, arldm.story_files, arldm.story; from arldm import render, read_script, TellConfig, Story",
            "from arldm.cli import main; assert main(['--help']) == 0",
        ],
    )
    def test_starts_without_torch(self, code: str) -> None:
        assert loaded(code) == []

    def test_what_needs_torch_is_seen_to_load_it(self) -> None:
        assert loaded("import arldm.model.noise") == ["torch"]

    def test_as_a_module(self) -> None:
        done = subprocess.run([sys.executable, "-m", "arldm", "--help"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0
        assert "usage: arldm" in done.stdout
        assert "tell" in done.stdout


class TestModules:
    @pytest.mark.parametrize("name", MODULES)
    def test_imports(self, name: str) -> None:
        assert (importlib.import_module(name).__doc__ or "").strip()

    def test_none_is_forgotten(self) -> None:
        """A folder without __init__.py would not be walked, nor packed."""
        walked = {name.replace("arldm.", "", 1).replace(".", "/") for name in MODULES}
        there = {name_of(path.parent if path.name == "__init__.py" else path.with_suffix("")) for path in FILES}
        assert there - {".", "__main__"} == walked

    @pytest.mark.parametrize("path", FILES, ids=name_of)
    def test_is_short_enough_to_be_read(self, path: Path) -> None:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST

    @pytest.mark.parametrize("path", FILES, ids=name_of)
    def test_explains_all_that_is_public(self, path: Path) -> None:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        bare = [name for name, node in public(tree) if not ast.get_docstring(node) and not is_drawing(node)]
        assert bare == [], f"no docstring in {name_of(path)}: {', '.join(bare)}"
        assert ast.get_docstring(tree)


def public(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Functions, classes and their methods whose names do not begin with an underscore."""
    for child in node.body:
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)) and not child.name.startswith("_"):
            yield f"{prefix}{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public(child, f"{child.name}.")


def is_drawing(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether it draws one thing with a pen, at most in some colour: such a function is named for what it draws."""
    return isinstance(node, ast.FunctionDef) and ast.unparse(node.args) in (
        "pen: Pen",
        "pen: Pen, colour: str",
        "pen: Pen, hue: str",
    )
