"""Packs: what they hold, what they change, that they can be let go again, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from arldm.adapt.adapt import adapt
from arldm.cli import main
from arldm.cli.packs import parsed
from arldm.errors import ConfigError, ModelError
from arldm.model.arldm import ARLDM
from arldm.model.pack import CARD, LORA, TENSORS, read_card, read_pack, write_pack
from arldm.model.widening import take_up, texts
from arldm.sample import tell_batch
from arldm.story import Frame, Story
from conftest import build, noise
from newcomers import QUICK, recipe, shown


@pytest.fixture(params=["full", "lora", "token", "pin"])
def pack(request: pytest.FixtureRequest, toy_folder: Path, rumo: Path, tmp_path: Path) -> Path:
    adapt(recipe(toy_folder, rumo, request.param, rank=2), tmp_path / "pack")
    return tmp_path / "pack"


def test_a_pack_changes_what_is_told_and_leaves_no_trace(pack: Path, toy_folder: Path) -> None:
    model = ARLDM.from_pretrained(toy_folder)
    before, hash = shown(model), model.hash()
    model.load_pack(pack)
    assert model.hash() != hash
    assert model.unknown_words(["Rumo"]) == []
    assert shown(model) != before
    model.unload_packs()
    assert model.hash() == hash
    assert model.unknown_words(["Rumo"]) == ["rumo"]
    assert shown(model) == before


def test_packs_taken_up_on_either_side_of_a_move(pack: Path, toy_folder: Path, tmp_path: Path) -> None:
    """Tables of tokens came back as float32 into a model that was half as precise by then."""
    made = read_pack(pack)
    write_pack(replace(made, card=replace(made.card, names=("lulu",))), tmp_path / "second", noise(0))
    model = ARLDM.from_pretrained(toy_folder)
    model.load_pack(pack)
    model.to(torch.bfloat16)
    model.load_pack(tmp_path / "second")
    assert {part.get_input_embeddings().weight.dtype for part in texts(model)} == {torch.bfloat16}
    model.unload_packs()
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}


def test_a_pack_is_what_was_learned(toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
    """The pack of mode full, taken up, is the adapted model, but for half precision; with half the weight, half the way there."""
    adapt(recipe(toy_folder, rumo), tmp_path / "pack")
    plain, taken, half = (ARLDM.from_pretrained(toy_folder) for _ in range(3))
    taken.load_pack(tmp_path / "pack")
    half.load_pack(tmp_path / "pack", 0.5)
    moved = 0
    for name, weight in taken.named_parameters():
        old, middle = plain.get_parameter(name), half.get_parameter(name)
        torch.testing.assert_close(middle[: len(old)], (old + weight[: len(old)]) / 2, rtol=1e-4, atol=1e-5)
        moved += int(not torch.equal(weight[: len(old)], old))
        assert not name.startswith("latents") or torch.equal(weight, old)
    assert moved > 50


@pytest.mark.parametrize("mode", ["full", "lora"])
def test_a_pack_is_taken_further(toy_folder: Path, rumo: Path, tmp_path: Path, mode: str) -> None:
    adapt(recipe(toy_folder, rumo, mode, rank=2), tmp_path / "pack")
    further, heavier = (ARLDM.from_pretrained(toy_folder) for _ in range(2))
    take_up(further, read_pack(tmp_path / "pack").further(1.5), 1.0)
    take_up(heavier, read_pack(tmp_path / "pack"), 1.5)
    for name, weight in further.named_parameters():
        torch.testing.assert_close(weight, heavier.get_parameter(name), rtol=1e-3, atol=1e-4)  # in half precision


def test_low_ranks_are_those_of_peft_and_of_diffusers(toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
    adapt(recipe(toy_folder, rumo, "lora", rank=2), tmp_path / "pack")
    state = load_file(tmp_path / "pack" / LORA)
    assert {name.split(".")[0] for name in state} == {"unet", "text_encoder", "history_encoder", "conditioner"}
    ours = ARLDM.from_pretrained(toy_folder).load_pack(tmp_path / "pack").unet
    theirs = UNet2DConditionModel.from_pretrained(toy_folder / "unet").eval()
    arguments = torch.randn(1, ours.config["in_channels"], 8, 8), torch.tensor(3), torch.randn(1, 5, 16)
    with torch.no_grad():
        plain = theirs(*arguments).sample
        theirs.load_lora_adapter({name: tensor.float() for name, tensor in state.items()}, prefix="unet")
        torch.testing.assert_close(ours(*arguments).sample, theirs(*arguments).sample, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(theirs(*arguments).sample, plain, atol=1e-4)


def test_only_what_the_mode_says_learns(toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
    adapt(recipe(toy_folder, rumo, "token"), tmp_path / "pack")
    assert set(load_file(tmp_path / "pack" / TENSORS)) == {"token.clip", "token.blip"}
    assert (tmp_path / "pack" / TENSORS).stat().st_size < 100_000
    plain, taken = ARLDM.from_pretrained(toy_folder), ARLDM.from_pretrained(toy_folder).load_pack(tmp_path / "pack")
    for name, weight in plain.named_parameters():
        assert torch.equal(taken.get_parameter(name)[: len(weight)], weight), name


def test_pinned_pictures_are_seen_where_the_name_is_said(toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
    adapt(recipe(toy_folder, rumo, "pin"), tmp_path / "pack")
    model = ARLDM.from_pretrained(toy_folder).load_pack(tmp_path / "pack")
    named, other = (Story("s", (Frame(caption), Frame("They sit down."))) for caption in ("Rumo waves.", "Momo waves."))
    alone = [shown(model, story) for story in (named, other)]
    plain = [shown(ARLDM.from_pretrained(toy_folder), story) for story in (named, other)]
    assert alone[1] == plain[1]
    assert alone[0] != plain[0]
    batch = [[frame.picture for frame in row] for row in tell_batch(model, [named, other], QUICK)]
    for k in range(2):
        for t in range(2):
            difference = np.asarray(batch[t][k], np.int16) - np.frombuffer(alone[k][t], np.uint8).reshape(32, 32, 3)
            assert np.abs(difference).max() <= 1
    (rumo / "a.txt").write_text("The dog waves.")
    adapt(replace(recipe(toy_folder, rumo, "pin"), names=("rumo", "dog")), tmp_path / "both")
    assert shown(ARLDM.from_pretrained(toy_folder).load_pack(tmp_path / "both"), Story("s", (Frame("The dog waves."),) * 2))
    with pytest.raises(ConfigError, match="pictures are looked at or not, leave the weight out"):
        ARLDM.from_pretrained(toy_folder).load_pack(tmp_path / "pack", 0.5)


def test_a_pack_that_is_refused_changes_nothing(pack: Path, toy_folder: Path) -> None:
    model, card = ARLDM.from_pretrained(toy_folder), read_pack(pack)
    hash = model.hash()
    for weight in (float("nan"), -1.0, 3.0, "abc"):
        with pytest.raises(ConfigError, match=f"got weight {weight}; expected 0 to 2"):
            model.load_pack(pack, weight)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="nobody"):
        take_up(model, replace(card, card=replace(card.card, like="nobody")), 1.0)
    assert model.widened is None
    assert model.hash() == hash


def test_a_model_with_packs_is_not_saved_without_them(pack: Path, toy_folder: Path, tmp_path: Path) -> None:
    model = ARLDM.from_pretrained(toy_folder).load_pack(pack)
    with pytest.raises(ConfigError, match=r"has taken up packs.*unload_packs\(\) first"):
        model.save_pretrained(tmp_path / "saved")
    model.unload_packs()
    model.save_pretrained(tmp_path / "saved")


def test_a_card_is_written_whatever_its_words_are(toy_folder: Path, rumo: Path, tmp_path: Path, capfd) -> None:
    """A path's bytes need not be letters: they reach us as halves of characters."""
    adapt(recipe(toy_folder, rumo, "pin", author="Ren\udce9"), tmp_path / "pack")
    assert read_card(tmp_path / "pack").author == "Ren\udce9"
    assert main(["pack", "show", str(tmp_path / "pack")]) == 0
    assert "Ren\\udce9" in capfd.readouterr().out


