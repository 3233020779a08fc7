"""One process that downloads one file: the cache, cuts, resuming, refusals."""

import os
import time

import pytest

from keras_regnet.weights.download import DownloadError, fetch
from tests.weights.loopback import CONTENT, HALF, SHA256, Behaviour, serving


def get(server, folder, sha256=SHA256, **arguments):
    return fetch(
        server.url, file_name="net", sha256=sha256, cache_dir=folder, **arguments
    )


def assert_only_the_file(folder):
    assert [path.name for path in folder.iterdir()] == ["net"]
    assert (folder / "net").read_bytes() == CONTENT


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8].upper(), None])
def test_a_file_is_loaded_once_and_then_found_without_a_request(
    server, tmp_path, sha256, capsys
):
    folder = tmp_path / "not" / "there"
    assert get(server, folder, sha256) == folder / "net"
    assert_only_the_file(folder)
    assert server.requests == [("GET", None)]
    assert get(server, folder, sha256) == folder / "net"
    assert len(server.requests) == 1
    assert capsys.readouterr().out == ""  # no terminal


def test_the_warm_cache_needs_neither_server_nor_right_to_write(tmp_path):
    (tmp_path / "net").write_bytes(CONTENT)
    os.chmod(tmp_path, 0o500)
    try:
        found = fetch(
            "http://127.0.0.1:9/net", file_name="net", sha256=SHA256, cache_dir=tmp_path
        )
    finally:
        os.chmod(tmp_path, 0o700)
    assert found.read_bytes() == CONTENT


