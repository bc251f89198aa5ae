"""From pictures to numbers: questions and answers, the network that reads, what is counted, and the report."""

import json
import math
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from arldm.errors import ModelError, OutputError
from arldm.evaluate.consistency import by_combination, character_f1, consistency, frame_accuracy, relevance
from arldm.evaluate.measures import Measure, Tally, by_attribute, measure
from arldm.evaluate.reader import CONFIG, SIZE, VALUES, WEIGHTS, Reader, ReaderBatch, disturbed, seen
from arldm.evaluate.report import METRICS, Report, score, table, write
from arldm.model.noise import item_generators, seeded
from arldm.story import Fact, Frame, Source, Story
from arldm.toonsv import chosen, paint, plot, stories, story
from arldm.toonsv.cast import Key, truth
from arldm.toonsv.questions import ABSENT, QUESTIONS, answers, reading
from arldm.toonsv.scenes import random_scene

INDICES = st.integers(0, 10**6)


def facts(*lines: str) -> tuple[Fact, ...]:
    """Facts from "entity attribute value source"."""
    sources: Mapping[str, Source] = {"caption": "caption", "history": "history", "free": "free"}
    return tuple(Fact(entity, attribute, value, sources[source]) for entity, attribute, value, source in map(str.split, lines))


def read(*lines: str) -> dict[Key, str]:
    """A reading from "entity attribute value"."""
    return {Key(entity, attribute): value for entity, attribute, value in map(str.split, lines)}


def of(*frames: tuple[Fact, ...]) -> Story:
    return Story("hand", tuple(Frame("", facts=one) for one in frames))


def plotted(count: int, frames: int = 5) -> list[Story]:
    """Stories of ToonSV without their pictures."""
    return [
        Story(f"val-{index}", tuple(Frame(shot.caption, facts=shot.facts) for shot in plot("val", index, frames)))
        for index in range(count)
    ]


def perfect(story: Story) -> list[dict[Key, str]]:
    return [{Key(fact.entity, fact.attribute): fact.value for fact in frame.facts} for frame in story.frames]


class TestQuestions:
    @settings(deadline=None, max_examples=200)
    @given(INDICES)
    def test_a_scene_comes_back_from_its_answers(self, index: int) -> None:
        known = truth(random_scene("train", index))
        row = answers(known)
        assert reading(row.tolist()) == known
        assert (row.dtype, row.shape) == (np.int64, (len(QUESTIONS),))

    @settings(deadline=None, max_examples=30)
    @given(INDICES, st.integers(2, 12))
    def test_so_does_each_frame_of_a_story(self, index: int, frames: int) -> None:
        for shot in plot("train", index, frames):
            assert reading(answers(truth(shot.scene)).tolist()) == truth(shot.scene)

    @settings(deadline=None, max_examples=100)
    @given(st.data())
    def test_any_answers_make_a_reading_that_comes_back(self, data: st.DataObject) -> None:
        """A network may answer what no scene shows, such as four figures or a landmark of another place."""
        said = reading([data.draw(st.integers(0, len(values) - 1)) for values in QUESTIONS.values()])
        assert reading(answers(said).tolist()) == said

    def test_every_answer_is_one_of_the_values(self) -> None:
        rows = np.stack([answers(truth(random_scene("val", index))) for index in range(400)])
        for column, values in zip(rows.T, QUESTIONS.values(), strict=True):
            assert set(column[column != ABSENT].tolist()) <= set(range(len(values)))

    def test_who_is_not_mentioned_is_not_there(self) -> None:
        row = dict(zip(QUESTIONS, answers({}).tolist(), strict=True))
        assert {value for key, value in row.items() if key.attribute == "present"} == {0}
        assert {value for key, value in row.items() if key.attribute != "present"} == {ABSENT}

    def test_nothing_is_said_of_what_is_not_there(self) -> None:
        row = dict.fromkeys(QUESTIONS, 0)  # the first value of everything: nobody present, place "beach"
        said = reading(list(row.values()))
        assert {key.entity for key in said} == {"scene", "beach"}
        row[Key("stranger", "present")] = 1  # and the first hat is none
        said = reading(list(row.values()))
        assert said[Key("stranger", "hat")] == "none"
        assert Key("stranger", "hat_colour") not in said
        row[Key("stranger", "hat")] = 1
        assert Key("stranger", "hat_colour") in reading(list(row.values()))


