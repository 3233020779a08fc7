"""Optimizers in the form that trained the published networks, and parameter groups."""

from keras_regnet.optimizers.groups import GROUPS, group_of, parameter_groups
from keras_regnet.optimizers.rmsprop import RMSprop
from keras_regnet.optimizers.sgd import SGD

__all__ = ["GROUPS", "SGD", "RMSprop", "group_of", "parameter_groups"]
