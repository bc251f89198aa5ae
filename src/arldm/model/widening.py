"""A model's cast, widened: names as new tokens, packs taken up, and all of it let go again, to the last bit."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from arldm.errors import ConfigError, ModelError
from arldm.model.growth import add_names
from arldm.model.pack import NEWCOMER, Pack, finite
from arldm.model.text import CaptionTokenizer, words_of

if TYPE_CHECKING:
    from arldm.model.arldm import ARLDM

MOST = 2.0  # of a pack that can be taken up


@dataclass(frozen=True, slots=True, eq=False)
class Pinned:
    """A character's reference pictures as the history encoder read them; seen whenever a caption has one of the names."""

    names: frozenset[str]
    tokens: Tensor  # (picture, token, dim)
    keep: Tensor  # (picture, token)

    def named_in(self, caption: str) -> bool:
        """Does a caption speak of the character?"""
        return not self.names.isdisjoint(words_of(caption))


@dataclass(slots=True)
class Widened:
    """What a model was before its first pack, and what it has taken up since."""

    hash: str
    tokenizers: tuple[CaptionTokenizer, CaptionTokenizer]
    tables: list[nn.Embedding]
    weights: dict[str, Tensor] = field(default_factory=dict)
    pinned: list[Pinned] = field(default_factory=list)


def take_up(model: "ARLDM", pack: Pack, weight: float) -> None:
    """Teach a model what a pack knows; deltas of several packs add up. Raises ModelError, ConfigError, and then changes nothing."""
    card = pack.card
    if not isinstance(weight, int | float) or not 0 <= weight <= MOST:
        raise ConfigError(f"pack of {card.name!r}: got weight {weight}; expected 0 to {MOST:g}, 1 is all of it")
    base = model.widened.hash if model.widened else model.hash()
    if card.base != base:
        rounded = model.dtype != torch.float32
        mend = "take up packs in float32, and make it less afterwards" if rounded else "take the pack with its own model"
        raise ModelError(f"pack of {card.name!r}: made for the model {card.base}; this is {base}, {mend}")
    if card.mode == "pin" and weight != 1:
        raise ConfigError(f"pack of {card.name!r}: got weight {weight}; pictures are looked at or not, leave the weight out")
    if known := [name for name in card.names if _knows(model, name)]:
        got = f"the model has the word {known[0]} already, by a pack that it took up before"
        raise ModelError(f"pack of {card.name!r}: {got}; leave one of the two out")
    deltas = pack.deltas()
    _check(model, pack, deltas)
    before = [part.get_input_embeddings() for part in texts(model)]
    widened = model.widened or Widened(base, (model.tokenizer, model.past_tokenizer), before)
    add_words(model, card.names, card.like)  # refuses before it changes anything
    model.widened = widened
    with torch.no_grad():
        for name, rows in (grown := tables(model)).items():
            rows[-len(card.names) :] += weight * pack.tensors[f"token.{name}"].to(rows)
        for name, delta in deltas.items():
            tensor = model.get_parameter(name)
            if not any(tensor is table for table in grown.values()):  # these go back as a whole
                model.widened.weights.setdefault(name, tensor.detach().clone())
            tensor[: len(delta)] += weight * delta.to(tensor)  # a table of embeddings may have grown since
    if model.prior is not None and NEWCOMER in pack.tensors:
        model.prior.welcome(pack.tensors[NEWCOMER])
    if card.mode == "pin":
        tokens, keep = (pack.tensors[f"past.{name}"].to(model.device) for name in ("tokens", "keep"))
        model.widened.pinned.append(Pinned(frozenset(card.names), tokens.to(model.dtype), keep))


def let_go(model: "ARLDM") -> None:
    """Make a model what it was before its first pack."""
    if model.widened is None:
        return
    for part, table in zip(texts(model), model.widened.tables, strict=True):
        part.set_input_embeddings(table.to(part.get_input_embeddings().weight))
        part.config.vocab_size = table.num_embeddings
    with torch.no_grad():
        for name, tensor in model.widened.weights.items():
            model.get_parameter(name).copy_(tensor)
    if model.prior is not None:
        model.prior.newcomers = model.prior.newcomers[:0]
    model.tokenizer, model.past_tokenizer = model.widened.tokenizers
    model.widened = None


