"""A function applied to each row of a batch, on all cores, in one operation.

Adapter to `tf.raw_ops.MapDefun`, checked with TensorFlow 2.21. Within the function of a
tf.data map, `tf.map_fn` and `tf.vectorized_map` go through the rows one by one. A
thread does all of a row before the next, so that as many images are whole in memory as
there are threads: 64 photographs of 12 megapixels in a batch take what 4 do.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

# Without looking for Python's own control flow, which takes longer than the tracing.
unconverted = tf.autograph.experimental.do_not_convert


class RowFunction:
    """A traced function from the parts of one row to the parts of another.

    Args:
        function: Takes tensors without the batch's axis; returns a tuple of tensors
            whose shapes are static.
        specs: What it takes.
    """

    def __init__(
        self,
        function: Callable[..., tuple[tf.Tensor, ...]],
        specs: Sequence[tf.TensorSpec],
    ) -> None:
        traced = tf.function(function, autograph=False)
        self.one = traced.get_concrete_function(*specs)
        self.specs = tuple(self.one.structured_outputs)

    def map(self, parts: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Applies the function to every row; if it fails for one, all of it fails.

        Args:
            parts: Tensors whose first axes are equally long.

        Returns:
            What the function gave, with the batch's axis in front.
        """
        found = tf.raw_ops.MapDefun(
            arguments=list(parts),
            captured_inputs=list(self.one.captured_inputs),
            output_types=[spec.dtype for spec in self.specs],
            output_shapes=[spec.shape for spec in self.specs],
            f=self.one,
        )
        rows = parts[0].shape[0]
        return [
            tf.ensure_shape(part, (rows, *spec.shape))
            for part, spec in zip(found, self.specs, strict=True)
        ]
