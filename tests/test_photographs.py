"""The downloader against a server that breaks in every way it knows."""

import hashlib
import io
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, wait
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from arldm.cli import main
from arldm.datasets import photographs
from arldm.datasets.photographs import LEDGER, addresses, fetch_photographs
from arldm.errors import OutputError
from arldm.writing import alone_in

Answers = dict[str, list]


def jpeg(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("RGB", (16, 16), random.Random(seed).randbytes(768)).save(buffer, "JPEG")
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Answers each path by the next of its answers, the last one again and again: (status, body, headers), or how to break off."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked, self.lock = answers, Counter(), threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        with self.server.lock:
            answers = self.server.answers.get(self.path, [(404, b"", {})])
            answer = answers[min(self.server.asked[self.path], len(answers) - 1)]
            self.server.asked[self.path] += 1
        if answer == "hang up":
            self.connection.close()
            return
        status, body, headers = answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serving() -> Iterator:
    servers = []

    def serve(answers: Answers) -> Server:
        servers.append(Server(answers))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def write_annotations(folder: Path, server: Server, photos: list[str], smaller: tuple[str, ...] = ()) -> None:
    """All photographs in one story of training; the others have none."""
    folder.mkdir(parents=True, exist_ok=True)
    images = [
        {"id": id, "url_o": f"{server.address}/{id}_o"} | ({"url_m": f"{server.address}/{id}_m"} if id in smaller else {})
        for id in photos
    ]
    told = [{"story_id": "1", "photo_flickr_id": id, "original_text": "Then.", "worker_arranged_photo_order": 0} for id in photos]
    for split in ("train", "val", "test"):
        mine = split == "train"
        for kind in ("story-in-sequence", "description-in-isolation"):
            content = {"images": images if mine else [], "annotations": [[one] for one in told] if mine else []}
            (folder / f"{split}.{kind}.json").write_text(json.dumps(content))


def ledger(folder: Path) -> dict[str, dict]:
    return {entry["photo"]: entry for entry in map(json.loads, (folder / "images" / LEDGER).read_text().splitlines())}


def test_a_photograph_is_fetched_whole_however_the_server_stumbles(tmp_path: Path, serving) -> None:
    stumbles = {
        "busy": [(503, b"", {}), (429, b"", {"Retry-After": "0"}), (200, jpeg(1), {})],
        "rude": ["hang up", "hang up", (200, jpeg(2), {})],
        "half": [(200, jpeg(3)[:-40], {}), (200, jpeg(3), {})],
        "cut": [(200, jpeg(4)[:-40], {"Content-Length": str(len(jpeg(4)))}), (200, jpeg(4), {})],
        "page": [(200, b"<html>log in</html>", {}), (200, jpeg(5), {})],
        "moved": [(302, b"", {"Location": "/elsewhere"})],
    }
    server = serving({f"/{name}_o": answers for name, answers in stumbles.items()} | {"/elsewhere": [(200, jpeg(6), {})]})
    write_annotations(tmp_path, server, list(stumbles))
    assert fetch_photographs(tmp_path, 3, pause=0.01) == {"fetched": 6}
    for number, name in enumerate(stumbles, 1):
        assert (tmp_path / "images" / f"{name}.jpg").read_bytes() == jpeg(number)
    before = dict(server.asked)
    assert fetch_photographs(tmp_path, 3, pause=0.01) == {"fetched": 6}
    assert server.asked == before  # nothing is fetched twice


def test_the_smaller_one_is_taken_where_the_original_is_gone(tmp_path: Path, serving) -> None:
    server = serving(
        {"/a_o": [(404, b"", {})], "/a_m": [(200, jpeg(1), {})], "/b_o": [(200, jpeg(2), {})], "/b_m": [(200, jpeg(3), {})]}
    )
    write_annotations(tmp_path, server, ["a", "b"], smaller=("a", "b"))
    assert addresses(tmp_path)["a"] == (f"{server.address}/a_o", f"{server.address}/a_m")
    assert fetch_photographs(tmp_path, 2, pause=0.01) == {"fetched": 2}
    assert (tmp_path / "images/a.jpg").read_bytes() == jpeg(1)
    assert (tmp_path / "images/b.jpg").read_bytes() == jpeg(2)


def test_what_is_gone_is_written_down_and_not_asked_for_again(tmp_path: Path, serving, monkeypatch) -> None:
    monkeypatch.setattr(photographs, "LARGEST", 2000)
    server = serving(
        {
            "/lost_o": [(410, b"", {})],
            "/redirected_o": [(302, b"", {"Location": "/images/photo_unavailable.png"})],
            "/images/photo_unavailable.png": [(200, jpeg(0), {})],
            "/huge_o": [(200, bytes(5000), {})],
            "/down_o": [(500, b"", {})],
        }
    )
    write_annotations(tmp_path, server, ["lost", "redirected", "huge", "down", "../up"])
    assert fetch_photographs(tmp_path, 2, pause=0.001) == {
        "status 410": 1,
        "no longer available": 1,
        "too large": 1,
        "HTTPError": 1,
        "no name of a photograph": 1,
    }
    before = Counter(server.asked)
    assert before["/down_o"] > 3  # with patience
    fetch_photographs(tmp_path, 2, pause=0.001)
    assert set(Counter(server.asked) - before) == {"/down_o"}  # it may be up tomorrow
    assert ledger(tmp_path)["down"]["failure"] == "HTTPError: status 500"
    assert [path.name for path in (tmp_path / "images").iterdir()] == [LEDGER]
    assert not (tmp_path / "up.jpg").exists()


def test_a_picture_that_stands_for_many_is_no_photograph(tmp_path: Path, serving) -> None:
    gone, twice = [f"gone{n}" for n in range(6)], ["twice0", "twice1"]
    server = serving({f"/{name}_o": [(200, jpeg(1), {})] for name in gone} | {f"/{name}_o": [(200, jpeg(2), {})] for name in twice})
    write_annotations(tmp_path, server, [*gone, *twice])
    assert fetch_photographs(tmp_path, 2, pause=0.01) == {"no longer available": 6, "fetched": 2}
    assert sorted(path.name for path in (tmp_path / "images").glob("*.jpg")) == ["twice0.jpg", "twice1.jpg"]
    before = dict(server.asked)
    fetch_photographs(tmp_path, 2, pause=0.01)
    assert server.asked == before


def test_a_killed_run_goes_on(tmp_path: Path, serving) -> None:
    names = [f"p{n}" for n in range(8)]
    server = serving({f"/{name}_o": [(200, jpeg(n), {})] for n, name in enumerate(names)})
    write_annotations(tmp_path, server, names)
    fetch_photographs(tmp_path, 2, pause=0.01)
    path = tmp_path / "images" / LEDGER
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]) + '{"photo": "p4", "fi')  # torn
    (tmp_path / "images/p1.jpg").unlink()
    server.asked.clear()
    assert fetch_photographs(tmp_path, 2, pause=0.01) == {"fetched": 8}
    assert set(server.asked) == {"/p1_o"}  # the others are there, though nothing says so
    assert fetch_photographs(tmp_path, 2, pause=0.01) == {"fetched": 8}
    assert [entry["sha256"] for entry in ledger(tmp_path).values()] == [hashlib.sha256(jpeg(n)).hexdigest() for n in range(8)]


