"""`arldm prepare` and `arldm photographs`."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from arldm.datasets.corpus import Corpus
from arldm.errors import ConfigError

SHOWN = 5  # of a list in the report


#: what is installed by name alone, what for, and its packages
EXTRAS = {
    "data": ("archives are made with them", ("datasets", "h5py", "pyarrow")),
    "survey": ("surveys are made with them", ("choix", "fastapi", "uvicorn")),
}


def check_installed(extra: str = "data") -> None:
    """Raises ConfigError without the packages of an extra."""
    purpose, packages = EXTRAS[extra]
    if absent := [name for name in packages if find_spec(name) is None]:
        raise ConfigError(f"{', '.join(absent)}: not installed; {purpose}, run pip install 'arldm[{extra}]'")


def prepare(corpus: str, source: Path, out: Path, workers: int) -> int:
    """Import a published corpus and print what was found. 1 = no story has all that it needs."""
    if workers < 0:
        raise ConfigError(f"--workers: got {workers}; expected 0 for as many as there are cores, or more")
    check_installed()
    from arldm.datasets.importing import import_corpus

    report = import_corpus(_reader(corpus)(source), out, workers)
    print(out)
    for line in told(report):
        print(line)
    return 0 if any(report["stories"].values()) else 1


def _reader(corpus: str) -> Callable[[Path], Corpus]:
    from arldm.datasets.flintstones import read_flintstones
    from arldm.datasets.folder import read_folder
    from arldm.datasets.h5 import read_h5
    from arldm.datasets.pororo import read_pororo
    from arldm.datasets.vist import read_vist

    readers = {"pororo": read_pororo, "flintstones": read_flintstones, "vist": read_vist, "folder": read_folder, "h5": read_h5}
    return readers[corpus]


def told(report: dict) -> list[str]:
    """A report as lines to read."""
    counts = ", ".join(f"{split} {count:,}" for split, count in report["stories"].items())
    lines = [f"stories: {counts}" + (" (as published)" if report["as_official"] else "")]
    if report["as_official"] is False:
        lines.append(f"published were: {', '.join(f'{split} {count:,}' for split, count in report['official'].items())}")
    lines.append(f"clips: {report['clips']:,} with {report['stills']:,} stills")
    if report["incomplete"]:
        lines.append(f"stories left out for want of a picture or a text: {report['incomplete']:,}")
    for name in ("missing", "broken", "duplicated", "too_long", "empty_captions", "leaks"):
        entries = report[name]
        examples = "; ".join(one if isinstance(one, str) else json.dumps(one) for one in entries[:SHOWN])
        more = "; ..." if len(entries) > SHOWN else ""
        lines.append(f"{name.replace('_', ' ')}: {len(entries):,}" + (f" ({examples}{more})" if entries else ""))
    return lines


def photographs(source: Path, workers: int) -> int:
    """Fetch VIST's photographs and print how many came. 1 = none did."""
    if not 1 <= workers <= 32:
        raise ConfigError(f"--workers: got {workers}; expected 1 to 32, they are guests at that server")
    check_installed()
    from arldm.datasets.photographs import LEDGER, fetch_photographs

    ends = fetch_photographs(source, workers)
    print(", ".join(f"{end}: {count:,}" for end, count in sorted(ends.items())) or "no photographs are named")
    print(source / "images" / LEDGER)
    return 0 if ends.get("fetched") else 1
