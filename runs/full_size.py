"""The paper's model at its full size, from folders as published, on a CPU: `python runs/full_size.py [FOLDER]`.

Folders of Stable Diffusion 1.5 and BLIP-large with the published files, names of weights (old ones too) and configs, but random
weights, become an AR-LDM; it tells a story, learns from one, and its parts open in stock diffusers. Each step is a process of its
own, printed with its seconds and the most memory that it held. Takes 20 GB of disk, below FOLDER for as long as it runs, and up to
20 minutes on two cores.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice, product
from pathlib import Path
from typing import Any

SCRIPT = "Pororo waves at Loopy in the snow.\nShe throws a snowball at him.\n"


def main(folder: Path) -> int:
    """Run every step; 0 = all went well."""
    sd, blip, model = folder / "sd", folder / "blip", folder / "model"
    (folder / "script.txt").write_text(SCRIPT)
    command = [sys.executable, "-m", "arldm"]
    steps = {
        "folders": [sys.executable, __file__, "--folders", str(folder)],
        "init": [*command, "init", "paper", "--sd", str(sd), "--blip", str(blip), "--out", str(model)],
        "stock": [sys.executable, __file__, "--stock", str(folder)],
        "tell": [
            *command,
            "tell",
            str(folder / "script.txt"),
            "--model",
            str(model),
            "--out",
            str(folder / "told"),
            "--steps",
            "2",
        ],
        "learn": [sys.executable, __file__, "--learn", str(folder)],
    }
    return max(measured(name, step) for name, step in steps.items())


def measured(name: str, step: list[str]) -> int:
    """Run one step and print what it says, what it took and how it ended."""
    started = time.monotonic()
    process = subprocess.Popen(step, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        print(f"    {line}", end="", flush=True)
    _, status, usage = os.wait4(process.pid, 0)
    seconds, peak = time.monotonic() - started, usage.ru_maxrss / 2**20
    print(f"{name}: exit {os.waitstatus_to_exitcode(status)}, {seconds:.0f} s, at most {peak:.1f} GiB", flush=True)
    return abs(os.waitstatus_to_exitcode(status))


def write_folders(folder: Path) -> None:
    """Stable Diffusion 1.5 and BLIP-large (image-text matching) in their published layouts."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import BlipConfig, BlipForImageTextRetrieval, CLIPTextConfig, CLIPTextModel

    blip = BlipConfig(text_config=BLIP_TEXT, vision_config=BLIP_VISION)
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    with torch.device("meta"):
        unet, vae = UNet2DConditionModel(**UNET), AutoencoderKL(**VAE)
        clip, seer = CLIPTextModel(CLIPTextConfig(**CLIP)), BlipForImageTextRetrieval(blip)
    write(folder / "sd/unet", UNET, unet, "diffusion_pytorch_model")
    write(folder / "sd/vae", VAE, vae, "diffusion_pytorch_model", lambda name: renamed(name, old))
    places = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    write(folder / "sd/text_encoder", CLIP, clip, "model", lambda name: f"text_model.{name.removeprefix('text_model.')}", places)
    places = {"text_encoder.embeddings.position_ids": torch.arange(512)[None]}
    sizes = {"text_config": BLIP_TEXT, "vision_config": BLIP_VISION, "image_text_hidden_size": 256}
    write(folder / "blip", sizes, seer, "model", extra=places)
    put(folder / "sd/scheduler/scheduler_config.json", SCHEDULE)
    write_bpe(folder / "sd/tokenizer")
    write_word_pieces(folder / "blip")


def renamed(name: str, names: dict[str, str]) -> str:
    """A name of a weight as it once was."""
    for new, old in names.items():
        name = name.replace(new, old)
    return name


def write(folder: Path, config: dict, part: Any, file: str, name=lambda name: name, extra: Any = None) -> None:
    """A part of the right shapes with random weights."""
    import torch
    from safetensors.torch import save_file

    put(folder / "config.json", config)
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for key, value in part.state_dict().items():
        flat = torch.ones(value.shape) if key.endswith("weight") else torch.zeros(value.shape)
        weights[name(key)] = flat if value.ndim < 2 else torch.randn(value.shape, generator=generator) * 0.02
    save_file({**weights, **(extra or {})}, folder / f"{file}.safetensors")
    print(
        f"{folder.name}: {len(weights) + len(extra or {})} keys, {sum(map(torch.numel, weights.values())) / 1e6:.1f} M", flush=True
    )


def put(path: Path, value: dict) -> None:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))


