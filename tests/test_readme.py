"""The README's Python runs exactly as it stands there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_readme_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert code is not None
    exec(compile(code[1], "README.md", "exec"), {})
    assert len(list(tmp_path.glob("*.png"))) == 5
