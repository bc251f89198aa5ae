"""AR-LDM from what is published: a Stable Diffusion 1.x folder of diffusers and a BLIP folder of transformers.

Every key of their files is loaded or is one of those known to be of no use here; every weight of the model is loaded or is one that
AR-LDM adds (type and position embeddings). Anything else stops it.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from accelerate import init_empty_weights
from torch import Tensor
from transformers import BertTokenizer, CLIPTokenizer

from arldm.config import DenoiserConfig, HistoryConfig, LatentConfig, ModelConfig, TextConfig
from arldm.errors import BROKEN, ModelError, said
from arldm.model.arldm import ARLDM
from arldm.model.condition import Conditioner
from arldm.model.growth import Growth, add_blip_signs, add_names, beginnings, grown, lengthened, resampled
from arldm.model.noise import seeded
from arldm.model.text import CaptionTokenizer
from arldm.weight_files import Weights, fill, read_weights

#: keys of published files that the model has no use for
BUFFERS = r"(.*\.)?position_ids"  # numbers that newer versions count themselves
HEADS = r"(vision_proj|text_proj|itm_head)\..*|logit_scale|temp|.*_queue|.*_m\..*"  # of BLIP's other tasks
DECODER = r"text_decoder\..*"  # it has the encoder's weights but for self-attention, which looks back alone

#: what of a published config decides what is computed with its weights
CHECKED = """
    act_fn hidden_act intermediate_size layer_norm_eps norm_eps norm_num_groups in_channels out_channels block_out_channels
    down_block_types up_block_types mid_block_type layers_per_block cross_attention_dim attention_head_dim use_linear_projection
    only_cross_attention dual_cross_attention flip_sin_to_cos freq_shift downsample_padding center_input_sample class_embed_type
    addition_embed_type time_embedding_type conv_in_kernel conv_out_kernel latent_channels use_quant_conv
    scaling_factor shift_factor beta_schedule trained_betas rescale_betas_zero_snr
""".split()  # noqa: SIM905

#: older names of the autoencoder's attention
RENAMED = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def from_published(sd: Path, blip: Path, growth: Growth, seed: int = 0) -> ARLDM:
    """The paper's model from published weights; what AR-LDM adds to them begins from the seed. Raises ModelError."""
    tokenizer = CaptionTokenizer.load(CLIPTokenizer, _folder(sd) / "tokenizer", growth.max_tokens)
    past_tokenizer = CaptionTokenizer.load(BertTokenizer, _folder(blip), growth.max_tokens)
    add_blip_signs(past_tokenizer)
    sizes = len(tokenizer), len(past_tokenizer)
    add_names(tokenizer, growth.names)
    add_names(past_tokenizer, growth.names)
    config = _config(sd, blip, growth)
    try:
        with init_empty_weights(include_buffers=False):  # all weights are put in below
            model = ARLDM(config, tokenizer, past_tokenizer)
    except Exception as error:  # whatever the libraries say of odd sizes
        raise ModelError(
            f"{sd} and {blip}: make no AR-LDM ({said(error)}); expected Stable Diffusion 1.x and BLIP-large"
        ) from error
    _take_stable_diffusion(model, sd, beginnings(tokenizer, growth.names, sizes[0]), sizes[0])
    _take_blip(model, blip, beginnings(past_tokenizer, growth.names, sizes[1]), sizes[1])
    with seeded(seed):
        model.conditioner = Conditioner(config.text.width, config.window, config.positions)
    return model.eval()


def _take_stable_diffusion(model: ARLDM, sd: Path, rows: list[list[int]], size: int) -> None:
    _same(sd / "scheduler", _json(sd / "scheduler" / "scheduler_config.json"), model.schedule.config)
    _same(sd / "unet", _json(sd / "unet" / "config.json"), model.unet.config)
    fill(model.unet, _read(sd / "unet", "diffusion_pytorch_model"), sd / "unet")
    _same(sd / "vae", _json(sd / "vae" / "config.json"), model.latents.vae.config)
    fill(model.latents.vae, dict(_attention(*one) for one in _read(sd / "vae", "diffusion_pytorch_model").items()), sd / "vae")
    _same(sd / "text_encoder", _json(sd / "text_encoder" / "config.json"), model.text_encoder.clip.config.to_dict())
    clip = _without(_read(sd / "text_encoder", "model", "pytorch_model"), BUFFERS)
    clip = {key.removeprefix("text_model."): value for key, value in clip.items()}
    _change(clip, "embeddings.token_embedding.weight", sd, lambda table: grown(table, rows, size, sd / "text_encoder"))
    length = model.config.text.max_tokens
    _change(clip, "embeddings.position_embedding.weight", sd, lambda table: lengthened(table, length))
    fill(model.text_encoder.clip, clip, sd / "text_encoder")


