"""What was found of new characters, as the table of docs/new-characters.md."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

#: folders of reports, by what was measured: one character alone, two together, a stranger
ALONE, TOGETHER, STRANGERS = "[!s]*[a-z]-[0-9]", "*-and-*-[0-9]", "stranger-[0-9]"
COLUMNS = {"full": "`full`", "lora": "`lora`", "token": "`token`", "pin": "`pin`", "named": "only named", "none": "nothing learned"}
MOVING = ("full", "lora")
ROWS = (
    (
        ALONE,
        "identity",
        "identity: it is seen in frames that should show it, and nobody of the cast who is not there",
    ),
    (ALONE, "not_copied", "not copied: the same in places, actions, with props that no picture has, these seen, too"),
    (ALONE, "relevance", "relevance of all else that captions tell"),
    (ALONE, "relevance_before_recasting", "the same, told of whom the stories were written for"),
    (ALONE, "consistency", "consistency of all that only the history tells"),
    (ALONE, "consistency_before_recasting", "the same, told of whom the stories were written for"),
    (ALONE, "old_frame_accuracy", "frame accuracy of the old cast, in 40 other stories"),
    (TOGETHER, "both", "two packs in one story: both right in frames of both"),
    (STRANGERS, "one_person", "a stranger called by words that change stays one person, share of stories"),
    (ALONE, "minutes", "minutes, nothing beside"),
    (ALONE, "peak_gib", "peak memory, GiB"),
)


def values(found: Path, part: str, mode: str, metric: str) -> list[float]:
    """A metric in all reports of a mode."""
    reports = [json.loads(path.read_text()) for path in sorted(found.glob(f"{part}/{mode}.json")) if _is_of(path.parent, part)]
    return [report[metric] for report in reports if metric in report]


def table(found: Path) -> Iterator[str]:
    """Means over sets, with the least and the most of one set, in Markdown."""
    modes = [mode for mode in COLUMNS if next(found.glob(f"*/{mode}.json"), None)]
    yield f"| | {' | '.join(COLUMNS[mode] for mode in modes)} |"
    yield "|---" * (len(modes) + 1) + "|"
    counts = [values(found, ALONE, mode, "identity") for mode in modes]
    yield f"| sets of five pictures, of fifteen | {' | '.join(str(len(some)) for some in counts)} |"
    for part, metric, said in ROWS:
        cells = [_cell(values(found, part, mode, metric)) for mode in modes]
        if any(cells):
            yield f"| {said} | {' | '.join(cells)} |"
    for mode in MOVING:
        if lost := values(found, ALONE, f"{mode}-forgetting", "old_frame_accuracy"):
            yield f"| the old cast without `--keep-old`, {COLUMNS[mode]} | {_cell(lost)} |" + " |" * (len(modes) - 1)


def _is_of(folder: Path, part: str) -> bool:
    return part == TOGETHER or "-and-" not in folder.name


def _cell(some: list[float]) -> str:
    if not some:
        return ""
    middle, least, most = (f"{value:.3f}" if value < 2 else f"{value:.1f}" for value in (mean(some), min(some), max(some)))
    return middle if least == most else f"{middle} ({least} to {most})"
