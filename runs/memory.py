"""Is the memory that a training step or a drawing takes the memory that was predicted? `python runs/memory.py`, on the CPU.

Each setting runs in a process of its own. Measured is what the system gave it (resident memory) at the worst moment, less what it
had when the model was not built yet but a small one had run, so that libraries had loaded what they need.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from arldm.config import DenoiserConfig, HistoryConfig, LatentConfig, ModelConfig, TellConfig, TextConfig, TrainConfig
from arldm.model.arldm import ARLDM
from arldm.recipes import TINY
from arldm.sample import tell_batch
from arldm.story import Frame, Story
from arldm.train.engine import build_accelerator
from arldm.train.learner import Learner
from arldm.train.memory import Peak, blank_tokenizers, parameters, sampling_peak, stories_of, training_peak

#: the paper's kind of model, as large as fits beside other work
MODEL = ModelConfig(
    name="memory",
    picture_size=256,
    text=TextConfig(384, 6, 6, 64, 8000),
    past=HistoryConfig(224, 16, 0, 384, 6, 6, 384, 6, 6, 64, 8000),
    latents=LatentConfig(widths=(64, 128, 256, 256)),
    denoiser=DenoiserConfig((96, 192, 384, 384)),
)
SETTINGS = {
    "training": TrainConfig(batch_size=2),
    "training, checkpointing": TrainConfig(batch_size=2, gradient_checkpointing=True),
}
TOLD = 4  # stories at once
FRAMES = 5


def learn(model: ARLDM, config: ModelConfig, train: TrainConfig) -> Callable[[], object]:
    """A step of the real training of a model of this config."""
    learner, stories = Learner(model, train, build_accelerator(train)), stories_of(config, train.batch_size, FRAMES)
    return lambda: learner.advance(lambda _: stories)


def tell(model: ARLDM, config: ModelConfig, count: int) -> Callable[[], object]:
    """A telling of stories with the longest captions there may be."""
    caption = " ".join(["1"] * (config.text.max_tokens - 2))
    stories = [Story(str(number), (Frame(caption),) * FRAMES) for number in range(count)]
    return lambda: sum(1 for _ in tell_batch(model.eval(), stories, TellConfig(steps=1)))  # each row is let go


def work(name: str, config: ModelConfig, small: bool = False) -> Callable[[], object]:
    """What a setting does again and again."""
    model = ARLDM.build(config, *blank_tokenizers(config))
    if name in SETTINGS:
        return learn(model, config, replace(SETTINGS[name], batch_size=1) if small else SETTINGS[name])
    return tell(model, config, 1 if small else TOLD)


def predicted(name: str) -> Peak:
    """By rehearsal."""
    return training_peak(MODEL, SETTINGS[name], FRAMES, gpu=False) if name in SETTINGS else sampling_peak(MODEL, TOLD, FRAMES)


def resident(kind: str) -> int:
    """Bytes of this process: "VmRSS" now, "VmHWM" at the worst."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024


def measure(name: str) -> int:
    """The peak of the second time, for from then on all that is kept is there."""
    torch.set_num_threads(1)
    work(name, TINY, small=True)()
    before = resident("VmRSS")
    again = work(name, MODEL)
    if name in SETTINGS:
        again()
    Path("/proc/self/clear_refs").write_text("5")  # forget the worst so far
    again()
    return resident("VmHWM") - before


def main() -> None:
    """Predict, measure and compare."""
    print(f"{parameters(MODEL) / 1e6:.1f} M parameters, float32, torch {torch.__version__}, CPU")
    print(f"{'':26} predicted  measured  ratio")
    for name in (*SETTINGS, "sampling"):
        peak = predicted(name)
        environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed goes back to the system, and is not counted
        done = subprocess.run([sys.executable, __file__, name], env=environment, check=True, capture_output=True, text=True)
        measured = int(done.stdout)
        print(f"{name:26} {peak.total / 2**20:5.0f} MiB {measured / 2**20:5.0f} MiB  {peak.total / measured:.3f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        print(measure(sys.argv[1]))
    else:
        main()
