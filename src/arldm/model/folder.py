"""A model on disk: a diffusers folder, safetensors and JSON only, checked when it is read and written in one piece.

model_index.json  arldm.json        which parts, and our config
unet/  vae/  scheduler/             open in stock diffusers
text_encoder/  tokenizer/           CLIP       } open in stock transformers
vision_encoder/  history_encoder/  history_tokenizer/  BLIP }
condition/                          type and position embeddings, context, prior
"""

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import diffusers
import torch
from accelerate import init_empty_weights
from diffusers.models.modeling_utils import ModelMixin
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import BertTokenizer, CLIPTokenizer, PreTrainedModel

from arldm.config import ModelConfig, from_dict, to_dict
from arldm.errors import BROKEN, ConfigError, ModelError, OutputError, said
from arldm.model.text import CaptionTokenizer
from arldm.weight_files import fill
from arldm.writing import replacing_folder

if TYPE_CHECKING:
    from arldm.model.arldm import ARLDM

Model = TypeVar("Model", bound="ARLDM")

FORMAT = 4  # 1 knew neither context nor coordinates nor stem, 2 no prior, 3 no finish; they are read as models without them
CONFIG = "arldm.json"
#: all that a model's folder may hold
ENTRIES = {
    *("unet", "vae", "scheduler", "text_encoder", "tokenizer", "vision_encoder", "history_encoder", "history_tokenizer"),
    *("condition", "model_index.json", CONFIG),
}
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
EMBEDDED = Path(__file__).parents[1] / "weights"


def located(folder: Path | str) -> Path:
    """Where a model lies; "toonsv" is the one that ships with the program, whatever else has that name."""
    return EMBEDDED / "toonsv" if str(folder) == "toonsv" else Path(folder)


def parts(model: "ARLDM") -> Iterator[tuple[str, nn.Module, str]]:
    """Each part with weights: its folder, its module, and the name of its weights file."""
    yield "unet", model.unet, "diffusion_pytorch_model.safetensors"
    yield "vae", model.latents.vae, "diffusion_pytorch_model.safetensors"
    if model.latents.patches is not None:
        yield "vae", model.latents.patches, "principal_patches.safetensors"
    if model.latents.finish is not None:
        yield "vae", model.latents.finish, "finish.safetensors"
    yield "text_encoder", model.text_encoder.clip, "model.safetensors"
    yield "condition", model.conditioner, "model.safetensors"
    if model.prior is not None:
        yield "condition", model.prior, "prior.safetensors"
    if model.history_encoder is not None:
        yield "history_encoder", model.history_encoder.text, "model.safetensors"
        if model.history_encoder.vision is not None:
            yield "vision_encoder", model.history_encoder.vision, "model.safetensors"
        if model.history_encoder.stem is not None:
            yield "vision_encoder", model.history_encoder.stem, "stem.safetensors"


def read_model(folder: Path, kind: type[Model]) -> Model:
    """The model saved in `folder`. Raises ModelError, one line, for whatever is missing, altered or unsafe."""
    config = read_config(folder)
    if unsafe := sorted(path for path in folder.rglob("*") if path.suffix in PICKLES):
        raise ModelError(f"{unsafe[0]}: a pickle, which can run code; only safetensors are read, delete it or convert it")
    tokenizer = CaptionTokenizer.load(CLIPTokenizer, _present(folder / "tokenizer"), config.text.max_tokens)
    past_tokenizer = CaptionTokenizer.load(BertTokenizer, _present(folder / "history_tokenizer"), config.past.max_tokens)
    try:
        with init_empty_weights(include_buffers=False):  # all weights are put in below
            model = kind(config, tokenizer, past_tokenizer)
    except Exception as error:  # whatever torch, diffusers and transformers say of numbers that cannot be
        message = f"{folder / CONFIG}: describes no model that can be built ({said(error)}); fetch the model again"
        raise ModelError(message) from error
    for name, part, file in parts(model):
        _load(part, _present(folder / name / file))
    model.latents.read_statistics(folder / "vae")
    return model