@pytest.fixture(scope="module")
def batch() -> ReaderBatch:
    scenes = [random_scene("train", index) for index in range(8)]
    pictures = np.stack([seen(paint(scene, SIZE)) for scene in scenes])
    return ReaderBatch(torch.from_numpy(pictures), torch.from_numpy(np.stack([answers(truth(scene)) for scene in scenes])))


@pytest.fixture(scope="module")
def losses_and_reader(batch: ReaderBatch) -> tuple[list[float], Reader]:
    """A reader after a few steps on eight pictures, and its losses on the way."""
    with seeded(1):
        reader = Reader()
    optimizer = torch.optim.AdamW(reader.parameters(), lr=2e-3)
    losses = []
    for _ in range(16):
        loss = reader.loss(batch, item_generators(7, range(8)))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses, reader.eval()


@pytest.fixture
def reader(losses_and_reader: tuple[list[float], Reader]) -> Reader:
    return losses_and_reader[1]


@pytest.fixture
def folder(reader: Reader, tmp_path: Path) -> Path:
    reader.save_pretrained(tmp_path / "reader")
    return tmp_path / "reader"


class TestReader:
    def test_it_learns(self, losses_and_reader: tuple[list[float], Reader]) -> None:
        losses, _ = losses_and_reader
        guessing = np.average(np.log([len(values) for values in QUESTIONS.values()]))
        assert 0.5 * guessing < losses[0] < 2 * guessing  # at first it knows nothing
        assert losses[-1] < 0.6 * losses[0]

    def test_every_weight_takes_part(self, batch: ReaderBatch) -> None:
        with seeded(2):
            reader = Reader()
        reader.loss(batch, item_generators(0, range(8))).backward()
        idle = [name for name, one in reader.named_parameters() if one.grad is None or not one.grad.abs().sum() > 0]
        assert idle == []
        scores = reader(batch.pictures.movedim(-1, 1).float() / 127.5 - 1)
        reader.queries.grad = None
        torch.stack([one.square().sum() for one in scores]).sum().backward()
        assert (reader.queries.grad.abs().sum(1) > 0).all()  # each entity is looked for with a query of its own

    def test_what_has_no_answer_does_not_count(self, reader: Reader, batch: ReaderBatch) -> None:
        def loss(answered: torch.Tensor) -> float:
            return reader.loss(ReaderBatch(batch.pictures, answered), item_generators(0, range(8))).item()

        column = list(QUESTIONS).index(Key("scene", "kind"))
        only = torch.full_like(batch.answers, ABSENT)
        only[:, column] = batch.answers[:, column]
        other = only.clone()
        other[:, column] = (only[:, column] + 1) % 8
        assert loss(only) != loss(other)
        half = only.clone()
        half[4:] = ABSENT
        rest = only.clone()
        rest[:4] = ABSENT
        assert loss(only) == pytest.approx(loss(half) + loss(rest), rel=1e-4)  # each of the eight counts as much

    def test_it_scores_every_question(self, reader: Reader, batch: ReaderBatch) -> None:
        scores = reader(batch.pictures.movedim(-1, 1).float() / 127.5 - 1)
        assert [tuple(one.shape) for one in scores] == [(8, len(values)) for values in QUESTIONS.values()]

    def test_readings_are_made_of_known_values(self, reader: Reader) -> None:
        pictures = [paint(random_scene("val", index), 64) for index in range(5)]  # of another size
        readings = reader.read(pictures)
        assert len(readings) == 5
        for one in readings:
            assert all(value in QUESTIONS[key] for key, value in one.items())
            assert {Key("scene", "kind"), Key("scene", "weather"), Key("scene", "time")} <= set(one)
        assert reader.read(pictures, batch=2) == readings
        assert reader.read([]) == []

    def test_pictures_are_disturbed_a_little_and_the_same_way_again(self, batch: ReaderBatch) -> None:
        plain = batch.pictures.movedim(-1, 1).float() / 127.5 - 1
        one, two, three = (disturbed(plain, item_generators(seed, range(len(plain)))) for seed in (3, 3, 4))
        assert torch.equal(one, two)
        assert not torch.equal(one, three)
        assert one.shape == plain.shape
        assert 0 < (one - plain).abs().mean() < 0.5

    def test_round_trip(self, reader: Reader, folder: Path, tmp_path: Path) -> None:
        pictures = [paint(random_scene("val", index), SIZE) for index in range(6)]
        found = Reader.from_pretrained(folder)
        assert not found.training
        for name, tensor in reader.state_dict().items():  # half precision
            assert torch.allclose(found.state_dict()[name], tensor, rtol=1e-3, atol=1e-6)
            assert found.state_dict()[name].dtype == torch.float32
        found.save_pretrained(tmp_path / "again")
        again = Reader.from_pretrained(str(tmp_path / "again"))
        assert again.read(pictures) == found.read(pictures)
        assert (tmp_path / "again" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()

    def test_what_is_read_depends_on_the_weights(self, folder: Path) -> None:
        """Else the round trip would prove nothing."""
        pictures = [paint(random_scene("val", index), SIZE) for index in range(6)]
        with seeded(9):
            other = Reader().eval()
        assert other.read(pictures) != Reader.from_pretrained(folder).read(pictures)


class TestReaderRefused:
    def refused(self, folder: Path, says: str) -> None:
        with pytest.raises(ModelError, match=says) as caught:
            Reader.from_pretrained(folder)
        assert len(str(caught.value).splitlines()) == 1

    def test_missing(self, folder: Path) -> None:
        self.refused(folder / "none", "no reader can be read there")
        (folder / WEIGHTS).unlink()
        self.refused(folder, "no reader can be read there")

    @pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99])
    def test_truncated(self, folder: Path, share: float) -> None:
        data = (folder / WEIGHTS).read_bytes()
        (folder / WEIGHTS).write_bytes(data[: int(len(data) * share)])
        self.refused(folder, "no reader can be read there")

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"values": 3}', "\xff"])
    def test_config(self, folder: Path, text: str) -> None:
        (folder / CONFIG).write_text(text, encoding="latin-1")
        self.refused(folder, "no reader can be read there")

    def test_weights_of_something_else(self, folder: Path) -> None:
        weights = load_file(folder / WEIGHTS)
        save_file({name: tensor for name, tensor in weights.items() if name != "queries"}, folder / WEIGHTS)
        self.refused(folder, "no reader can be read there")
        save_file(weights | {"queries": torch.zeros(2, 2)}, folder / WEIGHTS)
        self.refused(folder, "no reader can be read there")
        save_file(weights | {"more": torch.zeros(2, 2)}, folder / WEIGHTS)
        self.refused(folder, "no reader can be read there")

    def test_other_questions(self, folder: Path) -> None:
        for values in ({**VALUES, "scene/time": ["dawn"]}, {**VALUES, "zoo/kind": ["a"]}, {}, []):
            (folder / CONFIG).write_text(json.dumps({"values": values}))
            self.refused(folder, "answers other questions")
        (folder / CONFIG).write_text(json.dumps({"values": {**VALUES, "scene/time": ["dawn"]}}))
        self.refused(folder, r"scene/time is the first")


