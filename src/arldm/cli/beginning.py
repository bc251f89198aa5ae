"""`arldm init`."""

from typing import TYPE_CHECKING

from arldm.model.arldm import ARLDM
from arldm.model.growth import GROWTHS
from arldm.model.published import from_published

if TYPE_CHECKING:
    from arldm.cli.laboratory import Init


def init_paper(options: "Init") -> int:
    """Make the full-size model and say how large it is."""
    growth = GROWTHS[options.corpus]
    model = from_published(options.sd, options.blip, growth, options.seed)
    model.save_pretrained(options.out)
    for name, count in sizes(model).items():
        print(f"{name:16} {count / 1e6:8.1f} M")
    print(f"names: {', '.join(growth.names) or 'none'}; captions of up to {growth.max_tokens} tokens")
    print(options.out)
    return 0


def sizes(model: ARLDM) -> dict[str, int]:
    """Parameters of each part, and of all."""
    blip = model.history_encoder
    parts = {
        "U-Net": model.unet,
        "autoencoder": model.latents.vae,
        "CLIP": model.text_encoder,
        "BLIP, pictures": blip and blip.vision,
        "BLIP, text": blip and blip.text,
        "embeddings": model.conditioner,
    }
    counts = {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items() if part is not None}
    return {**counts, "in all": sum(counts.values())}
