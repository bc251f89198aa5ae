"""The U-Net with its noise schedule, and guidance. All of it diffusers' own."""

import warnings

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from torch import Tensor

from arldm.config import DenoiserConfig, TellConfig
from arldm.errors import ConfigError
from arldm.model.condition import Condition

ATTENDING = 3  # levels, from the finest, that attend to the condition; the fourth of Stable Diffusion 1.5 does not

Sampler = DDIMScheduler | DPMSolverMultistepScheduler | UniPCMultistepScheduler


def build_unet(config: DenoiserConfig, channels: int, side: int, dim: int) -> UNet2DConditionModel:
    """The U-Net for latents (channels, side, side) and condition tokens of width `dim`. By default that of Stable Diffusion 1.5."""
    levels = len(config.widths)
    attends = [level < ATTENDING for level in range(levels)]
    return UNet2DConditionModel(
        sample_size=side,
        in_channels=channels + config.coordinates,
        out_channels=channels,
        down_block_types=tuple("CrossAttnDownBlock2D" if attend else "DownBlock2D" for attend in attends),
        up_block_types=tuple("CrossAttnUpBlock2D" if attend else "UpBlock2D" for attend in reversed(attends)),
        block_out_channels=config.widths,
        layers_per_block=config.layers,
        cross_attention_dim=dim,
        attention_head_dim=config.heads,  # diffusers takes it as the number of heads
        norm_num_groups=config.groups,
    )


def build_schedule(config: DenoiserConfig) -> DDPMScheduler:
    """The noise schedule of training. Raises ConfigError for epsilon with zero terminal SNR: of pure noise it teaches nothing."""
    if config.zero_terminal_snr and config.prediction == "epsilon":
        raise ConfigError(
            "zero_terminal_snr is on with prediction 'epsilon'; expected prediction 'v_prediction', change one of them"
        )
    return DDPMScheduler(
        num_train_timesteps=config.train_timesteps,
        beta_start=config.beta_start,
        beta_end=config.beta_end,
        beta_schedule="scaled_linear",
        prediction_type=config.prediction,
        rescale_betas_zero_snr=config.zero_terminal_snr,
        timestep_spacing="trailing",  # so that few steps, too, begin at the last timestep: pure noise
        clip_sample=False,
    )


def build_sampler(config: TellConfig, schedule: DDPMScheduler) -> Sampler:
    """A fresh sampler over the trained schedule, its steps set. The paper's is DDIM. Raises ConfigError."""
    most = schedule.config["num_train_timesteps"]
    if not 1 <= config.steps <= most:
        raise ConfigError(f"steps is {config.steps}; expected 1 or more, at most the {most} that the model was trained with")
    kinds = {"ddim": DDIMScheduler, "dpm++": DPMSolverMultistepScheduler, "unipc": UniPCMultistepScheduler}
    if config.scheduler not in kinds:
        raise ConfigError(f"scheduler is {config.scheduler!r}; expected one of {', '.join(kinds)}")
    sampler: Sampler = kinds[config.scheduler].from_config(schedule.config)
    with warnings.catch_warnings():  # diffusers 0.42 hands torch tensors to numpy 2 in a way that numpy means to give up
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy keyword", DeprecationWarning)
        sampler.set_timesteps(config.steps)
    if config.scheduler == "ddim":  # by rounding, some counts (61) get one step more, to timestep -1, which is read as pure noise
        sampler.timesteps = sampler.timesteps[: config.steps]
    elif len(sampler.timesteps) != config.steps:
        got = f"steps is {config.steps}, of which {config.scheduler} makes {len(sampler.timesteps)}"
        raise ConfigError(f"{got}; expected one more or less")
    return sampler


def build_autocast(precision: str, device: torch.device) -> torch.autocast:
    """A context for calls of the U-Net, in which it calculates in this precision. Raises ConfigError."""
    if precision not in ("no", "bf16"):
        raise ConfigError(f"precision is {precision!r}; expected no or bf16")
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ConfigError(f"precision is bf16, which {torch.cuda.get_device_name(device)} cannot; use precision no")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def predict(unet: UNet2DConditionModel, latents: Tensor, timesteps: Tensor, condition: Condition) -> Tensor:
    """What the U-Net says of noisy latents (n, channel, h, w) at timesteps (n,), in float32; the condition is folded."""
    if (missing := unet.config["in_channels"] - latents.shape[1]) > 0:
        where = coordinates(missing, *latents.shape[2:]).to(latents.device, latents.dtype)
        latents = torch.cat([latents, where.expand(len(latents), -1, -1, -1)], dim=1)
    return unet(
        latents.to(unet.dtype),
        timesteps,
        encoder_hidden_states=condition.tokens.to(unet.dtype),
        encoder_attention_mask=condition.keep,
        return_dict=False,
    )[0].float()


def coordinates(channels: int, height: int, width: int) -> Tensor:
    """Where each cell is: sines and cosines of y and x at octaves from half a wave on, (channels, height, width).

    In pure noise nothing says where the sky is; a U-Net would have to find that by its borders.
    """
    rows, columns = ((torch.arange(size) + 0.5) / size for size in (height, width))
    grid = torch.stack([rows[:, None].expand(height, width), columns.expand(height, width)])  # (2, h, w)
    waves = [wave(torch.pi * 2**octave * grid) for octave in range(channels // 4) for wave in (torch.sin, torch.cos)]
    return torch.cat(waves)


def guided(unet: UNet2DConditionModel, latents: Tensor, timestep: Tensor, pair: Condition, guidance: float) -> Tensor:
    """Classifier-free guidance in one call: `pair` holds the conditions of all frames and then their null conditions."""
    both = predict(unet, torch.cat([latents, latents]), timestep.expand(2 * len(latents)), pair)
    told, untold = both.chunk(2)
    return untold + guidance * (told - untold)


def paired(condition: Condition, null: Condition) -> Condition:
    """The conditions of all frames and then their null conditions, folded into one batch; `null` is of one frame."""
    everywhere = torch.ones(condition.keep.shape[:2], dtype=torch.bool, device=condition.keep.device)
    told, untold = condition.folded(), condition.without(everywhere, null).folded()
    return Condition(torch.cat([told.tokens, untold.tokens]), torch.cat([told.keep, untold.keep]))