#: one story of two frames, and a reading of it with known faults
HAND = of(
    facts("scene kind beach caption", "beach hue mint free", "tilo present yes caption", "tilo shirt red free"),
    facts("tilo present yes history", "tilo shirt red history", "beach hue mint history", "tilo mood sad caption"),
)
FAULTY = [
    read("scene kind beach", "beach hue sky", "tilo present yes", "tilo shirt blue", "fenna present yes"),
    read("tilo present yes", "tilo shirt blue", "beach hue mint", "tilo mood happy"),
]


class TestMetrics:
    @pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
    def test_all_right_is_one(self, metric) -> None:
        told = plotted(6)
        found = measure(list(metric(told, [perfect(one) for one in told])))
        assert (found.value, found.low, found.high) == (1, 1, 1)
        assert found.count > 0

    @pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
    def test_nothing_read_is_nought(self, metric) -> None:
        told = plotted(6)
        found = measure(list(metric(told, [[{} for _ in one.frames] for one in told])))
        assert (found.value, found.low, found.high) == (0, 0, 0)

    def test_all_wrong_is_nought(self) -> None:
        told = plotted(6)
        # each frame is wrong, and differently from every frame before
        wrong = [[{key: f"{value}-{t}" for key, value in frame.items()} for t, frame in enumerate(perfect(one))] for one in told]
        for metric in METRICS.values():
            assert measure(list(metric(told, wrong))).value == 0

    def test_a_mixture_by_hand(self) -> None:
        # told by a caption: kind and presence right, mood wrong
        assert measure(list(relevance([HAND], [FAULTY]))).value == pytest.approx(2 / 3)
        # kept from before: presence and shirt (wrong both times, but the same), not the hue
        assert measure(list(consistency([HAND], [FAULTY]))).value == pytest.approx(2 / 3)
        # fenna is one too many in the first of two frames
        assert measure(list(frame_accuracy([HAND], [FAULTY]))).value == 1 / 2
        # two hits; three figures read, two there
        assert measure(list(character_f1([HAND], [FAULTY]))).value == pytest.approx(2 * 2 / (3 + 2))

    def test_relevance_counts_what_captions_tell_alone(self) -> None:
        tallies = list(relevance([HAND], [FAULTY]))
        assert [(one.attribute, one.won, one.held) for one in tallies] == [("kind", 1, 1), ("present", 1, 1), ("mood", 0, 1)]
        told = plotted(4)
        count = sum(fact.source == "caption" for one in told for frame in one.frames for fact in frame.facts)
        assert len(list(relevance(told, [perfect(one) for one in told]))) == count

    def test_consistency_counts_what_history_tells_alone(self) -> None:
        tallies = list(consistency([HAND], [FAULTY]))
        assert [(one.attribute, one.won, one.held) for one in tallies] == [("present", 1, 1), ("shirt", 1, 1), ("hue", 0, 1)]
        told = plotted(20)
        count = sum(fact.source == "history" for one in told for frame in one.frames for fact in frame.facts)
        assert len(list(consistency(told, [perfect(one) for one in told]))) == count

    def test_consistency_looks_at_the_latest_frame_of_which_it_was_true(self) -> None:
        known = of(facts("tilo shirt red free"), facts("tilo shirt red history"), (), facts("tilo shirt red history"))
        blue, red, none = read("tilo shirt blue"), read("tilo shirt red"), read()

        def won(*readings: dict[Key, str]) -> list[float]:
            return [one.won for one in consistency([known], [readings])]

        assert won(blue, blue, red, blue) == [1, 1]  # what is read where it is not true plays no part
        assert won(blue, red, blue, red) == [0, 1]  # with the frame before, not with the first
        assert won(blue, red, red, blue) == [0, 0]
        assert won(none, none, none, none) == [0, 0]  # not read is not consistent
        assert won(red, none, none, none) == [0, 0]

    def test_the_colour_of_a_hat_is_asked_where_a_hat_was_drawn(self) -> None:
        known = of(
            facts("child hat cap free", "child hat_colour red free"), facts("child hat cap history", "child hat_colour red history")
        )
        cap, bare, gone = read("child hat cap", "child hat_colour blue"), read("child hat none"), read()

        def won(*readings: dict[Key, str]) -> dict[str, float]:
            return {one.attribute: one.won for one in consistency([known], [readings])}

        assert won(cap, cap) == {"hat": 1, "hat_colour": 1}
        assert won(bare, bare) == {"hat": 1}  # hatless twice is all that can be kept
        assert won(bare, cap) == {"hat": 0}
        assert won(cap, bare) == {"hat": 0, "hat_colour": 0}
        assert won(gone, gone) == {"hat": 0, "hat_colour": 0}

    def test_history_without_a_past_is_not_counted(self) -> None:
        known = of(facts("tilo present yes history"), facts("tilo present yes history"))
        assert len(list(consistency([known], [[read(), read()]]))) == 1

    def test_given_frames_are_looked_back_at_but_not_scored(self) -> None:
        assert [one.attribute for one in relevance([HAND], [FAULTY], given=1)] == ["mood"]
        assert [one.won for one in frame_accuracy([HAND], [FAULTY], given=1)] == [1]
        assert measure(list(character_f1([HAND], [FAULTY], given=1))).value == 1
        assert list(consistency([HAND], [FAULTY], given=1)) == list(consistency([HAND], [FAULTY]))
        for metric in METRICS.values():
            assert list(metric([HAND], [FAULTY], given=2)) == []

    def test_figures_are_people_that_are_said_to_be_there(self) -> None:
        known = of(facts("tilo present yes caption", "ball present yes caption"))
        for one in (
            read("tilo present yes", "kite present yes"),  # props are no figures
            read("tilo present yes", "fenna present no"),
            read("tilo present yes", "fenna mood sad"),
        ):
            assert [tally.won for tally in frame_accuracy([known], [[one]])] == [1]
        assert [tally.won for tally in frame_accuracy([known], [[read("ball present yes")]])] == [0]

    def test_f1_is_over_all_figures_not_over_frames(self) -> None:
        trio = [f"{who} present yes" for who in ("tilo", "fenna", "bromm")]
        known = of(facts(*(f"{line} caption" for line in trio)), facts("zuzi present yes caption"))
        # three of three, and one wrong for one: 2 * 3 / (3 + 3 + 1 + 1), where the mean of frames would be 1/2
        assert measure(list(character_f1([known], [[read(*trio), read("gorp present yes")]]))).value == 6 / 8

    def test_as_many_readings_as_frames(self) -> None:
        for metric in METRICS.values():
            with pytest.raises(ValueError, match="has 2 frames and 1 readings"):
                list(metric([HAND], [FAULTY[:1]]))
            with pytest.raises(ValueError, match="argument 2 is shorter"):
                list(metric([HAND, HAND], [FAULTY]))

    def test_by_attribute_the_worst_first(self) -> None:
        found = by_attribute(list(consistency([HAND, HAND], [FAULTY, FAULTY])))
        assert next(iter(found)) == "hue"
        assert {name: (one.value, one.count) for name, one in found.items()} == {"hue": (0, 2), "present": (1, 2), "shirt": (1, 2)}


