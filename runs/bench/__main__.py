"""What sampling and training take on this machine, against the original procedure with the same weights: `make bench`."""

from pathlib import Path

import sampling
import torch
import training

from arldm import ARLDM


def processor() -> str:
    """What the system calls it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown processor")


def main() -> None:
    """Print it all, a part after the other."""
    model = ARLDM.from_pretrained("toonsv")
    bf16 = "with" if torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported() else "without"
    threads = torch.get_num_threads()
    print(f"{threads} thread{'s' * (threads > 1)}, {processor()}, {bf16} bf16, torch {torch.__version__}, model {model.hash()}")
    sampling.alone(model)
    sampling.equal_steps(model)
    sampling.equal_quality(model)
    training.steps()


if __name__ == "__main__":
    main()
