"""Recipes for small images, and the one that is used where none is named."""

from keras_regnet.training.recipe import Asked, Recipe, Sections, shorter_warmup


def _default(asked: Asked) -> Sections:
    epochs = asked.epochs or 30
    batch = asked.batch_size or 128
    return {
        "data": {"batch_size": batch},
        "training": {
            "epochs": epochs,
            "learning_rate": 0.1 * batch / 128,
            "warmup_epochs": shorter_warmup(5, epochs),
        },
    }


def _small_images(asked: Asked) -> Sections:
    epochs = asked.epochs or 40
    batch = asked.batch_size or 128
    return {
        "data": {
            "augment": "auto",
            "batch_size": batch,
            "random_erasing": 0.25,
            "erasing_mode": "zero",
        },
        "training": {
            "epochs": epochs,
            "optimizer": "sgd",
            "learning_rate": 0.2 * batch / 128,
            "momentum": 0.9,
            "nesterov": True,
            "weight_decay": 5e-4,
            "norm_weight_decay": 0.0,
            "bias_weight_decay": 0.0,
            "schedule": "cosine",
            "schedule_granularity": "step",
            "warmup_epochs": shorter_warmup(1, epochs),
            "label_smoothing": 0.1,
            "ema_decay": 0.998,
            "ema_copies_in_warmup": True,
            "steps_per_execution": 25,
        },
    }


SMALL_RECIPES = (
    Recipe(
        name="default",
        summary="the official optimizer with a rate that moves at every step; no "
        "augmentation but crop and flip",
        sources=("pycls/core/config.py",),
        notes=("30 epochs, and a warm-up of at most a fifth of them.",),
        fields=_default,
    ),
    Recipe(
        name="small_images",
        summary="for images of about 32 pixels, such as Fashion-MNIST and CIFAR",
        sources=("found by trying, on Fashion-MNIST: README.md",),
        notes=(
            "Pad-crop and flip; digits and letters are not mirrored.",
            "With --precision=mixed_bfloat16 as accurate, where the processor has it.",
            "Another batch size scales the learning rate in proportion.",
        ),
        fields=_small_images,
    ),
)
