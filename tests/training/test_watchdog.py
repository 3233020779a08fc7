import threading
import time

import pytest

from keras_regnet.training.watchdog import Watchdog


def test_silence_ends_the_process_with_a_message(capsys):
    ended = threading.Event()
    codes = []

    def leave(code):
        codes.append(code)
        ended.set()

    with Watchdog(0.1, "Nothing happens.", leave=leave) as watchdog:
        watchdog.alive("adding up")
        assert ended.wait(20)
    assert codes == [4]
    assert capsys.readouterr().err == "Nothing happens. It was: adding up.\n"


def test_it_is_quiet_while_something_happens():
    codes = []
    with Watchdog(1.0, "", leave=codes.append) as watchdog:
        for _ in range(15):
            time.sleep(0.1)
            watchdog.alive()
    time.sleep(1.2)
    assert not codes


def test_zero_watches_nothing():
    codes = []
    before = threading.active_count()
    with Watchdog(0, "", leave=codes.append):
        assert threading.active_count() == before
    with pytest.raises(ValueError, match=r"at least 0\. Received: -1"):
        Watchdog(-1, "")


def test_it_waits_while_somebody_writes():
    codes = []
    with Watchdog(0.1, "", leave=codes.append) as watchdog:
        with watchdog.paused(), watchdog.paused():
            time.sleep(0.5)
        assert not codes
        time.sleep(0.5)
    assert codes == [4]
