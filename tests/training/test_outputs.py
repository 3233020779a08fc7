"""The TensorBoard events, as TensorBoard reads them."""

import pytest
import tensorflow as tf

from keras_regnet.training.outputs import write_summaries

accumulators = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator"
)


def test_training_and_validation_are_curves_of_one_chart(tmp_path):
    rows = [
        {
            "epoch": epoch,
            "learning_rate": 0.1 / epoch,
            "train_loss": 3 / epoch,
            "validation_loss": 4 / epoch,
            "validation_count": 10,
            "ema_validation_loss": None if epoch == 1 else 2.0,
        }
        for epoch in (1, 2)
    ]
    with write_summaries(tmp_path) as summarize:
        for row in rows:
            summarize(row)
    found = {}
    for folder in tmp_path.iterdir():
        events = accumulators.EventAccumulator(str(folder)).Reload()
        for tag in events.Tags()["tensors"]:
            found[folder.name, tag] = {
                event.step: float(tf.make_ndarray(event.tensor_proto))
                for event in events.Tensors(tag)
            }
    assert found == {
        ("train", "epoch_learning_rate"): pytest.approx({1: 0.1, 2: 0.05}),
        ("train", "epoch_loss"): {1: 3.0, 2: 1.5},
        ("validation", "epoch_loss"): {1: 4.0, 2: 2.0},
        ("validation", "epoch_count"): {1: 10.0, 2: 10.0},
        ("validation_averaged", "epoch_loss"): {2: 2.0},
    }