def write_bpe(folder: Path) -> None:
    """A byte-pair vocabulary of CLIP's size and layout: vocab.json and merges.txt, with merges that nobody learned."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    signs = list(bytes_to_unicode().values())
    ends = [f"{sign}</w>" for sign in signs]
    merges = list(islice(product(signs, ends + signs), 48_894))
    words = [*signs, *ends, *map("".join, merges), "<|startoftext|>", "<|endoftext|>"]
    put(folder / "vocab.json", {word: place for place, word in enumerate(words)})
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{left} {right}\n" for left, right in merges))
    sign = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    named = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    special: dict[str, Any] = {name: {"content": content, **sign} for name, content in named.items()}
    special["pad_token"] = "<|endoftext|>"
    put(folder / "special_tokens_map.json", special)
    rest = {"add_prefix_space": False, "do_lower_case": True, "errors": "replace", "model_max_length": 77}
    put(folder / "tokenizer_config.json", {**special, **rest, "tokenizer_class": "CLIPTokenizer"})


def write_word_pieces(folder: Path) -> None:
    """A vocabulary of BERT's size and layout, without BLIP's two signs, as published: vocab.txt."""
    signs = ["[PAD]", *(f"[unused{n}]" for n in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(33, 127) if not 65 <= code <= 90]
    words = [*signs, *letters, *(f"##{letter}" for letter in letters), "penguin", "bear", "fox", "robot", "bird"]
    words += [f"word{n}" for n in range(30_522 - len(words))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    put(folder / "tokenizer_config.json", {"do_lower_case": True, "model_max_length": 512, "tokenizer_class": "BertTokenizer"})


def compare_with_stock(folder: Path) -> None:
    """U-Net and VAE of the saved model in stock diffusers, against those that `arldm` reads."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    from arldm import ARLDM

    model = ARLDM.from_pretrained(folder / "model")
    generator = torch.Generator().manual_seed(0)
    noisy, tokens = torch.randn(1, 4, 16, 16, generator=generator), torch.randn(1, 85, 768, generator=generator)
    pictures = torch.rand(1, 3, 64, 64, generator=generator) * 2 - 1
    with torch.no_grad():
        ours, latents = model.unet(noisy, 500, tokens).sample, model.latents.encode(pictures)
        drawn = model.latents.vae.decode(latents).sample
        del model
        unet = UNet2DConditionModel.from_pretrained(folder / "model/unet")
        print(f"the U-Net's output in stock diffusers is equal: {torch.equal(unet(noisy, 500, tokens).sample, ours)}")
        vae = AutoencoderKL.from_pretrained(folder / "model/vae")
        theirs = vae.encode(pictures).latent_dist.mode() * vae.config.scaling_factor
        print(f"the VAE's, both ways: {torch.allclose(theirs, latents)}, {torch.equal(vae.decode(latents).sample, drawn)}")


def learn(folder: Path) -> None:
    """Forward and backward of one training step: a story of five frames at 512 px, weights and activations in bf16."""
    import torch

    from arldm import ARLDM
    from arldm.toonsv import story

    model = ARLDM.from_pretrained(folder / "model", dtype=torch.bfloat16).train()
    model.unet.enable_gradient_checkpointing()
    model.text_encoder.clip.activation_checkpointing_enable()
    model.history_encoder.vision.activation_checkpointing_enable()  # type: ignore[union-attr] - BLIP's text side has none
    batch = model.batch([story("train", 0, 5, 512)])
    started = time.monotonic()
    loss = model.loss(batch, [torch.Generator().manual_seed(0)])
    loss.backward()
    norms = [weight.grad.float().norm() for weight in model.parameters() if weight.grad is not None]
    learned = sum(weight.numel() for weight in model.parameters() if weight.grad is not None)
    finite = bool(torch.isfinite(torch.stack(norms)).all())
    print(f"loss {loss.item():.4f}, forward and backward in {time.monotonic() - started:.0f} s")
    print(f"{learned / 1e6:.1f} M weights have a gradient, all finite: {finite}")


UNET = {
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
VAE = {
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 512,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
CLIP = {
    "bos_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 1,
    "hidden_act": "quick_gelu",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 77,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "projection_dim": 768,
    "vocab_size": 49408,
}
SCHEDULE = {
    "_class_name": "PNDMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
BLIP_TEXT = {
    "encoder_hidden_size": 1024,
    "hidden_act": "gelu",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "vocab_size": 30524,
}
BLIP_VISION = {
    "hidden_act": "gelu",
    "hidden_size": 1024,
    "image_size": 384,
    "intermediate_size": 4096,
    "layer_norm_eps": 1e-05,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "patch_size": 16,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--folders"]:
        write_folders(Path(sys.argv[2]))
    elif sys.argv[1:2] == ["--stock"]:
        compare_with_stock(Path(sys.argv[2]))
    elif sys.argv[1:2] == ["--learn"]:
        learn(Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as place:
            raise SystemExit(main(Path(place)))
