"""Networks published for reuse: SavedModels, ONNX, LiteRT, model cards, and back.

Reading back works on every Keras backend. What writes needs TensorFlow, and is
imported when it is first asked for.
"""

from typing import TYPE_CHECKING

from keras_regnet.optional import lazily
from keras_regnet.publishing.metadata import Metadata
from keras_regnet.publishing.reading import (
    find_published,
    is_published,
    list_published,
    load_published,
    read_metadata,
)

if TYPE_CHECKING:  # editors and type checkers do not run `__getattr__`
    from keras_regnet.publishing.agreement import DisagreementError
    from keras_regnet.publishing.exported import ExportedFile
    from keras_regnet.publishing.fusion import fuse
    from keras_regnet.publishing.litert_export import export_litert
    from keras_regnet.publishing.onnx_export import export_onnx
    from keras_regnet.publishing.publication import publish

_WRITERS = {
    "DisagreementError": "agreement",
    "ExportedFile": "exported",
    "export_litert": "litert_export",
    "export_onnx": "onnx_export",
    "fuse": "fusion",
    "publish": "publication",
}

__all__ = [
    "DisagreementError",
    "ExportedFile",
    "Metadata",
    "export_litert",
    "export_onnx",
    "find_published",
    "fuse",
    "is_published",
    "list_published",
    "load_published",
    "publish",
    "read_metadata",
]

__getattr__ = lazily(__name__, _WRITERS)