def _take_blip(model: ARLDM, blip: Path, rows: list[list[int]], size: int) -> None:
    assert model.history_encoder is not None
    assert model.history_encoder.vision is not None
    found = _without(_read(blip, "model", "pytorch_model"), BUFFERS)
    if not any(key.startswith(prefix := "text_encoder.") for key in found):
        got = "has no text_encoder" + ", and writes captions" * any(key.startswith("text_decoder.") for key in found)
        raise ModelError(f"{blip}: {got}; expected a BLIP that reads text both ways, such as blip-itm-large-coco")
    found = _without(found, f"{HEADS}|{DECODER}")
    if left := sorted(key for key in found if not key.startswith((prefix, "vision_model."))):
        raise ModelError(f"{blip}: {left[0]} is unknown ({len(left)} such); expected a BLIP of transformers")
    text = {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}
    vision = {key.removeprefix("vision_model."): value for key, value in found.items() if key.startswith("vision_model.")}
    _change(text, "embeddings.word_embeddings.weight", blip, lambda table: grown(table, rows, size, blip))
    patches = (model.config.past.picture_size // model.config.past.patch) ** 2
    _change(vision, "embeddings.position_embedding", blip, lambda table: resampled(table, patches))
    for part, weights, asked in (
        (model.history_encoder.text, text, _json(blip / "config.json").get("text_config", {})),
        (model.history_encoder.vision, vision, _json(blip / "config.json").get("vision_config", {})),
    ):
        _same(blip, asked, part.config.to_dict())
        fill(part, weights, blip)


def _change(weights: Weights, key: str, where: Path, change: Callable[[Tensor], Tensor]) -> None:
    if key not in weights:
        raise ModelError(f"{where}: {key} is missing; expected the weights of its config, fetch them again")
    weights[key] = change(weights[key])


def _config(sd: Path, blip: Path, growth: Growth) -> ModelConfig:
    """The sizes as the folders state them."""
    unet, vae, clip = (_json(sd / name / "config.json") for name in ("unet", "vae", "text_encoder"))
    schedule, both = _json(sd / "scheduler" / "scheduler_config.json"), _json(blip / "config.json")
    text, vision = both.get("text_config") or {}, both.get("vision_config") or {}
    try:
        latents = LatentConfig("kl", vae["latent_channels"], tuple(vae["block_out_channels"]), vae["layers_per_block"])
        defaults = HistoryConfig()
        return ModelConfig(
            picture_size=unet["sample_size"] * latents.downsample,
            text=TextConfig(
                clip["hidden_size"], clip["num_hidden_layers"], clip["num_attention_heads"], growth.max_tokens, clip["vocab_size"]
            ),
            past=HistoryConfig(
                defaults.picture_size,
                vision.get("patch_size", defaults.patch),
                0,
                vision.get("hidden_size", 768),
                vision.get("num_hidden_layers", 12),
                vision.get("num_attention_heads", 12),
                text.get("hidden_size", defaults.text_width),
                text.get("num_hidden_layers", defaults.text_layers),
                text.get("num_attention_heads", defaults.text_heads),
                growth.max_tokens,
                text.get("vocab_size", defaults.vocabulary),
            ),
            latents=latents,
            denoiser=DenoiserConfig(
                tuple(unet["block_out_channels"]),
                unet["layers_per_block"],
                unet["attention_head_dim"],
                groups=unet.get("norm_num_groups", 32),
                prediction=schedule.get("prediction_type", "epsilon"),
                train_timesteps=schedule.get("num_train_timesteps", 1000),
                beta_start=schedule["beta_start"],
                beta_end=schedule["beta_end"],
            ),
        )
    except BROKEN as error:
        raise ModelError(f"{sd}: its configs lack {error}; expected a Stable Diffusion 1.x folder of diffusers") from error


def _attention(key: str, value: Tensor) -> tuple[str, Tensor]:
    """A weight of the autoencoder's attention by its present name and shape; published ones may be 1 x 1 convolutions."""
    found = re.fullmatch(r"(.*\.attentions\.\d+)\.(query|key|value|proj_attn)\.(weight|bias)", key)
    if found is None:
        return key, value
    return f"{found[1]}.{RENAMED[found[2]]}.{found[3]}", value.flatten(1) if value.ndim > 2 else value


def _without(weights: Weights, pattern: str) -> Weights:
    return {key: value for key, value in weights.items() if not re.fullmatch(pattern, key)}


def _read(folder: Path, *names: str) -> Weights:
    """The weights of a folder, in float32. Raises ModelError."""
    candidates = [folder / f"{name}{ending}" for ending in (".safetensors", ".fp16.safetensors", ".bin", ".pth") for name in names]
    path = next((one for one in candidates if one.exists()), None)
    if path is None:
        raise ModelError(f"{folder}: has no weights; expected {candidates[0].name}, as published")
    return read_weights(path)


def _same(folder: Path, asked: Mapping[str, Any], built: Mapping[str, Any]) -> None:
    """Raises ModelError where a published config asks for what this architecture is not."""
    for key in CHECKED:
        if key in asked and key in built and _plain(asked[key]) != _plain(built[key]):
            raise ModelError(
                f"{folder}: its {key} is {asked[key]}; expected {built[key]} as SD 1.x and BLIP have it, give such a one"
            )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except BROKEN as error:
        raise ModelError(f"{path}: cannot be read ({said(error)}); expected it as published, fetch it again") from error


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise ModelError(f"{path}: is no folder; expected the published one, fetched as a whole")
    return path
