import io

from keras_regnet.training.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


ROW = {
    "train_loss": 1.0,
    "train_accuracy": 0.5,
    "validation_loss": 2.0,
    "validation_accuracy": 0.25,
    "seconds": 61.0,
    "images_per_second": 10.0,
}


def show(stream, verbose=1):
    progress = Progress(3, verbose, stream)
    progress.start_epoch(1, 10)
    progress.update(5, 50, 1.5, 0.4)
    progress.end_epoch(ROW)
    return stream.getvalue()


def test_one_line_per_epoch_where_nobody_looks():
    text = show(io.StringIO())
    assert text.startswith("Epoch 2/3  loss 1.0000  accuracy 0.5000  validation loss")
    assert "1:01 left" in text
    assert text.count("\n") == 1
    assert "\r" not in text


def test_a_bar_on_a_terminal():
    text = show(Terminal())
    assert "[==========..........] 5/10" in text
    assert text.count("\n") == 1


def test_silence():
    assert show(Terminal(), verbose=0) == ""


def test_durations():
    assert [duration(s) for s in (0.4, 59, 61, 7384)] == [
        "0 s",
        "59 s",
        "1:01",
        "2:03:04",
    ]
