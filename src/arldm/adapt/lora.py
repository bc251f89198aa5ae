"""Low-rank changes (Hu et al. 2022) of what draws and of what reads captions, by peft."""

from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from arldm.model.pack import theirs

#: the U-Net's attention and convolutions, the transformers' and the context's layers
TARGETS = r"(unet\..*\.(to_q|to_k|to_v|to_out\.0|conv1|conv2|ff\.net\.0\.proj|ff\.net\.2))"
TARGETS += r"|((text_encoder|history_encoder\.text)\..*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2|query|key|value|dense))"
TARGETS += r"|(conditioner\..*\.(linear1|linear2))"


def add_lora(model: nn.Module, rank: int) -> None:
    """Freeze a model and lay low-rank changes over it, which begin as nothing."""
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS), model)


def lora_weights(model: nn.Module) -> dict[str, Tensor]:
    """What was learned, by diffusers' names, in half precision."""
    found = {}
    for name, weight in model.named_parameters():
        for part in ("lora_A", "lora_B"):
            layer, _, rest = name.partition(f".{part}.")
            if rest:
                found[f"{theirs(layer)}.{part}.weight"] = weight.detach().cpu().half().contiguous()
    return found
