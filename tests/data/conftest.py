"""A small data set of TFDS, for the tests of several files."""

import numpy as np
import pytest

TRAIN, TEST = 240, 60  # a tenth of each class


@pytest.fixture(scope="session")
def tiny_fashion_mnist(tmp_path_factory):
    """A folder with a small Fashion-MNIST of noise, in three files, written by TFDS."""
    datasets = pytest.importorskip("tensorflow_datasets")
    root = str(tmp_path_factory.mktemp("tfds"))
    builder = datasets.builder("fashion_mnist", data_dir=root)

    def examples(numbers):
        for number in numbers:
            image = np.random.default_rng(number).integers(0, 256, (28, 28, 1))
            yield number, {"image": image.astype(np.uint8), "label": number % 10}

    builder._split_generators = lambda _: {
        "train": examples(range(TRAIN)),
        "test": examples(range(TRAIN, TRAIN + TEST)),
    }
    builder.download_and_prepare(
        download_config=datasets.download.DownloadConfig(
            try_download_gcs=False, num_shards=3
        )
    )
    return root
