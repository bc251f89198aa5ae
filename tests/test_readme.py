"""The README's Python runs exactly as it stands there."""

import re
import runpy
from pathlib import Path
from statistics import mean

import pytest

ROOT = Path(__file__).parents[1]


def test_figures_of_new_characters_are_those_measured() -> None:
    """They were of data that had been replaced."""
    figures, measured = runpy.run_path(str(ROOT / "runs/adaptation/figures.py")), ROOT / "docs/new-characters/measured"
    assert "\n".join(figures["table"](measured)) in (ROOT / "docs/new-characters.md").read_text()
    identity = mean(figures["values"](measured, figures["ALONE"], "full", "identity"))
    assert f"recognised in {identity:.1%}".replace("%", " %") in (ROOT / "README.md").read_text()


def test_readme_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert code is not None
    exec(compile(code[1], "README.md", "exec"), {})
    assert len(list(tmp_path.glob("*.png"))) == 5
