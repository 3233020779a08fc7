"""Recipes for ImageNet, as their authors published them."""

from keras_regnet.architecture import variant
from keras_regnet.training.recipe import Asked, Recipe, Sections, shorter_warmup

_LARGE_IMAGES = {"augment": "random_resized_crop", "image_size": 224}


def official_batch_size(asked: Asked) -> int:
    """The global batch with which pycls and torchvision trained a network of a size.

    1024 images for the smaller ones, 512 from 3.2GF on, 256 for those with more than
    80 million parameters (RegNetX-32GF, RegNetY-16GF and -32GF). It gives the batch of
    each of the 24 files in pycls' `configs/dds_baselines`, and stands in for a table
    where a network is none of them.
    """
    if asked.parameters > 80e6:
        return 256
    return 1024 if asked.multiply_adds < 2.4e9 else 512


def _pycls(asked: Asked) -> Sections:
    epochs = asked.epochs or 100
    batch = asked.batch_size or official_batch_size(asked)
    return {
        "data": {
            **_LARGE_IMAGES,
            "batch_size": batch,
            "pca_lighting": 0.1,
            "crop_fraction": 224 / 256,
        },
        "training": {
            "epochs": epochs,
            "optimizer": "sgd",
            "learning_rate": 0.1 * batch / 128,
            "momentum": 0.9,
            "nesterov": True,
            "weight_decay": 5e-5,
            "schedule": "cosine",
            "schedule_granularity": "epoch",
            "warmup_epochs": shorter_warmup(5, epochs),
            "warmup_factor": 0.1,
            "warmup_mode": "multiplied",
            "precise_bn_images": 8192,
        },
    }


def _torchvision_v1(asked: Asked) -> Sections:
    epochs = asked.epochs or 100
    batch = asked.batch_size or official_batch_size(asked)
    # "To get the same accuracy as the paper", says its README of this network.
    gentle = asked.architecture == variant("RegNetY-400MF")
    return {
        "data": {
            **_LARGE_IMAGES,
            "batch_size": batch,
            "crop_fraction": 224 / 256,
        },
        "training": {
            "epochs": epochs,
            "optimizer": "sgd",
            "learning_rate": (0.4 if gentle else 0.8) * batch / 1024,
            "momentum": 0.9,
            "nesterov": False,
            "weight_decay": 5e-5,
            "schedule": "cosine",
            "schedule_granularity": "epoch",
            "warmup_epochs": shorter_warmup(5, epochs),
            "warmup_factor": 0.1,
            "warmup_mode": "preceding",
        },
    }


def _torchvision_v2(asked: Asked) -> Sections:
    epochs = asked.epochs or 600
    batch = asked.batch_size or 1024
    steps = 32  # between two updates of the average
    small_x = asked.multiply_adds < 2.4e9 and not asked.squeeze_excite
    return {
        "data": {
            "augment": "random_resized_crop",
            "image_size": 176 if small_x else 224,
            "evaluation_size": 224,
            "crop_fraction": 224 / 232,
            "batch_size": batch,
            "auto_augment": "trivialaugment",
            "auto_augment_interpolation": "bilinear",
            "random_erasing": 0.1,
            "erasing_mode": "zero",
            "mixup_alpha": 0.2,
            "cutmix_alpha": 1.0,
            "mix_probability": 1.0,
            "repeated_augmentation": 4,
        },
        "training": {
            "epochs": epochs,
            "optimizer": "sgd",
            "learning_rate": 0.5 * batch / 1024,
            "momentum": 0.9,
            "nesterov": False,
            "weight_decay": 2e-5,
            "norm_weight_decay": 0.0,
            "schedule": "cosine",
            "schedule_granularity": "epoch",
            "warmup_epochs": shorter_warmup(5, epochs),
            "warmup_factor": 0.01,
            "warmup_mode": "preceding",
            "label_smoothing": 0.1,
            "ema_decay": 1 - min(1.0, (1 - 0.99998) * batch * steps / epochs),
            "ema_every_steps": steps,
            "ema_copies_in_warmup": True,
        },
    }


