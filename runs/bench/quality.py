"""What each setting of the sampler is worth: `python runs/bench/quality.py OUT [STORIES]`. Stopped, run again: it goes on.

The first setting is the original procedure's: 250 steps of DDIM in float32. Told by ours and in batches, for the
pictures are the same (tests/test_bench.py). Writes quality.json beside this file, which `make bench` reads, and prints a table.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arldm.cli import main as arldm
from arldm.config import TellConfig, from_dict
from arldm.model.arldm import ARLDM
from arldm.writing import put_json

MEASURED = Path(__file__).with_name("quality.json")
METRICS = ("relevance", "consistency")
FALL = 0.01  # what counts as equal quality: neither metric is lower by more than this

ORIGINAL = TellConfig(steps=250)
SETTINGS = [
    ORIGINAL,
    *(TellConfig(steps=steps, precision="bf16") for steps in (10, TellConfig().steps, 4)),
    TellConfig(scheduler="unipc", precision="bf16"),
]


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the sampler and what it was worth on the first stories of the test split."""

    config: TellConfig
    metrics: dict[str, dict[str, float]]
    stories: int
    model_hash: str

    def equals(self, other: "Setting") -> bool:
        """Is its measured quality no worse?"""
        return all(self.metrics[name]["value"] >= other.metrics[name]["value"] - FALL for name in METRICS)


def settings() -> list[Setting]:
    """What was measured last; the first is the original's."""
    return [Setting(**{**one, "config": from_dict(TellConfig, one["config"])}) for one in json.loads(MEASURED.read_text())]


def usual(measured: Sequence[Setting]) -> Setting:
    """What is told by default, in bf16. With fewer steps stories may read back as well, but on few stories not surely so."""
    return next(one for one in measured if one.config == TellConfig(precision="bf16"))


def report(out: Path, config: TellConfig, stories: int) -> dict[str, Any]:
    """A report by `arldm evaluate`, made unless it is there. More stories continue what fewer began."""
    name = f"{config.scheduler}-{config.steps}-{config.precision}"
    path = out / f"{name}-{stories}.json"
    chosen = ("--steps", config.steps, "--scheduler", config.scheduler, "--precision", config.precision)
    where = ("--stories", stories, "--keep", out / name, "--json", path)
    if not path.exists() and (code := arldm(["evaluate", "toonsv", *map(str, (*chosen, *where))])):
        raise SystemExit(code)
    return json.loads(path.read_text())


def table(measured: Sequence[Setting]) -> str:
    """A row for each setting."""
    rows = ["| sampler | steps | precision | relevance | consistency | equal |", "|---" * 6 + "|"]
    for one in measured:
        shares = (one.metrics[name] for name in METRICS)
        values = (f"{share['value']:.3f} [{share['low']:.3f}, {share['high']:.3f}]" for share in shares)
        config, equal = one.config, "yes" if one.equals(measured[0]) else "no"
        cells = (config.scheduler, config.steps, config.precision, *values, equal)
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def main(out: Path, stories: int) -> None:
    """Measure all settings, note them, print them."""
    rows, out = [], out / ARLDM.from_pretrained("toonsv").hash()  # figures of another model are not these
    for config in SETTINGS:
        found = report(out, config, stories)
        metrics = {name: {end: round(found["metrics"][name][end], 4) for end in ("value", "low", "high")} for name in METRICS}
        rows.append({"config": found["sampling"], "metrics": metrics, "stories": stories, "model_hash": found["model_hash"]})
    put_json(MEASURED, rows)
    print(table(settings()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 60)
