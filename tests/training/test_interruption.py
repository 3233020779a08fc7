import signal
import threading

import pytest

from keras_regnet.training.interruption import Interruption, TerminatedError


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


class Dropping:
    """Loses an exception, as the deletion of a data set iterator does."""

    def __del__(self):
        press_ctrl_c()


def test_ctrl_c_waits_for_the_next_check(capsys):
    with Interruption() as interruption:
        interruption.check()
        Dropping()
        assert "Once more stops at once" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            interruption.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_is_raised_at_once():
    with Interruption():
        press_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()


def test_sigterm_waits_for_the_next_check():
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(TerminatedError):
            interruption.check()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_of_the_users_stays_and_other_threads_do_not_mind():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        with Interruption() as interruption:
            press_ctrl_c()
            interruption.check()
        assert pressed == [1]
    finally:
        signal.signal(signal.SIGINT, before)
    errors = []

    def work():
        try:
            with Interruption() as interruption:
                interruption.check()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not errors