def read_config(folder: Path) -> ModelConfig:
    """The config of the model saved in `folder`. Raises ModelError."""
    path = _present(folder / CONFIG)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if (got := found["format"]) not in range(1, FORMAT + 1):
            writer = found.get("arldm", "of another version")
            ours = f"arldm {version('arldm')} reads formats 1 to {FORMAT}"
            raise ModelError(f"{path}: format {got}, written by arldm {writer}; {ours}, install the version that wrote it")
        return from_dict(ModelConfig, found["model"])
    except (*BROKEN, ConfigError) as error:
        message = f"{path}: cannot be understood ({said(error)}); expected an arldm model's config, fetch it again"
        raise ModelError(message) from error


def _present(path: Path) -> Path:
    if not path.exists():
        raise ModelError(f"{path}: not there; expected an arldm model folder with it, give another --model or fetch it again")
    return path


def _load(part: nn.Module, path: Path) -> None:
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: is not a whole safetensors file ({said(error)}); fetch the model again") from error
    fill(part, found, path)


def write_model(model: "ARLDM", folder: Path, dtype: torch.dtype | None) -> None:
    """Write the model into `folder`, whole or not at all; an earlier model there is replaced, and nothing else is lost.

    Raises OutputError, ConfigError.
    """
    if model.widened is not None:
        raise ConfigError("the model has taken up packs, which no model's folder holds; expected one without, unload_packs() first")
    if folder.exists() and not (folder / CONFIG).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder}: holds something that is not a model; expected a new or empty folder, choose another")
    if others := sorted(path.name for path in (folder.iterdir() if folder.is_dir() else ()) if path.name not in ENTRIES):
        raise OutputError(f"{folder}: holds {others[0]} beside a model, which would be lost; expected it alone, choose another")
    with replacing_folder(folder) as beside:
        _write(model, beside, dtype)


def _write(model: "ARLDM", folder: Path, dtype: torch.dtype | None) -> None:
    """The parts' own configs with their weights; not by their `save_pretrained`, which prints progress and saves only as is."""
    for name, part, file in parts(model):
        (folder / name).mkdir(exist_ok=True)
        if isinstance(part, ModelMixin):
            part.save_config(folder / name)
        elif isinstance(part, PreTrainedModel):
            part.config.save_pretrained(folder / name)
        weights = {key: value.detach().to("cpu", dtype or value.dtype).contiguous() for key, value in part.state_dict().items()}
        save_file(weights, folder / name / file, metadata={"format": "pt"})
    model.latents.write_statistics(folder / "vae")
    model.schedule.save_pretrained(folder / "scheduler")
    model.tokenizer.save(folder / "tokenizer")
    model.past_tokenizer.save(folder / "history_tokenizer")
    (folder / CONFIG).write_text(
        json.dumps({"format": FORMAT, "arldm": version("arldm"), "model": to_dict(model.config)}, indent=1) + "\n", encoding="utf-8"
    )
    (folder / "model_index.json").write_text(json.dumps(_index(model), indent=1) + "\n", encoding="utf-8")


def _index(model: "ARLDM") -> dict[str, Any]:
    """diffusers' list of parts: the library and class of each."""
    named: dict[str, object] = {}
    for name, part, _ in parts(model):
        named.setdefault(name, part)  # what stands beside it is ours and no part of theirs
    del named["condition"]
    named["scheduler"] = model.schedule
    named["tokenizer"], named["history_tokenizer"] = model.tokenizer.tokenizer, model.past_tokenizer.tokenizer
    index = {name: [type(part).__module__.partition(".")[0], type(part).__name__] for name, part in sorted(named.items())}
    return {"_class_name": "ARLDM", "_diffusers_version": diffusers.__version__, **index}
