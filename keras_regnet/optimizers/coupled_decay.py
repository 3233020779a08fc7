"""Weight decay that is added to the gradient, and factors on the learning rate.

An update needs the place of its variable among the optimizer's own, and Keras has no
public name for that: `Optimizer._get_variable_index` is what its documentation of
`Optimizer` uses for optimizers of one's own. Checked with Keras 3.12.0 and 3.15.1;
tests/optimizers/test_sgd.py fails if it vanishes.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_regnet.optimizers.groups import decay_of, factor_of, group_of


class CoupledDecay(keras.optimizers.Optimizer):
    """What optimizers with coupled weight decay have in common.

    Args:
        learning_rate: As Keras' optimizers take it.
        weight_decay: Factor of a variable that is added to its gradient, at least 0.
        norm_weight_decay: The same for scales and shifts of normalisations; None: as
            `weight_decay`.
        bias_weight_decay: The same for biases; None: as `weight_decay`.
        learning_rate_factors: What the learning rate is multiplied with for variables
            whose path begins so, see `groups.factor_of`; None: with 1 for all.
        **kwargs: What `keras.optimizers.Optimizer` takes besides.

    Raises:
        ValueError: A value is out of its range.
    """

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float,
        norm_weight_decay: float | None,
        bias_weight_decay: float | None,
        learning_rate_factors: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("weight_decay must be at least 0. Received: None")
        for name, value in (
            ("weight_decay", weight_decay),
            ("norm_weight_decay", norm_weight_decay),
            ("bias_weight_decay", bias_weight_decay),
        ):
            if value is not None and not value >= 0:
                raise ValueError(f"{name} must be at least 0. Received: {value!r}")
        for path, factor in (learning_rate_factors or {}).items():
            if not 0 <= factor < math.inf:
                raise ValueError(
                    "learning_rate_factors must be finite and at least 0. "
                    f"Received: {factor!r} for {path!r}"
                )
        # The base class would apply a `weight_decay` of its own, decoupled.
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.coupled_weight_decay = float(weight_decay)
        self.norm_weight_decay = _float(norm_weight_decay)
        self.bias_weight_decay = _float(bias_weight_decay)
        self._excluded: tuple[keras.Variable, ...] = ()
        self._excluded_names: tuple[str, ...] = ()
        self.learning_rate_factors = {
            path: float(factor)
            for path, factor in (learning_rate_factors or {}).items()
        }

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Looks up the decay and the factor of each of `variables`."""
        super().build(variables)
        self.decays = tuple(
            0.0
            if self._is_excluded(variable)
            else decay_of(
                group_of(variable),
                self.coupled_weight_decay,
                self.norm_weight_decay,
                self.bias_weight_decay,
            )
            for variable in variables
        )
        self.factors = tuple(
            factor_of(variable.path, self.learning_rate_factors)
            for variable in variables
        )

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[keras.Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """Excludes variables from weight decay, as in Keras' own optimizers.

        Args:
            var_list: Variables.
            var_names: Regular expressions, one of which is found in the variable's
                name (the last part of its path).

        Raises:
            ValueError: The optimizer is already built.
        """
        if self.built:
            raise ValueError(
                "exclude_from_weight_decay must come before the optimizer is built. "
                f"Received: var_list={var_list}, var_names={var_names}"
            )
        self._excluded = tuple(var_list or ())
        self._excluded_names = tuple(var_names or ())

    def _is_excluded(self, variable: keras.Variable) -> bool:
        return any(variable is each for each in self._excluded) or any(
            re.search(pattern, variable.name) for pattern in self._excluded_names
        )

    def decayed(self, gradient: Any, variable: Any) -> tuple[Any, int]:
        """The gradient with the decay added, and the variable's place in `build`."""
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            if isinstance(gradient, tf.IndexedSlices):
                gradient = tf.convert_to_tensor(gradient)
        gradient = ops.cast(gradient, variable.dtype)
        index = self._get_variable_index(variable)
        if self.decays[index]:
            decay = ops.cast(self.decays[index], variable.dtype)
            gradient = ops.add(gradient, ops.multiply(decay, variable))
        return gradient, index

    def rate_of(self, index: int, learning_rate: Any, dtype: str) -> Any:
        """The learning rate of the variable at a place in `build`, in its dtype."""
        learning_rate = ops.cast(learning_rate, dtype)
        factor = self.factors[index]
        return learning_rate if factor == 1 else ops.multiply(learning_rate, factor)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {
            "weight_decay": self.coupled_weight_decay,
            "norm_weight_decay": self.norm_weight_decay,
            "bias_weight_decay": self.bias_weight_decay,
            "learning_rate_factors": self.learning_rate_factors,
        }


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)
