"""Tokenizers and encoders: the same captions give the same ids, nothing is cut, nothing of the caller's is changed."""

from pathlib import Path

import pytest
import torch
from transformers import BertTokenizer, CLIPTokenizer

from arldm.errors import CaptionError, ModelError
from arldm.model.text import CaptionTokenizer, words_of
from arldm.model.vocabulary import BERT_SPECIAL, train_bert_tokenizer, train_clip_tokenizer
from conftest import CAPTIONS


@pytest.mark.parametrize("train", [train_clip_tokenizer, train_bert_tokenizer])
def test_vocabulary_follows_from_the_captions_and_not_from_their_order(train) -> None:
    one, other = train(CAPTIONS * 2, 700), train(tuple(reversed(CAPTIONS)) * 2, 700)
    assert one.get_vocab() == other.get_vocab()
    assert one.backend_tokenizer.to_str() == other.backend_tokenizer.to_str()


@pytest.mark.parametrize("train", [train_clip_tokenizer, train_bert_tokenizer])
def test_frequent_words_are_one_token_and_the_vocabulary_has_a_limit(train) -> None:
    whole = train(CAPTIONS * 2, 2000)
    assert len(whole.tokenize("the stranger waves")) == 3
    small = train(CAPTIONS * 2, 530)
    assert len(small) <= 530
    assert len(small.tokenize("the stranger waves")) >= 3


def test_clip_reads_every_text_back() -> None:
    tokenizer = train_clip_tokenizer(CAPTIONS * 2, 700)
    for text in ("the zebra's ünïcode ☃ 漢字", "momo!"):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids[1:-1]
        assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == text.replace(" ", "")


def test_bert_knows_blips_tokens() -> None:
    tokenizer = train_bert_tokenizer(CAPTIONS, 300)
    assert [tokenizer.convert_tokens_to_ids(token) for token in BERT_SPECIAL] == list(range(7))
    assert len(tokenizer) == len(tokenizer.get_vocab()) == max(tokenizer.get_vocab().values()) + 1


@pytest.mark.parametrize(
    ("train", "kind"), [(train_clip_tokenizer, CLIPTokenizer), (train_bert_tokenizer, BertTokenizer)], ids=["clip", "bert"]
)
def test_saved_and_loaded(train, kind, tmp_path: Path) -> None:
    words = words_of(" ".join(CAPTIONS))
    before = CaptionTokenizer(train(CAPTIONS * 2, 700), 40, words)
    before.save(tmp_path)
    after = CaptionTokenizer.load(kind, tmp_path, 40)
    assert len(after) == len(before)
    assert after.words == before.words
    assert all(torch.equal(one, other) for one, other in zip(before.encode(CAPTIONS), after.encode(CAPTIONS), strict=True))
    after.save(tmp_path / "again")
    again, first = ({path.name: path.read_bytes() for path in folder.glob("*.json")} for folder in (tmp_path / "again", tmp_path))
    assert again == first  # nothing of how it was read


def test_tokenizer_without_a_special_token_is_refused() -> None:
    with pytest.raises(ModelError, match=r"no \[ENC\]"):
        CaptionTokenizer(train_clip_tokenizer(CAPTIONS, 600), 40).id("[ENC]")


def test_caption_too_long_is_refused_with_its_length_and_the_limit() -> None:
    tokenizer = CaptionTokenizer(train_clip_tokenizer(CAPTIONS * 2, 700), 8)
    tokenizer.encode(["momo walks to the beach ."])
    with pytest.raises(CaptionError, match=r'"momo walks to the beach with ..." has 9 tokens; the limit is 8') as error:
        tokenizer.encode(["momo", "momo walks to the beach with a"])
    assert "\n" not in str(error.value)


def test_keep_covers_the_caption_and_not_its_padding() -> None:
    tokenizer = CaptionTokenizer(train_clip_tokenizer(CAPTIONS * 2, 700), 40)
    ids, keep = tokenizer.encode(["momo walks", "", "momo walks to the beach"])
    assert keep.sum(-1).tolist() == [4, 2, 7]
    assert ids.shape == keep.shape == (3, 7)
    assert (ids[~keep] == tokenizer.tokenizer.pad_token_id).all()


@pytest.mark.parametrize("train", [train_clip_tokenizer, train_bert_tokenizer])
def test_an_accent_is_part_of_its_letter_however_it_was_typed(train) -> None:
    """A name that was typed as e and an accent was nobody's."""
    tokenizer = CaptionTokenizer(train(CAPTIONS, 600), 40)
    tokenizer.tokenizer.add_tokens(["ren\u00e9"])
    composed, apart = "Ren\u00e9 waves.", "Rene\u0301 waves."
    assert words_of(apart) == words_of(composed) == ["ren\u00e9", "waves"]
    assert torch.equal(tokenizer.encode([apart])[0], tokenizer.encode([composed])[0])


def test_unknown_words() -> None:
    tokenizer = CaptionTokenizer(train_clip_tokenizer(CAPTIONS, 600), 40, ["momo", "the", "beach"])
    assert tokenizer.unknown_words("The zebra's beach, Momo's beach; a ZEBRA.") == ["zebra", "a"]
    assert CaptionTokenizer(tokenizer.tokenizer, 40).unknown_words("anything") == []


@torch.no_grad()
def test_history_encoder_looks_at_pictures_reads_both_ways_and_leaves_ids_alone(model) -> None:
    encoder = model.history_encoder
    ids, keep = model.past_tokenizer.encode(CAPTIONS)
    before = ids.clone()
    pictures = torch.randn(len(CAPTIONS), 3, 16, 16, generator=torch.Generator().manual_seed(0))
    said = encoder(ids, keep, pictures)
    assert torch.equal(ids, before)
    assert not torch.allclose(said, encoder(ids, keep, pictures.flip(0)), atol=1e-4)
    last = ids.clone()
    end = int(keep[0].sum()) - 2
    last[0, end] = (last[0, end] + 1) % 100
    assert not torch.equal(said[0, 0], encoder(last, keep, pictures)[0, 0]), "the first token must see the last: not causal"
    changed = torch.where(keep, ids, 9)
    torch.testing.assert_close(encoder(changed, keep, pictures)[keep], said[keep], rtol=0, atol=0)