def rolls(count: int, share: float = 0.7, seed: int = 0) -> list[Tally]:
    """Stories of three facts each, every one of them won with this probability."""
    dice = np.random.Generator(np.random.PCG64(seed))
    return [Tally(number, 0, "mood", float(dice.random() < share), 1) for number in range(count) for _ in range(3)]


class TestMeasure:
    def test_one_story_has_no_interval(self) -> None:
        """Its ends were its value, as if that were sure."""
        found = measure(rolls(1, 0.5, 3))
        assert 0 <= found.value <= 1
        assert math.isnan(found.low)
        assert math.isnan(found.high)

    @settings(deadline=None, max_examples=40)
    @given(st.integers(2, 60), st.floats(0, 1), st.integers(0, 99))
    def test_the_interval_holds_the_value(self, count: int, share: float, seed: int) -> None:
        tallies = rolls(count, share, seed)
        found = measure(tallies)
        assert 0 <= found.low <= found.value + 1e-9 <= found.high + 2e-9 <= 1 + 3e-9
        assert found.value == pytest.approx(sum(one.won for one in tallies) / len(tallies))
        assert found.count == 3 * count

    def test_more_stories_make_it_narrower(self) -> None:
        widths = [found.high - found.low for found in (measure(rolls(count)) for count in (10, 100, 1000))]
        assert widths[0] > 2 * widths[1] > 4 * widths[2] > 0

    def test_it_is_about_as_wide_as_theory_says(self) -> None:
        found = measure(rolls(400))
        assert found.high - found.low == pytest.approx(2 * 1.96 * math.sqrt(0.7 * 0.3 / 1200), rel=0.2)

    def test_stories_are_drawn_whole(self) -> None:
        """Facts of one story stand or fall together: twenty in each of five stories are not a hundred."""
        together = [Tally(number, 0, "mood", float(number < 2), 1) for number in range(5) for _ in range(20)]
        apart = [replace(one, story=k) for k, one in enumerate(together)]
        assert measure(together).value == measure(apart).value
        assert measure(together).high - measure(together).low > 2 * (measure(apart).high - measure(apart).low)

    def test_the_same_seed_gives_the_same_interval(self) -> None:
        assert measure(rolls(50), seed=3) == measure(rolls(50), seed=3)
        uneven = [replace(one, held=1 + one.story / 100, won=one.won / 2) for one in rolls(50)]  # no two resamples are alike
        assert measure(uneven, seed=3) == measure(uneven, seed=3)
        assert measure(uneven, seed=3) != measure(uneven, seed=4)

    @pytest.mark.parametrize("tallies", [[], [Tally(0, 0, "who", 0, 0)], [Tally(0, 0, "who", 0, 0), Tally(1, 0, "who", 0, 0)]])
    def test_nothing_to_win_is_not_a_number(self, tallies: Sequence[Tally]) -> None:
        found = measure(tallies)
        assert all(math.isnan(value) for value in (found.value, found.low, found.high))
        assert found.count == 0

    def test_memory_does_not_grow_with_resamples(self) -> None:
        tallies = rolls(4000)
        tracemalloc.start()
        measure(tallies)
        assert tracemalloc.get_traced_memory()[1] < 20e6  # all 2,000 resamples at once are 64 MB, several times over
        tracemalloc.stop()


