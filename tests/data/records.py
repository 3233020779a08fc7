"""Tiny TFRecords in the customary layout of ImageNet."""

import numpy as np
import tensorflow as tf


def jpeg(brightness):
    image = np.full((24, 28, 3), brightness, np.uint8)
    return tf.io.encode_jpeg(image, quality=100).numpy()


def example(encoded, label, **texts):
    """A serialized Example. A label or an image that is None is left out."""
    features = {}
    if encoded is not None:
        features["image/encoded"] = tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[encoded])
        )
    if label is not None:
        features["image/class/label"] = tf.train.Feature(
            int64_list=tf.train.Int64List(value=[label])
        )
    for key, text in texts.items():
        features[f"image/{key.replace('_', '/')}"] = tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[text.encode()])
        )
    return tf.train.Example(
        features=tf.train.Features(feature=features)
    ).SerializeToString()


def write_file(path, examples):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for each in examples:
            writer.write(each)


def write_records(
    root, part, counts, *, first=1, classes=2, names=(), filenames=True, suffix=""
):
    """Files with so many records each.

    Image number n has the brightness 5 * n, the label `first` + n % `classes`, the
    class's name where there are any, and "n.jpg" for a file name if wanted.
    """
    number = 0
    for index, count in enumerate(counts):
        examples = []
        for _ in range(count):
            texts = {"filename": f"{part}_{number}.jpg"} if filenames else {}
            if names:
                texts["class_text"] = names[number % classes]
            label = first + number % classes
            examples.append(example(jpeg(5 * number), label, **texts))
            number += 1
        name = f"{part}-{index:05}-of-{len(counts):05}{suffix}"
        write_file(root / name, examples)
