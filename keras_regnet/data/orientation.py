"""The orientation that a camera noted in an image file (EXIF)."""

import struct

_TAG = 0x0112


def orientation(encoded: bytes) -> int:
    """1 for upright, as in a file that notes none; 2 to 8 for mirrored or turned.

    Args:
        encoded: The bytes of a JPEG, PNG or WebP file, damaged or not.
    """
    try:
        found = _of_exif(_exif(encoded))
    except (struct.error, IndexError):  # ends in the middle
        return 1
    return found if 1 <= found <= 8 else 1


def _exif(encoded: bytes) -> bytes:
    """What begins with the TIFF header; empty where there is none."""
    if encoded[:2] == b"\xff\xd8":
        at = 2
        while encoded[at] == 0xFF and encoded[at + 1] not in (0xDA, 0xD9):
            marker, size = struct.unpack(">HH", encoded[at : at + 4])
            segment = encoded[at + 4 : at + 2 + size]
            if marker == 0xFFE1 and segment[:6] == b"Exif\0\0":
                return segment[6:]
            at += 2 + size
    elif encoded[:4] == b"\x89PNG":
        at = 8
        while at + 8 <= len(encoded):
            size, kind = struct.unpack(">I4s", encoded[at : at + 8])
            if kind == b"eXIf":
                return encoded[at + 8 : at + 8 + size]
            at += 12 + size
    elif encoded[8:12] == b"WEBP":
        at = 12
        while at + 8 <= len(encoded):
            kind, size = struct.unpack("<4sI", encoded[at : at + 8])
            if kind == b"EXIF":
                return encoded[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0")
            at += 8 + size + size % 2
    return b""


def _of_exif(exif: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    (at,) = struct.unpack(order + "I", exif[4:8])
    (count,) = struct.unpack(order + "H", exif[at : at + 2])
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack(order + "HH", exif[entry : entry + 4])
        if tag == _TAG and kind == 3:  # a short
            return struct.unpack(order + "H", exif[entry + 8 : entry + 10])[0]
    return 1
