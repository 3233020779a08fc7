"""A network of two stages, ours and of timm's blocks, for tests beside torch."""

from collections import OrderedDict

import keras_regnet
from tests.torch_peer import timm


def our_network(dtype):
    parameters = keras_regnet.AnyNetParameters(
        (keras_regnet.Stage(1, 16, 2, 8), keras_regnet.Stage(2, 24, 2, 8)),
        block="y",
        squeeze_excite_ratio=0.25,
        stem_width=8,
    )
    return keras_regnet.AnyNet(
        parameters,
        input_shape=(32, 32, 3),
        classes=5,
        classifier_activation=None,
        dtype=dtype,
    )


def their_network(state, dtype):
    """The same two stages, of timm's own blocks, with the weights of `state`."""
    timm()
    import torch
    from timm.layers import ClassifierHead, ConvNormAct
    from timm.models.regnet import Bottleneck

    def block(width_in, width, stride):
        return Bottleneck(width_in, width, stride, group_size=8, se_ratio=0.25)

    class TwoStages(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = ConvNormAct(3, 8, 3, stride=2)
            self.s1 = torch.nn.Sequential(OrderedDict(b1=block(8, 16, 2)))
            second = OrderedDict(b1=block(16, 24, 2), b2=block(24, 24, 1))
            # timm leaves the shortcut's convolution out where nothing changes.
            second["b2"].downsample = torch.nn.Identity()
            self.s2 = torch.nn.Sequential(second)
            self.head = ClassifierHead(24, 5, "avg")

        def forward(self, x):
            return self.head(self.s2(self.s1(self.stem(x))))

    network = TwoStages().to(dtype).train()
    network.load_state_dict(state)
    return network