def test_photographs_that_somebody_brought_are_not_fetched(tmp_path: Path, serving) -> None:
    """They were, and overwritten."""
    server = serving({"/a_o": [(200, jpeg(1), {})], "/b_o": [(200, jpeg(2), {})]})
    write_annotations(tmp_path, server, ["a", "b"])
    (tmp_path / "images/train").mkdir(parents=True)
    (tmp_path / "images/train/a.png").write_bytes(b"mine")
    assert fetch_photographs(tmp_path, 2, pause=0.01) == {"fetched": 2}
    assert set(server.asked) == {"/b_o"}
    assert (tmp_path / "images/train/a.png").read_bytes() == b"mine"
    assert sorted(path.name for path in (tmp_path / "images").glob("*.jpg")) == ["b.jpg"]


def test_equal_pictures_that_somebody_brought_are_left_alone(tmp_path: Path, serving) -> None:
    """Five of the same bytes were taken for what a server sends in the place of a photograph, and deleted."""
    server = serving({})
    names = [f"p{number}" for number in range(6)]
    write_annotations(tmp_path, server, names)
    (tmp_path / "images/mine").mkdir(parents=True)
    for name in names:
        (tmp_path / f"images/mine/{name}.png").write_bytes(b"the same")
    for _ in range(2):
        assert fetch_photographs(tmp_path, 2, pause=0.01) == {"fetched": 6}
    assert len(list((tmp_path / "images/mine").iterdir())) == 6


