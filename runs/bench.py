"""Seconds a frame on this machine, by number of sampling steps: `make bench`."""

import time

import torch

from arldm import ARLDM, TellConfig, tell
from arldm.story import Frame, Story

CAPTIONS = (
    "Fenna comes to the beach and waves.",
    "She sits down.",
    "Fenna and a stranger hug.",
    "They both jump.",
    "Back at the beach, she cheers.",
)


def main() -> None:
    """Draw one story for each number of steps and print what it took."""
    model = ARLDM.from_pretrained("toonsv")
    story = Story("bench", tuple(Frame(caption) for caption in CAPTIONS))
    list(tell(model, story, TellConfig(steps=2)))  # warms up
    print(f"{torch.get_num_threads()} threads, float32, {len(CAPTIONS)} frames of {model.config.picture_size} px")
    for steps in (8, 12, 20, 50):
        config = TellConfig(steps=steps)
        started = time.perf_counter()
        seconds = [time.perf_counter() - started for _ in tell(model, story, config)]
        print(f"{config.scheduler} {steps:3} steps: first frame {seconds[0]:.1f} s, all {seconds[-1]:.1f} s")


if __name__ == "__main__":
    main()