def _timm_ra3(asked: Asked) -> Sections:
    epochs = asked.epochs or 700
    batch = asked.batch_size or 704
    rate = 0.082 * batch / 704
    return {
        "model": {"dropout": 0.19, "stochastic_depth": 0.1},
        "data": {
            **_LARGE_IMAGES,
            "evaluation_size": 288,
            "crop_fraction": 1.0,
            "batch_size": batch,
            "auto_augment": "randaugment",
            "randaugment_ops": 2,
            "randaugment_magnitude": 9.0,
            "randaugment_magnitude_std": 1.0,
            "randaugment_space": "timm_increasing",
            "auto_augment_interpolation": "bilinear",
            "auto_augment_fill": 115,
            "random_erasing": 0.2,
            "erasing_mode": "noise",
            "mixup_alpha": 0.19,
            "mix_probability": 1.0,
        },
        "training": {
            "epochs": epochs,
            "optimizer": "rmsprop",
            "learning_rate": rate,
            "momentum": 0.9,
            "second_moment_decay": 0.9,
            "epsilon": 1e-3,
            "weight_decay": 1e-5,
            "norm_weight_decay": 0.0,
            "bias_weight_decay": 0.0,
            "schedule": "step",
            "schedule_granularity": "epoch",
            "decay_every_epochs": epochs / 700,
            "decay_factor": 0.988,
            "warmup_epochs": shorter_warmup(3, epochs),
            "warmup_factor": min(1.0, 1e-6 / rate),
            "warmup_mode": "replacing",
            "label_smoothing": 0.1,
            "ema_decay": 0.999987,
        },
    }


IMAGENET_RECIPES = (
    Recipe(
        name="pycls_100e",
        summary="the paper's, complete: 100 epochs, crop, flip and colour noise",
        sources=(
            "https://github.com/facebookresearch/pycls: configs/dds_baselines, "
            "pycls/core/{config,optimizer,trainer,net}.py, pycls/datasets/imagenet.py",
        ),
        notes=(
            "The aspect ratio of a crop is log-uniform in 3/4 to 4/3, as "
            "torchvision's; pycls draws it uniformly and swaps the sides of one half.",
            "Images are made smaller with antialiasing in evaluation; pycls' OpenCV "
            "does it without.",
            "Batch statistics are those of each device, as in the source: 8 GPUs.",
            "Another batch size scales the learning rate in proportion; fewer than 25 "
            "epochs shorten the warm-up to a fifth of them.",
        ),
        fields=_pycls,
    ),
    Recipe(
        name="torchvision_v1",
        summary="torchvision's first weights: the paper's without colour noise",
        sources=(
            "https://github.com/pytorch/vision/tree/main/references/classification"
            "#regnet",
        ),
        notes=(
            "Momentum is plain: `--opt sgd` is not Nesterov's there.",
            "The source counts the batch per GPU (128, 64 or 32 on 8 GPUs).",
            "Another batch size scales the learning rate in proportion, as the source "
            "advises.",
        ),
        fields=_torchvision_v1,
    ),
    Recipe(
        name="torchvision_v2",
        summary="torchvision's second weights: 600 epochs, TrivialAugment, mixup, "
        "CutMix, random erasing, averaged weights",
        sources=(
            "https://github.com/pytorch/vision/issues/3995",
            "https://github.com/pytorch/vision/blob/main/references/classification/"
            "train.py",
            "https://github.com/pytorch/vision/pull/5107",
        ),
        notes=(
            "Images of 176 x 176 in training for the RegNetX below 3.2GF, whose "
            "weights name the recipe with FixRes; 224 x 224 for all others, whose "
            "weights name the one without. --image_size says otherwise.",
            "Biases are decayed: the source spares normalisations alone.",
            "The decay of the average depends on batch and epochs, as there.",
        ),
        fields=_torchvision_v2,
    ),
    Recipe(
        name="timm_ra3",
        summary="after timm's RA recipes: RMSprop, RandAugment, mixup, random "
        "erasing, dropout, averaged weights",
        sources=(
            "https://huggingface.co/timm/regnety_040.ra3_in1k (224 in training, 288 "
            "and no margin in evaluation)",
            "https://huggingface.co/timm/xception65.ra3_in1k (RA3 is related to "
            "recipe B of arXiv 2110.00476)",
            "https://gist.github.com/rwightman/07839a82d0f50e42840168bc43df70b3 (RA2)",
            "https://huggingface.co/docs/timm/training_script (EfficientNet-B2 with "
            "RandAugment)",
        ),
        notes=(
            "The numbers of RA3 for the RegNets were not published. What stands in:",
            "from the author's RA2 file for ECA-ResNet-26-D (batch 2 x 352): 700 "
            "epochs, learning rate 0.082 and its decay, RandAugment m9-mstd1.0-inc1, "
            "mixup 0.19, dropout 0.19, stochastic depth 0.1, averaging 0.999987;",
            "from timm's EfficientNet-B2 command: RMSprop's epsilon, weight decay "
            "1e-5, random erasing 0.2 with noise, first rate 1e-6;",
            "from timm's defaults of that time: warm-up of 3 epochs, label smoothing "
            "0.1, no weight decay on vectors.",
            "Other numbers of epochs stretch the steps of the learning rate. "
            "Interpolation is bilinear, in the source bilinear or bicubic at random; "
            "what comes in from outside an image is grey, there its mean colour.",
        ),
        fields=_timm_ra3,
    ),
)