def add_words(model: "ARLDM", names: Sequence[str], like: str) -> None:
    """Names as tokens of their own that mean, so far, what the word `like` means. Raises ConfigError."""
    check_words(model, names, like)
    model.tokenizer, model.past_tokenizer = (_with(tokenizer, names) for tokenizer in (model.tokenizer, model.past_tokenizer))
    first = model.widened.tables if model.widened else [part.get_input_embeddings() for part in texts(model)]
    for tokenizer, part, before in zip((model.tokenizer, model.past_tokenizer), texts(model), first, strict=False):
        table = part.get_input_embeddings()
        row = before.weight.detach()[tokenizer.ids(like)].to(table.weight)  # as it was: packs may have moved it since
        wider = nn.Embedding.from_pretrained(torch.cat([table.weight.detach(), row.expand(len(names), -1)]), freeze=False)
        part.set_input_embeddings(wider)
        part.config.vocab_size = len(tokenizer)


def check_words(model: "ARLDM", names: Iterable[str], like: str) -> None:
    """Raises ConfigError for a name that the model has already, and for a word `like` that is not one token."""
    for name in names:
        if _knows(model, name):
            raise ConfigError(f"--name {name}: is a word that the model knows already; expected a new one, choose another name")
    both = (model.tokenizer, model.past_tokenizer)
    for tokenizer in both:
        if not _is_token(tokenizer, like):
            ids = tokenizer.ids(like)
            pieces = ", ".join(tokenizer.tokenizer.convert_ids_to_tokens(ids))
            close = get_close_matches(
                like, [word for word in model.tokenizer.words if all(_is_token(one, word) for one in both)], 6, cutoff=0.0
            )
            known = f", such as {', '.join(close)}" if close else ""
            raise ConfigError(f"--like {like}: is {len(ids)} tokens to the model ({pieces}); expected a word that is one{known}")


def _knows(model: "ARLDM", name: str) -> bool:
    """Is this a word of the model's already?"""
    return name in model.tokenizer.words or any(
        name in one.tokenizer.get_vocab() or _is_token(one, name) for one in (model.tokenizer, model.past_tokenizer)
    )


def _is_token(tokenizer: CaptionTokenizer, word: str) -> bool:
    """Is it one token, and not the one that stands for all that is unknown?"""
    ids = tokenizer.ids(word)
    return len(ids) == 1 and ids[0] != tokenizer.tokenizer.unk_token_id


def texts(model: "ARLDM") -> list:
    """The transformers that have a table of tokens: CLIP's, and BLIP's where there is a history."""
    return [model.text_encoder.clip, *([model.history_encoder.text] if model.history_encoder is not None else [])]


def tables(model: "ARLDM") -> dict[str, nn.Parameter]:
    """The embeddings of tokens, by the names that packs have for them."""
    return {name: part.get_input_embeddings().weight for name, part in zip(("clip", "blip"), texts(model), strict=False)}


def _with(tokenizer: CaptionTokenizer, names: Iterable[str]) -> CaptionTokenizer:
    wider = CaptionTokenizer(copy.deepcopy(tokenizer.tokenizer), tokenizer.max_tokens, tokenizer.words)
    add_names(wider, names)
    if wider.words:
        wider.words |= frozenset(names)
    return wider


def _looks(pack: Pack, width: int) -> bool:
    """Has it pictures as a history encoder of this width reads them?"""
    tokens, keep = (pack.tensors.get(f"past.{name}", torch.zeros(0)) for name in ("tokens", "keep"))
    return tokens.dim() == 3 and tokens.shape[2] == width and keep.dtype == torch.bool and keep.shape == tokens.shape[:2]


def _check(model: "ARLDM", pack: Pack, moved: Mapping[str, Tensor]) -> None:
    """Raises ModelError for tensors that are not of this model."""
    card, embeddings = pack.card, tables(model)
    expected = {f"token.{name}": (len(card.names), model.config.text.width) for name in embeddings}
    known = {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}
    got = {name: tuple(tensor.shape) for name, tensor in pack.tensors.items() if name.startswith("token.")}
    if card.mode == "pin" and not _looks(pack, model.config.text.width):
        raise ModelError(f"pack of {card.name!r}: has no pictures to look at; fetch the pack again")
    grown = {name for name, one in model.named_parameters() if any(one is table for table in embeddings.values())}
    foreign = any(
        known.get(name) != tuple(delta.shape)
        and not (name in grown and delta.shape[1:] == known[name][1:] and len(delta) <= known[name][0])  # one may have grown since
        for name, delta in moved.items()
    )
    unmet = NEWCOMER in pack.tensors and pack.tensors[NEWCOMER].shape != (model.config.text.width,)
    if foreign or unmet or not expected.items() <= got.items():
        raise ModelError(f"pack of {card.name!r}: its tensors are not of this model; fetch the pack again")
    if not finite(pack.tensors) or not finite(pack.lora):
        raise ModelError(f"pack of {card.name!r}: holds numbers that are none; make it again with a lower --learning-rate")
