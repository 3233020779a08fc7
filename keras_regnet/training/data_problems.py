"""What the data can say of their images: names, and which cannot be used."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from keras_regnet.files import write_text
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.run_directory import naming

UNREADABLE = "unreadable_images.txt"


class DataProblems:
    """Asks data like `keras_regnet.data.Data`; of others nothing is known.

    Args:
        source: The training data, as the user gave it. `problems` and `batch_names`
            are asked where it has them.
        folder: The run directory, for the lists of names.
        consensus: Between the workers.
    """

    def __init__(self, source: Any, folder: Path, consensus: Consensus) -> None:
        self._problems = getattr(source, "problems", None)
        self._batch_names = getattr(source, "batch_names", None)
        self._folder = folder
        self._consensus = consensus
        self._written = 0

    def raising(self) -> AbstractContextManager:
        """A context that raises the data's own error for what TensorFlow makes of it.

        Raises:
            DamagedImageError: No image may be left out, or none of a batch can be used.
        """
        return nullcontext() if self._problems is None else self._problems.raising()

    def count(self) -> dict[str, int]:
        """How many images could not be used so far, for the history.

        The chief writes the names of all of them to `unreadable_images.txt`. All
        workers must call it.

        Returns:
            `unreadable_images`; nothing where the data do not know.
        """
        if self._problems is None:
            return {}
        own = self._problems.names
        (most,) = self._consensus.total(len(own))
        names: Sequence[str] = ()
        if most:
            everyones = self._consensus.from_all(list(own))
            names = dict.fromkeys(name for found in everyones for name in found)
        if len(names) > self._written and self._consensus.chief:
            path = self._folder / UNREADABLE
            with naming(path):
                write_text(path, "\n".join(names) + "\n")
        self._written = len(names)
        return {"unreadable_images": len(names)}

    def of_step(self, epoch: int, step: int) -> str:
        """Names the images of a step, both from 0, where the data know them.

        All of them stand in a file then.
        """
        if self._batch_names is None:
            return ""
        names = self._batch_names(epoch, step, self._consensus.workers)
        path = self._folder / f"images_of_step_{step + 1}_of_epoch_{epoch + 1}.txt"
        if self._consensus.chief:
            with naming(path):
                write_text(path, "\n".join(names) + "\n")
        return f" Its {len(names)} images are {', '.join(names[:3])}, ...: see {path}."
