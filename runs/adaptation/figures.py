"""What was found of new characters, as the table of docs/new-characters.md."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

ALONE, TOGETHER, STRANGERS = "alone", "together", "strangers"  # what was measured: one character, two, a stranger
COLUMNS = {"full": "`full`", "lora": "`lora`", "token": "`token`", "pin": "`pin`", "named": "only named", "none": "nothing learned"}
KEPT, FORGOTTEN = "{}", "{}-forgetting"  # how reports of a mode are called
ROWS = (
    (ALONE, KEPT, "identity", "identity: frames that should show it do, and nobody of the cast who should not be there"),
    (ALONE, KEPT, "not_copied", "not copied: the same in places, actions, with props that no picture has, these seen, too"),
    (ALONE, KEPT, "relevance", "relevance of all else that captions tell"),
    (ALONE, KEPT, "relevance_before_recasting", "the same stories with their original lead"),
    (ALONE, KEPT, "consistency", "consistency of all that only the history tells"),
    (ALONE, KEPT, "consistency_before_recasting", "the same stories with their original lead"),
    (ALONE, KEPT, "old_frame_accuracy", "frame accuracy of the old cast, in 40 other stories"),
    (ALONE, FORGOTTEN, "old_frame_accuracy", "the same without `--keep-old`"),
    (TOGETHER, KEPT, "both", "two packs in one story: both right in frames of both"),
    (STRANGERS, KEPT, "one_person", "a stranger called by words that change stays one person, share of stories"),
    (ALONE, KEPT, "minutes", "minutes, nothing beside"),
    (ALONE, KEPT, "peak_gib", "peak memory, GiB"),
)


def values(found: Path, part: str, called: str, metric: str) -> list[float]:
    """A metric in all reports that are called so."""
    paths = sorted(path for path in found.glob(f"*/{called}.json") if _part(path.parent.name) == part)
    return [report[metric] for report in map(json.loads, map(Path.read_text, paths)) if metric in report]


def table(found: Path) -> Iterator[str]:
    """Means over sets, with the least and the most of one set, in Markdown."""
    modes = [mode for mode in COLUMNS if next(found.glob(f"*/{mode}.json"), None)]
    yield f"| | {' | '.join(COLUMNS[mode] for mode in modes)} |"
    yield "|---" * (len(modes) + 1) + "|"
    counts = [values(found, ALONE, mode, "identity") for mode in modes]
    yield f"| sets of five pictures, of fifteen | {' | '.join(str(len(some)) for some in counts)} |"
    for part, called, metric, said in ROWS:
        cells = [_cell(values(found, part, called.format(mode), metric)) for mode in modes]
        if any(cells):
            yield f"| {said} | {' | '.join(cells)} |"


def _part(folder: str) -> str:
    return TOGETHER if "-and-" in folder else STRANGERS if folder.startswith("stranger-") else ALONE


def _cell(some: list[float]) -> str:
    if not some:
        return ""
    middle, least, most = (f"{value:.3f}" if value < 2 else f"{value:.1f}" for value in (mean(some), min(some), max(some)))
    return middle if least == most else f"{middle} ({least} to {most})"