def test_photographs_that_were_gone_and_then_brought_are_there(tmp_path: Path, serving) -> None:
    """They stayed gone, with the published archives unpacked beside them."""
    server = serving({})
    write_annotations(tmp_path, server, ["a", "b"])
    assert fetch_photographs(tmp_path, 2, pause=0.001) == {"status 404": 2}
    (tmp_path / "images/train").mkdir()
    (tmp_path / "images/train/a.jpg").write_bytes(jpeg(1))
    assert fetch_photographs(tmp_path, 2, pause=0.001) == {"fetched": 1, "status 404": 1}
    assert ledger(tmp_path)["a"]["file"] == "train/a.jpg"


def test_what_was_under_way_when_all_was_interrupted_is_written_down(tmp_path: Path, serving, monkeypatch) -> None:
    """It was taken for brought, and so what stands for a photograph for one."""
    names = [f"gone{n}" for n in range(6)]
    write_annotations(tmp_path, serving({f"/{name}_o": [(200, jpeg(1), {})] for name in names}), names)

    def interrupted(futures: list[Future]) -> Iterator[Future]:
        yield futures[0]
        wait(futures)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(photographs, "as_completed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch_photographs(tmp_path, 2, pause=0.01)
    assert set(ledger(tmp_path)) == set(names)
    assert fetch_photographs(tmp_path, 2, pause=0.01) == {"no longer available": 6}


def test_a_busy_server_does_not_make_the_smaller_one_do(tmp_path: Path, serving) -> None:
    """It was kept, and the original never asked for again."""
    server = serving({"/a_o": [*[(503, b"", {})] * 8, (200, jpeg(1), {})], "/a_m": [(200, jpeg(2), {})]})
    write_annotations(tmp_path, server, ["a"], smaller=("a",))
    assert fetch_photographs(tmp_path, 1, pause=0.001) == {"HTTPError": 1}
    assert fetch_photographs(tmp_path, 1, pause=0.001) == {"fetched": 1}
    assert (tmp_path / "images/a.jpg").read_bytes() == jpeg(1)


def test_who_is_not_let_in_today_asks_again_tomorrow(tmp_path: Path, serving) -> None:
    server = serving({"/a_o": [(403, b"", {}), (403, b"", {}), (200, jpeg(1), {})]})
    write_annotations(tmp_path, server, ["a"])
    assert fetch_photographs(tmp_path, 1, pause=0.001) == {"HTTPError": 1}
    assert fetch_photographs(tmp_path, 1, pause=0.001) == {"fetched": 1}


def test_two_at_once_do_not_fetch_into_one_folder(tmp_path: Path, serving) -> None:
    write_annotations(tmp_path, serving({}), ["a"])
    (tmp_path / "images").mkdir()
    with alone_in(tmp_path / "images"), pytest.raises(OutputError, match="images: another process writes there; wait for it"):
        fetch_photographs(tmp_path, 1)


def test_the_command_says_how_many_came(tmp_path: Path, serving, capsys) -> None:
    server = serving({"/a_o": [(200, jpeg(1), {})]})
    write_annotations(tmp_path, server, ["a", "b"])
    assert main(["photographs", str(tmp_path), "--workers", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "fetched: 1, status 404: 1"
    assert main(["photographs", str(tmp_path), "--workers", "99"]) == 2
    assert main(["photographs", str(tmp_path / "nowhere")]) == 2
    assert "not there; expected the folder of the published files" in capsys.readouterr().err
