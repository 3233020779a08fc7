"""What all layers made of other layers share, and a walk through them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras


class CompositeLayer(keras.layers.Layer):
    """A layer whose children `summary(expand_nested=True)` shows.

    A subclass creates its children in `build()` through `add_child`, which names them,
    gives them the parent's dtype policy and builds them at once, so that the paths of
    the variables read `parent/child/variable`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._children: list[str] = []

    def add_child(
        self, name: str, layer: type[keras.layers.Layer], shape: tuple, **arguments: Any
    ) -> tuple:
        """Creates a child, builds it for `shape`, and keeps it as attribute `name`.

        Args:
            name: Of the child layer and of the attribute that holds it.
            layer: The class.
            shape: The shape of the child's input, the batch included.
            **arguments: Of the class.

        Returns:
            The shape of the child's output.
        """
        child = layer(name=name, dtype=self.dtype_policy, **arguments)
        setattr(self, name, child)
        self._children.append(name)
        child.build(shape)
        return child.compute_output_shape(shape)

    def run_child(
        self, child: keras.layers.Layer, inputs: Any, **arguments: Any
    ) -> Any:
        """Calls a child; on torch without Keras' `__call__`.

        Of that nothing is left to do for a built child of this layer's dtype, and it
        takes as long as a small kernel.
        """
        if keras.backend.backend() == "torch":
            return child.call(inputs, **arguments)
        return child(inputs, **arguments)

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The children, in the order of the computation."""
        return [getattr(self, name) for name in self._children]

    def __dir__(self) -> Iterable[str]:
        # Keras saves what dir() lists. Each child is to be stored once, under its own
        # name, and not a second time in a list.
        return [name for name in super().__dir__() if name != "layers"]


def all_layers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """A layer and all layers in it, each once."""
    seen: set[int] = set()
    waiting = [layer]
    while waiting:
        layer = waiting.pop(0)
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        parts = getattr(layer, "layers", None) or list(vars(layer).values())
        waiting += [
            part
            for value in parts
            for part in _members(value)
            if isinstance(part, keras.layers.Layer)
        ]


def _members(value: Any) -> Iterable[Any]:
    """What a layer's attribute holds: one thing, or those of a list or dict."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, (list, tuple, set)) else [value]
