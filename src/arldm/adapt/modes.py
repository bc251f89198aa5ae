"""What of a model learns a new character, by mode; low-rank changes (Hu et al. 2022) are peft's."""

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor

from arldm.adapt.lessons import sums_up
from arldm.config import Mode
from arldm.model.arldm import ARLDM
from arldm.model.pack import theirs
from arldm.model.widening import texts

#: layers that low ranks change: the U-Net's attention and convolutions, the context's, and the transformers'
DENOISER = r"(unet\..*\.(to_q|to_k|to_v|to_out\.0|conv1|conv2|ff\.net\.0\.proj|ff\.net\.2))"
CONTEXT = r"(conditioner\..*\.(linear1|linear2))"
ENCODERS = r"((text_encoder|history_encoder\.text)\..*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2|query|key|value|dense))"


def let_learn(model: ARLDM, mode: Mode, new: int, rank: int) -> None:
    """Have learn what the mode says, and of the tables of tokens the last `new` rows alone, where not all learns.

    In a model that sums up what it reads, the encoders below the summary stay as they are, their names' rows aside: what is new is
    read as well without them, and what is old worse with them (docs/log.md).
    """
    whole = mode == "full" and not sums_up(model.config)
    if whole:
        return
    model.requires_grad_(False)
    if mode == "full":
        for part in (model.unet, model.conditioner):
            part.requires_grad_(True)
    if mode == "lora":
        layers = "|".join((DENOISER, CONTEXT) if sums_up(model.config) else (DENOISER, CONTEXT, ENCODERS))
        inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=layers), model)
    for part in texts(model):
        table = part.get_input_embeddings().weight.requires_grad_(True)
        learning = (torch.arange(len(table)) >= len(table) - new)[:, None]
        table.register_hook(lambda gradient, learning=learning: gradient * learning.to(gradient))


def lora_weights(model: ARLDM) -> dict[str, Tensor]:
    """What was learned, by diffusers' names, in half precision."""
    found = {}
    for name, weight in model.named_parameters():
        for part in ("lora_A", "lora_B"):
            layer, _, rest = name.partition(f".{part}.")
            if rest:
                found[f"{theirs(layer)}.{part}.weight"] = weight.detach().cpu().half().contiguous()
    return found