def report(value: float) -> Report:
    one = Measure(value, value - 0.1, value + 0.1, 7)
    broken_down = {"relevance": {"mood": one}, "consistency": {"hue": one}}
    return Report(dict.fromkeys(METRICS, one), broken_down, {"relevance": {0: one}}, {"held out": one}, value)


class TestReport:
    def test_a_row_for_each_name(self) -> None:
        long = "a model with a name that takes more room than usual"
        lines = table({"a model": report(0.5), "rendered truth": report(0.25), long: report(0.5)}).splitlines()
        assert len(lines) == 4
        assert all(metric.replace("_", " ") in lines[0] for metric in METRICS)
        assert lines[1].startswith("a model")
        assert lines[1].count("0.500 [0.400, 0.600]") == len(METRICS)
        assert lines[2].startswith("rendered truth")
        assert lines[2].count("0.250 [0.150, 0.350]") == len(METRICS)
        assert lines[3].startswith(f"{long} ")
        assert len({len(line) for line in lines}) == 1  # what stands under what can be seen

    def test_scores_of_real_pictures(self, reader: Reader) -> None:
        truths = list(stories("val", 2, 3, 64))
        pictures = [[frame.picture for frame in one.frames if frame.picture] for one in truths]
        found = score(pictures, truths, reader)
        flat = [reader.read(row) for row in pictures]
        assert found.metrics == {name: measure(list(metric(truths, flat))) for name, metric in METRICS.items()}
        assert found.by_attribute["relevance"] == by_attribute(list(relevance(truths, flat)))
        assert set(found.by_attribute) == {"relevance", "consistency"}
        assert score(pictures, truths, reader, given=2).metrics["frame_accuracy"].count == 2
        assert found.reader_fid == pytest.approx(0, abs=1e-3)  # the same pictures
        assert score([row[::-1] for row in pictures], truths, reader, given=1).reader_fid > 1e-2
        assert sum(one.count for one in found.by_frame["relevance"].values()) == found.metrics["relevance"].count
        assert set(found.by_frame["consistency"]) == {1, 2}  # the first frame has no history

    def test_what_training_never_held_is_counted_apart(self) -> None:
        numbers = list(islice(chosen("test", only_held_out=True), 3))
        assert numbers == sorted(numbers)
        truths = [story("test", number, 5, 16) for number in numbers]
        perfect = [[{Key(f.entity, f.attribute): f.value for f in frame.facts} for frame in one.frames] for one in truths]
        tallies = list(relevance(truths, perfect))
        found = by_combination(tallies, truths)
        assert found["held out"].count >= 3
        assert found["held out"].count + found["the rest"].count == len(tallies)
        assert by_combination(tallies[:1], [story("test", 0, 5, 16)]).keys() == {"the rest"}

    def test_it_is_written_as_json(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "report.json"
        write(path, {**report(0.5).to_dict(), "rows": (1, "two", None, True)})
        found = json.loads(path.read_text())
        assert found["metrics"]["relevance"] == {"value": 0.5, "low": 0.4, "high": 0.6, "count": 7}
        assert found["by_attribute"]["consistency"]["hue"]["count"] == 7
        assert found["rows"] == [1, "two", None, True]
        assert [one.name for one in path.parent.iterdir()] == ["report.json"]

    def test_what_was_not_measured_is_null(self, tmp_path: Path) -> None:
        def refuse(name: str) -> None:
            raise ValueError(f"{name} is not JSON")

        nothing = Report(dict.fromkeys(METRICS, measure([])), {}, {}, {}, math.nan)
        write(tmp_path / "report.json", nothing.to_dict())
        found = json.loads((tmp_path / "report.json").read_text(), parse_constant=refuse)
        assert found["metrics"]["consistency"] == {"value": None, "low": None, "high": None, "count": 0}
        assert "nan" in table({"nothing": nothing})

    def test_a_report_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        (tmp_path / "folder").mkdir()
        for path in (tmp_path / "file" / "report.json", tmp_path / "file" / "deep" / "report.json", tmp_path / "folder"):
            with pytest.raises(OutputError, match="cannot be written"):
                write(path, {"a": 1})
        assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder"]
        assert (tmp_path / "file").read_text() == "mine"

    def test_the_old_report_stays_if_the_new_one_cannot_be_said(self, tmp_path: Path) -> None:
        write(tmp_path / "report.json", {"a": 1})
        with pytest.raises(TypeError):
            write(tmp_path / "report.json", {"a": object()})
        assert json.loads((tmp_path / "report.json").read_text()) == {"a": 1}
        assert [one.name for one in tmp_path.iterdir()] == ["report.json"]
