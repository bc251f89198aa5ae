"""Kills a training at random moments and continues it: is the result, bit for bit, that of the run nobody touched?

`python runs/kill_nine.py [TRIALS]` trains AR-LDM at toy size, cache of drawings and latents included; each trial is one kill -9.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from arldm.config import TrainConfig
from arldm.recipes import TINY, Autoencoder, ToonSV

TRAIN = TrainConfig(
    steps=40,
    batch_size=2,
    learning_rate=1e-3,
    warmup_steps=5,
    threads=1,
    checkpoint_every=5,
    preview_every=40,
    report_to="none",
    seed=1,
)


def child(out: Path) -> None:
    """One training run from nothing, or from where it was killed."""
    from arldm.train import run

    first = out / "autoencoder"
    run(Autoencoder(TINY.latents, TRAIN, picture_size=TINY.picture_size, stories=20, crop=16, cache=out / "cache"), first)
    run(ToonSV(TINY, TRAIN, stories=20, autoencoder=first / "autoencoder.safetensors", cache=out / "cache"), out / "toonsv")


def result(out: Path) -> dict[str, bytes]:
    """All that must be equal: every byte of checkpoints and models, the pictures, and what was measured but the seconds."""
    kept = [path for path in out.rglob("*") if path.suffix in (".safetensors", ".png", ".npy")]
    found = {str(path.relative_to(out)): path.read_bytes() for path in kept}
    for path in out.rglob("metrics.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        found[str(path.relative_to(out))] = json.dumps([row | dict.fromkeys(("seconds", "waited")) for row in rows]).encode()
    return found


def main(trials: int) -> int:
    """Kill and compare; the exit status says whether all were equal."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child"]
        started = time.monotonic()
        subprocess.run([*command, f"{folder}/unbroken"], check=True, capture_output=True)
        seconds = time.monotonic() - started
        expected, equal = result(Path(folder) / "unbroken"), 0
        print(f"the unbroken run takes {seconds:.1f} s and leaves {len(expected)} files to compare", flush=True)
        dice = random.Random()
        for trial in range(trials):
            out = Path(folder) / str(trial)
            process = subprocess.Popen([*command, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(moment := dice.uniform(0.05, 0.98) * seconds)
            process.kill()
            status = process.wait()
            done = sum(len(path.read_text().splitlines()) for path in out.rglob("metrics.jsonl"))
            subprocess.run([*command, str(out)], check=True, capture_output=True)
            found = result(out)
            other = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
            equal += not other
            how = f"killed after {moment:.1f} s, {done} of {2 * TRAIN.steps} steps" if status else "finished before the kill"
            print(f"{trial + 1:2}  {how}: {' '.join(['DIFFERENT:', *other]) if other else 'equal'}", flush=True)
    print(f"{equal} of {trials}")
    return int(equal < trials)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]))
    else:
        raise SystemExit(main(int(sys.argv[1]) if sys.argv[1:] else 20))
