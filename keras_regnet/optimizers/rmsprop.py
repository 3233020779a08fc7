"""RMSprop as TensorFlow 1 had it, with which many ImageNet recipes were tuned."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_regnet.optimizers.coupled_decay import CoupledDecay


@keras.saving.register_keras_serializable("keras_regnet")
class RMSprop(CoupledDecay):
    """RMSprop with coupled weight decay, in the form of TensorFlow 1 (and timm).

    For a weight w with gradient g, learning rate r, momentum m, weight decay d, and s
    that starts at 1:

        g = g + d * w
        s = rho * s + (1 - rho) * g^2
        v = m * v + r * g / sqrt(s + epsilon)
        w = w - v

    `keras.optimizers.RMSprop` starts s at 0, which makes the first steps 1 / sqrt(1 -
    rho) times longer, and its weight decay does not pass through s and the momentum.

    Args:
        learning_rate: A number, a `keras.optimizers.schedules.LearningRateSchedule`,
            or a function without arguments.
        rho: In [0, 1).
        momentum: m, in [0, 1).
        epsilon: Above 0.
        weight_decay: d, at least 0.
        norm_weight_decay: d of the scales and shifts of normalisations. None: as
            `weight_decay`.
        bias_weight_decay: d of all other biases. None: as `weight_decay`.
        learning_rate_factors: r is multiplied by these for variables whose path begins
            so, as in `{"stem": 0.1, "s1_b1": 0.2}`; torch's parameter groups.
        **kwargs: What `keras.optimizers.Optimizer` takes besides.

    Raises:
        ValueError: A value is out of its range.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        rho: float = 0.9,
        momentum: float = 0.9,
        epsilon: float = 1e-3,
        weight_decay: float = 0.0,
        norm_weight_decay: float | None = None,
        bias_weight_decay: float | None = None,
        learning_rate_factors: Mapping[str, float] | None = None,
        name: str = "rmsprop",
        **kwargs: Any,
    ) -> None:
        for argument, value in (("rho", rho), ("momentum", momentum)):
            if not 0 <= value < 1:
                raise ValueError(f"{argument} must be in [0, 1). Received: {value!r}")
        if not epsilon > 0:
            raise ValueError(f"epsilon must be above 0. Received: {epsilon!r}")
        super().__init__(
            learning_rate,
            weight_decay,
            norm_weight_decay,
            bias_weight_decay,
            learning_rate_factors,
            name=name,
            **kwargs,
        )
        self.rho = float(rho)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Creates the mean squares and velocities of `variables`."""
        if self.built:
            return
        super().build(variables)
        self.mean_squares = self.add_optimizer_variables(
            variables, "mean_square", initializer="ones"
        )
        self.velocities = (
            self.add_optimizer_variables(variables, "velocity") if self.momentum else []
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Moves one variable; the class says how."""
        gradient, index = self.decayed(gradient, variable)
        learning_rate = self.rate_of(index, learning_rate, variable.dtype)
        square = self.mean_squares[index]
        self.assign_add(square, (ops.square(gradient) - square) * (1 - self.rho))
        step = learning_rate * gradient / ops.sqrt(square + self.epsilon)
        if self.momentum:
            velocity = self.velocities[index]
            self.assign(velocity, velocity * self.momentum + step)
            step = velocity
        self.assign_sub(variable, step)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