def test_the_default_folder_is_that_of_keras(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    path = fetch(server.url, file_name="net", sha256=SHA256)
    assert path == tmp_path / "home" / "models" / "net"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    path = fetch(server.url, file_name="net", sha256=SHA256)
    assert path == tmp_path / ".keras" / "models" / "net"


def test_another_file_in_the_shared_cache_stays(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    other = tmp_path / "models" / "net.bin"
    other.parent.mkdir()
    other.write_bytes(b"of another program")
    for _ in range(2):
        path = fetch(server.url, file_name="net.bin", sha256=SHA256)
        assert path == tmp_path / "models" / "keras_regnet" / "files" / "net.bin"
        assert path.read_bytes() == CONTENT
    assert other.read_bytes() == b"of another program"


def test_a_damaged_file_in_the_cache_is_loaded_again(server, tmp_path):
    (tmp_path / "net").write_bytes(CONTENT[:-1])
    server.statuses = [404]
    with pytest.raises(DownloadError):
        get(server, tmp_path)
    # Whatever it is, it goes only when there is the right one.
    assert (tmp_path / "net").read_bytes() == CONTENT[:-1]
    get(server, tmp_path)
    assert_only_the_file(tmp_path)


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_cut_connection_is_gone_on_with(server, tmp_path, sha256):
    server.cuts = [HALF, 70_000]
    get(server, tmp_path, sha256)
    assert_only_the_file(tmp_path)
    assert server.requests == [
        ("GET", None),
        ("GET", f"bytes={HALF}-"),
        ("GET", f"bytes={HALF + 70_000}-"),
    ]


def test_what_came_is_kept_for_the_next_call(server, tmp_path):
    server.cuts = [HALF, 0, 0, 0]
    with pytest.raises(DownloadError, match="broke after 2,097,147 of 3,145,745"):
        get(server, tmp_path)
    assert not (tmp_path / "net").exists()
    assert (tmp_path / ".net.part").stat().st_size == HALF
    server.requests.clear()
    get(server, tmp_path)
    assert server.requests == [("GET", f"bytes={HALF}-")]
    assert_only_the_file(tmp_path)


def leave_a_part(server, folder, **arguments):
    server.cuts = [HALF, 0, 0, 0]
    with pytest.raises(DownloadError):
        get(server, folder, **arguments)
    server.requests.clear()


def test_a_part_without_mark_or_checksum_is_not_kept(server, tmp_path):
    server.etag = None
    server.cuts = [HALF] * 4
    with pytest.raises(DownloadError):
        get(server, tmp_path, None)
    assert server.requests == [("GET", None)] * 4
    assert not list(tmp_path.iterdir())
    leave_a_part(server, tmp_path)  # With a checksum it is of use.
    get(server, tmp_path)
    assert server.requests == [("GET", f"bytes={HALF}-")]
    assert_only_the_file(tmp_path)


def test_a_part_of_an_older_version_is_discarded(server, tmp_path):
    server.content = bytes(len(CONTENT))
    leave_a_part(server, tmp_path, sha256=None)
    server.content, server.etag = CONTENT, '"2"'
    get(server, tmp_path, None)
    assert server.requests == [("GET", f"bytes={HALF}-")]
    assert_only_the_file(tmp_path)


def test_a_part_of_an_older_version_without_a_mark_is_found_out(server, tmp_path):
    server.content, server.etag = bytes(len(CONTENT)), None
    leave_a_part(server, tmp_path)
    server.content = CONTENT
    get(server, tmp_path)
    assert server.requests == [("GET", f"bytes={HALF}-"), ("GET", None)]
    assert_only_the_file(tmp_path)


def test_a_part_of_another_address_is_discarded(server, tmp_path):
    leave_a_part(server, tmp_path)
    server.url += ".v2"
    get(server, tmp_path)
    assert server.requests == [("GET", None)]
    assert_only_the_file(tmp_path)


def test_a_part_that_is_whole_is_taken(server, tmp_path):
    leave_a_part(server, tmp_path, sha256=None)
    (tmp_path / ".net.part").write_bytes(CONTENT)
    get(server, tmp_path, None)
    assert server.requests == [("GET", f"bytes={len(CONTENT)}-")]
    assert_only_the_file(tmp_path)


def test_a_part_that_is_too_long_is_discarded(server, tmp_path):
    leave_a_part(server, tmp_path, sha256=None)
    (tmp_path / ".net.part").write_bytes(CONTENT + b"more")
    get(server, tmp_path, None)
    assert server.requests[1:] == [("GET", None)]
    assert_only_the_file(tmp_path)


def test_a_server_without_ranges_begins_anew(server, tmp_path):
    server.ranges = False
    server.cuts = [HALF]
    get(server, tmp_path)
    assert server.requests == [("GET", None), ("GET", f"bytes={HALF}-")]
    assert_only_the_file(tmp_path)


def test_other_bytes_are_refused_and_leave_nothing(server, tmp_path):
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(DownloadError, match="not the file that was published") as error:
        get(server, tmp_path)
    assert SHA256 in str(error.value)
    assert server.url in str(error.value)
    assert not list(tmp_path.iterdir())
    assert len(server.requests) == 1


def test_a_part_and_other_bytes_are_refused_after_a_second_look(server, tmp_path):
    leave_a_part(server, tmp_path)
    server.content = bytes(len(CONTENT))
    with pytest.raises(DownloadError, match="not the file that was published"):
        get(server, tmp_path)
    assert server.requests == [("GET", f"bytes={HALF}-"), ("GET", None)]
    assert not list(tmp_path.iterdir())


def test_404_is_refused_at_once_with_address_and_alternative(server, tmp_path):
    server.statuses = [404]
    with pytest.raises(DownloadError, match="404 Not Found") as error:
        get(server, tmp_path)
    message = str(error.value)
    assert message.endswith(f"Received: {server.url}")
    assert str(tmp_path / "net") in message
    assert "path of the file as the weights" in message
    assert len(server.requests) == 1
    assert not list(tmp_path.iterdir())


def test_a_busy_server_is_asked_four_times(server, tmp_path):
    server.statuses = [503, 429, 500]
    get(server, tmp_path)
    assert len(server.requests) == 4
    assert_only_the_file(tmp_path)
    server.statuses = [503] * 9
    server.requests.clear()
    with pytest.raises(DownloadError, match="503 Service Unavailable"):
        get(server, tmp_path / "other")
    assert len(server.requests) == 4
    assert not list((tmp_path / "other").iterdir())


@pytest.mark.parametrize(
    ("extra", "sha256"),
    [(-100, SHA256), (100, SHA256), (100, None)],  # (-100, None) cannot be noticed
)
def test_a_wrong_length_is_noticed(server, tmp_path, extra, sha256):
    server.extra_length, server.ranges = extra, False
    with pytest.raises(DownloadError, match=r"broke after|not the file"):
        get(server, tmp_path, sha256)
    assert not (tmp_path / "net").exists()


def test_a_wrong_length_does_not_matter_if_the_server_corrects_it(server, tmp_path):
    server.extra_length = 100
    get(server, tmp_path, None)
    assert server.requests == [("GET", None), ("GET", f"bytes={len(CONTENT)}-")]
    assert_only_the_file(tmp_path)


def test_an_unknown_length_needs_a_checksum(server, tmp_path):
    server.extra_length = None
    with pytest.raises(DownloadError, match="how long the file is"):
        get(server, tmp_path, None)
    assert not list(tmp_path.iterdir())
    get(server, tmp_path)
    assert_only_the_file(tmp_path)


def test_redirections_are_followed_within_http(server, tmp_path):
    with serving(Behaviour(b"", redirect=server.url)) as url:
        server.cuts = [HALF]
        fetch(url, file_name="net", sha256=SHA256, cache_dir=tmp_path)
    assert_only_the_file(tmp_path)
    server.redirect = "ftp://127.0.0.1/net"
    with pytest.raises(DownloadError, match="ftp://127"):
        get(server, tmp_path / "other")


def test_without_a_network_the_address_and_the_alternative_are_named(
    tmp_path, monkeypatch
):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with pytest.raises(
        DownloadError, match=r"no connection.*put it at.*Received: http"
    ):
        fetch("http://127.0.0.1:9/net", file_name="net", cache_dir=tmp_path)
    assert pauses == []  # another attempt would not help
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match=r"KERAS_HOME.*Received: cache_dir="):
        get(server, tmp_path / "file" / "models")
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": "file:///etc/passwd"}, "http or https.*file:///etc/passwd"),
        ({"url": "ftp://host/net"}, "http or https"),
        ({"url": "http:///net"}, "http or https"),
        ({"file_name": "../net"}, r"without a folder.*'\.\./net'"),
        ({"file_name": ".."}, "without a folder"),
        ({"file_name": ""}, "without a folder"),
        ({"sha256": "1234567"}, "8 to 64.*'1234567'"),
        ({"sha256": "not hexadecimal"}, "8 to 64"),
    ],
)
def test_impossible_arguments_are_named(arguments, message, tmp_path):
    given = {"url": "http://127.0.0.1:9/net", "file_name": "net"} | arguments
    with pytest.raises(ValueError, match=message):
        fetch(given.pop("url"), cache_dir=tmp_path, **given)
