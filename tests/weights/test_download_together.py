"""Downloads by several processes and threads, killed ones, and the progress bar."""

import signal
import subprocess
import threading
import time

import pytest

from keras_regnet.weights import download
from keras_regnet.weights.download import DownloadError
from tests import fork_server
from tests.weights.loopback import HALF, SHA256
from tests.weights.test_download import assert_only_the_file, get

FETCH = """
import sys
from keras_regnet.weights.download import fetch
url, folder, sha256 = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
print(fetch(url, file_name="net", sha256=sha256, cache_dir=folder), flush=True)
"""


def process(server, folder):
    """Another Python process that waits for a line before it fetches."""
    arguments = ["-c", FETCH, server.url, folder, SHA256]
    return fork_server.start(arguments, stdin=subprocess.PIPE, stderr=None)


def go(started):
    assert started.stdout.readline() == "ready\n"
    started.stdin.write("go\n")
    started.stdin.flush()


@pytest.mark.long
def test_of_several_processes_and_threads_one_loads(server, tmp_path):
    server.pause = 0.02
    processes = [process(server, tmp_path) for _ in range(2)]
    threads = [
        threading.Thread(target=get, args=(server, tmp_path), daemon=True)
        for _ in range(3)
    ]
    for each in processes:
        go(each)
    for each in threads:
        each.start()
    for each in processes:
        output, _ = each.communicate(timeout=120)
        assert output.strip() == str(tmp_path / "net")
        assert each.returncode == 0
    for each in threads:
        each.join(60)
    assert server.requests == [("GET", None)]
    assert_only_the_file(tmp_path)


@pytest.mark.long
def test_a_killed_download_is_gone_on_with(server, tmp_path):
    server.pause = 0.05
    killed = process(server, tmp_path)
    go(killed)
    part = tmp_path / ".net.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size >= 2**20):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "net").exists()
    had = part.stat().st_size
    server.pause = 0.0
    get(server, tmp_path)
    assert server.requests == [("GET", None), ("GET", f"bytes={had}-")]
    assert_only_the_file(tmp_path)


def test_where_files_cannot_be_locked_each_loads_for_itself(
    server, tmp_path, monkeypatch
):
    monkeypatch.setattr(download, "fcntl", None)
    server.cuts = [HALF]
    get(server, tmp_path)
    assert_only_the_file(tmp_path)
    server.cuts = [HALF, 0, 0, 0]
    with pytest.raises(DownloadError):
        get(server, tmp_path / "other")
    assert not list((tmp_path / "other").iterdir())


class Bar:
    def __init__(self, target, unit_name):
        self.target, self.seen = target, []
        Bar.made.append(self)

    def update(self, current, finalize):
        self.seen.append((current, finalize))


def test_a_terminal_shows_a_bar_that_ends_at_its_target(server, tmp_path, monkeypatch):
    monkeypatch.setattr("keras.utils.Progbar", Bar)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    Bar.made = []
    get(server, tmp_path / "silent", progress=False)
    assert Bar.made == []
    get(server, tmp_path / "shown")
    assert [bar.target for bar in Bar.made] == [3]
    seen = Bar.made[0].seen
    assert seen == sorted(seen)
    assert seen[-1] == (3, True)
    assert sum(last for _, last in seen) == 1
