"""Draws the scripts in docs/scripts, which the grammar of ToonSV did not write: a strip beside each, with the model's defaults.

`python runs/own_scripts.py [MODEL]`
"""

import sys
from pathlib import Path

from tqdm import tqdm

from arldm import ARLDM, read_script, tell
from arldm.pictures import strip

SCRIPTS = Path(__file__).parents[1] / "docs" / "scripts"


def main(name: str) -> None:
    """Draw them all."""
    model = ARLDM.from_pretrained(name)
    for path in tqdm(sorted(SCRIPTS.glob("*.txt")), unit="script"):
        pictures = [frame.picture for frame in tell(model, read_script(path)) if frame.picture is not None]
        sheet = strip(pictures)
        sheet.resize((sheet.width // 2, sheet.height // 2)).save(path.with_suffix(".webp"), quality=90)


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "toonsv")