def test_two_packs_in_one_story(toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
    adapt(recipe(toy_folder, rumo, "full"), tmp_path / "one")
    (rumo / "a.txt").write_text("Vesna waves.")
    (rumo / "b.txt").write_text("Vesna sits down.")
    adapt(replace(recipe(toy_folder, rumo, "lora", rank=2), names=("vesna", "deer"), like="momo"), tmp_path / "two")
    model = ARLDM.from_pretrained(toy_folder)
    hash = model.hash()
    model.load_pack(tmp_path / "one").load_pack(tmp_path / "two")
    assert model.unknown_words(["Rumo, Vesna, deer"]) == []
    other = ARLDM.from_pretrained(toy_folder).load_pack(tmp_path / "two").load_pack(tmp_path / "one")
    for name in ("rumo", "vesna", "deer"):
        ids = [one.tokenizer(name, add_special_tokens=False)["input_ids"] for one in (model.tokenizer, other.tokenizer)]
        rows = [texts(one)[0].get_input_embeddings().weight[row] for one, row in zip((model, other), ids, strict=True)]
        torch.testing.assert_close(*rows)
    for name, weight in model.unet.named_parameters():
        torch.testing.assert_close(other.unet.get_parameter(name), weight)
    model.unload_packs()
    assert model.hash() == hash


@given(st.from_regex(r"[a-z/.]{1,20}", fullmatch=True), st.one_of(st.none(), st.floats(0, 2)))
def test_packs_on_the_command_line(folder: str, weight: float | None) -> None:
    text = folder if weight is None else f"{folder}:{weight:.3f}"
    found, read = parsed(text)
    assert found == Path(folder)
    assert read == (1.0 if weight is None else pytest.approx(weight, abs=1e-3))


def test_a_folder_may_end_in_a_number(tmp_path: Path) -> None:
    (tmp_path / "pako:2").mkdir()
    assert parsed(f"{tmp_path}/pako:2") == (tmp_path / "pako:2", 1.0)
    assert parsed(f"{tmp_path}/pako:2:0.5") == (tmp_path / "pako:2", 0.5)


def test_weights_that_cannot_be() -> None:
    for said in ("3", "abc", "nan", "inf", "0,7", "-1", ""):
        with pytest.raises(
            ConfigError, match=f"got weight {said} in 'pack:{said}'; expected a pack's folder, with a weight of 0 to 2"
        ):
            parsed(f"pack:{said}")
    assert parsed("pack:1e-3") == (Path("pack"), 0.001)
    with pytest.raises(ConfigError, match="--pack: got ':1'; expected a pack's folder"):
        parsed(":1")


@pytest.mark.parametrize("mode", ["full", "lora", "pin"])
def test_a_pack_whose_tensors_fit_nowhere(toy_folder: Path, rumo: Path, tmp_path: Path, mode: str) -> None:
    adapt(recipe(toy_folder, rumo, mode, rank=2), tmp_path / "pack")
    model, whole = ARLDM.from_pretrained(toy_folder), read_pack(tmp_path / "pack")
    first = next(iter(whole.deltas()), "")
    harm = {
        "full": [
            {"delta.odd": torch.zeros(3)},
            {f"delta.{first}": torch.tensor(1.0)},
            {"delta.unet.conv_in.weight": torch.zeros(1, 1)},
        ],
        "lora": [{next((name for name in whole.lora if "lora_B" in name), ""): None}],
        "pin": [{"past.keep": torch.zeros(1)}, {"past.tokens": torch.zeros(1, 2, 3)}, {"past.keep": None}],
    }
    for change in harm[mode]:
        part = whole.lora if mode == "lora" else whole.tensors
        left = {name: tensor for name, tensor in {**part, **change}.items() if tensor is not None}
        with pytest.raises(ModelError, match=r"fetch the pack again"):
            take_up(model, replace(whole, **{"lora" if mode == "lora" else "tensors": left}), 1.0)
        assert model.widened is None


def test_one_pack_twice(toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
    adapt(recipe(toy_folder, rumo, "token"), tmp_path / "pack")
    model = ARLDM.from_pretrained(toy_folder).load_pack(tmp_path / "pack")
    with pytest.raises(ModelError, match=r"pack of 'rumo': the model has the word rumo already, by a pack"):
        model.load_pack(tmp_path / "pack")


def test_a_pack_that_was_tampered_with(toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    adapt(recipe(toy_folder, rumo, "token"), pack)
    model, card = ARLDM.from_pretrained(toy_folder), json.loads((pack / CARD).read_text())
    hash = model.hash()

    def refused(said: str, **changed) -> None:
        (pack / CARD).write_text(json.dumps(card | changed))
        with pytest.raises(ModelError, match=said):
            model.load_pack(pack)
        assert model.hash() == hash
        assert model.widened is None

    refused("is not the card of a pack", mode="magic")
    refused("is not the card of a pack", names=["../rumo"])
    (pack / CARD).write_text("[" * 100_000)
    with pytest.raises(ModelError, match="is not the card of a pack"):
        read_card(pack)
    refused("of another format, written by arldm 9; this is arldm", format=9, arldm="9")
    refused("lists no files; expected pack.safetensors", files={})
    refused("is not the card of a pack", like=3)
    refused("is not the card of a pack", files={TENSORS: 3})
    refused("is not the card of a pack", files=[TENSORS])
    for altered in ({"names": ["rumo", "vesna"]}, {"names": ["vesna"]}, {"like": "momo"}, {"base": "0123"}, {"mode": "full"}):
        refused(rf"card\.json: says another {next(iter(altered))} than its pack\.safetensors", **altered)
    refused(r"card\.json: says another names and base than", names=["vesna"], base="0123")
    refused(r"is not the card of a pack \(colour is nothing that a card says\)", colour="red")
    for text in ("{}", "[]", "null"):
        (pack / CARD).write_text(text)
        with pytest.raises(ModelError, match=r"is not the card of a pack \(it says no format\)"):
            read_card(pack)
    (pack / CARD).write_text(json.dumps({name: value for name, value in card.items() if name != "base"}))
    with pytest.raises(ModelError, match=r"is not the card of a pack \(base is missing\)"):
        read_card(pack)
    with pytest.raises(ModelError, match=r"not there; expected a pack of `arldm adapt`"):
        read_card(pack / CARD)
    tensors = load_file(pack / TENSORS)
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, pack / TENSORS)
    refused("has SHA-256 .*, its card says .*; it was altered, fetch the pack again")
    (pack / TENSORS).unlink()
    refused("cannot be read")
    (pack / CARD).unlink()
    (pack / CARD).symlink_to(pack / CARD)  # what the system refuses to read is not broken
    with pytest.raises(ModelError, match=r"cannot be read \(Too many levels of symbolic links\); check who may read it"):
        read_pack(pack)
    (pack / CARD).unlink()
    with pytest.raises(ModelError, match="not there; expected a pack of `arldm adapt`"):
        read_pack(pack)


def test_a_pack_of_another_model(toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
    adapt(recipe(toy_folder, rumo, "token"), tmp_path / "pack")
    other, made = build(seed=7), ARLDM.from_pretrained(toy_folder).hash()
    with pytest.raises(ModelError, match="take up packs in float32, and make it less afterwards"):
        ARLDM.from_pretrained(toy_folder, torch.bfloat16).load_pack(tmp_path / "pack")
    with pytest.raises(ModelError, match=f"made for the model {made}; this is {other.hash()}"):
        other.load_pack(tmp_path / "pack")


def test_pictures_in_a_pack_that_are_not_its_own(
    toy_folder: Path, rumo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    adapt(recipe(toy_folder, rumo, "pin", include_pictures=True), tmp_path / "pack")
    assert main(["pack", "check", str(tmp_path / "pack"), "--model", str(toy_folder)]) == 0
    noise(77).save(tmp_path / "pack" / "pictures" / "000.png")
    assert main(["pack", "check", str(tmp_path / "pack"), "--model", str(toy_folder)]) == 2
    assert "are other pictures than the card says" in capfd.readouterr().err
