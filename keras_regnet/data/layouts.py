"""What files and folders of data sets are called, for all who read them."""

import re

SMALL = 96
"""Images of at most this height and width are small: kept whole, batch by batch."""

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")

FOLDER_VALIDATION = ("val", "validation", "valid", "test")
"""Folders to evaluate on; the first that is there counts."""

RECORD_FILE = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.tfrecords?)?")
"""A file of TFRecords in ImageNet's customary layout: part, number, total."""

RECORD_VALIDATION = ("validation", "val", "valid", "test")
"""Parts of TFRecords to evaluate on; the first that is there counts."""

RECORD_TEXTS = ("image/class/text", "image/class/synset")
"""Features with the name of a record's class, the better one first."""
