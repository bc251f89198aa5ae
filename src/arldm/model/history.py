"""BLIP's side: a past picture with its caption -> tokens, by the image-grounded text encoder as in AR-LDM."""

import torch
from torch import Tensor, nn
from transformers import BlipTextConfig, BlipTextModel, BlipVisionConfig, BlipVisionModel

from arldm.config import History, HistoryConfig
from arldm.errors import ConfigError
from arldm.model.stem import Stem
from arldm.model.text import CaptionTokenizer


class HistoryEncoder(nn.Module):
    """Past captions, grounded in their pictures (`pictures`) or alone (`captions`).

    transformers builds BLIP's cross-attention only in a decoder; called with `is_decoder=False` it reads in both directions, as an
    encoder must.
    """

    def __init__(self, config: HistoryConfig, mode: History, tokenizer: CaptionTokenizer) -> None:
        super().__init__()
        self.enc = tokenizer.id("[ENC]")  # BLIP's sign that the text is to be encoded with a picture
        self.text = BlipTextModel(_text_config(config, mode, tokenizer), add_pooling_layer=False)
        self.vision = BlipVisionModel(_vision_config(config)) if mode == "pictures" else None
        self.stem = Stem(config.stem, config.patch) if mode == "pictures" and config.stem else None

    def forward(self, ids: Tensor, keep: Tensor, pictures: Tensor | None) -> Tensor:
        """Ids and keep (n, token), pictures (n, 3, size, size) in BLIP's normalisation or None -> tokens (n, token, dim).

        Without pictures the cross-attention is skipped: the past texts alone, which is what `history: captions` means.
        """
        return self.read(ids, keep, None if pictures is None else self.look(pictures))

    def look(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, size, size) -> what is seen in them (n, patch + 1, vision_width)."""
        if self.vision is None:
            raise ConfigError("history 'pictures' asked of a model that has no picture encoder; use 'captions' or 'none'")
        return self.vision(pixel_values=pictures if self.stem is None else self.stem(pictures)).last_hidden_state

    def read(self, ids: Tensor, keep: Tensor, seen: Tensor | None) -> Tensor:
        """Captions, ids and keep (n, token), grounded in what `look` saw or alone -> tokens (n, token, dim)."""
        ids = torch.cat([torch.full_like(ids[:, :1], self.enc), ids[:, 1:]], dim=1)
        return self.text(input_ids=ids, attention_mask=keep, encoder_hidden_states=seen, is_decoder=False).last_hidden_state


def _text_config(config: HistoryConfig, mode: History, tokenizer: CaptionTokenizer) -> BlipTextConfig:
    return BlipTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.text_width,
        encoder_hidden_size=config.vision_width,
        intermediate_size=4 * config.text_width,
        projection_dim=config.text_width,
        num_hidden_layers=config.text_layers,
        num_attention_heads=config.text_heads,
        max_position_embeddings=max(512, config.max_tokens),  # BLIP's own table, whatever the captions' limit
        bos_token_id=tokenizer.id("[DEC]"),
        eos_token_id=tokenizer.id("[SEP]"),
        sep_token_id=tokenizer.id("[SEP]"),
        pad_token_id=tokenizer.id("[PAD]"),
        is_decoder=mode == "pictures",
    )


def _vision_config(config: HistoryConfig) -> BlipVisionConfig:
    return BlipVisionConfig(
        hidden_size=config.vision_width,
        intermediate_size=4 * config.vision_width,
        num_hidden_layers=config.vision_layers,
        num_attention_heads=config.vision_heads,
        image_size=config.picture_size,
        patch_size=config.patch,
        initializer_range=0.02,  # transformers' own default of 1e-10 suits only weights that are loaded afterwards
    )
