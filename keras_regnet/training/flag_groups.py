"""The flags of scripts/train.py in the order of its help; those that are no field."""

from keras_regnet.training.cluster import ALL_REDUCES, STRATEGIES

GROUPS = {
    "What to run": (
        "recipe",
        "recipe_file",
        "print_recipe",
        "dry_run",
        "self_check",
    ),
    "Network": (
        "model",
        "block",
        "depth",
        "w0",
        "wa",
        "wm",
        "group_width",
        "bottleneck_ratio",
        "stem",
        "stem_width",
        "strides",
        "dropout",
        "stochastic_depth",
    ),
    "Data": (
        "dataset",
        "data_dir",
        "download",
        "image_size",
        "evaluation_size",
        "batch_size",
        "classes",
        "seed",
        "validation_fraction",
        "hold_out",
        "split_seed",
        "cache",
        "shuffle_buffer",
        "first_label",
        "strict_data",
        "data_service",
    ),
    "Augmentation": (
        "augment",
        "pad",
        "flip",
        "crop_area",
        "crop_aspect",
        "crop_fraction",
        "auto_augment",
        "autoaugment_policy",
        "auto_augment_interpolation",
        "auto_augment_fill",
        "randaugment_ops",
        "randaugment_magnitude",
        "randaugment_magnitude_std",
        "randaugment_space",
        "colour_jitter",
        "pca_lighting",
        "random_erasing",
        "erasing_mode",
        "mixup_alpha",
        "cutmix_alpha",
        "mix_probability",
        "repeated_augmentation",
    ),
    "Optimisation": (
        "epochs",
        "optimizer",
        "learning_rate",
        "momentum",
        "nesterov",
        "second_moment_decay",
        "epsilon",
        "weight_decay",
        "norm_weight_decay",
        "bias_weight_decay",
        "schedule",
        "schedule_granularity",
        "warmup_epochs",
        "warmup_factor",
        "warmup_mode",
        "decay_every_epochs",
        "decay_factor",
        "final_learning_rate_factor",
        "cooldown_epochs",
        "loss",
        "label_smoothing",
        "clip_norm",
    ),
    "Validation and averaging": (
        "validate_every_epochs",
        "ema_decay",
        "ema_every_steps",
        "ema_copies_in_warmup",
        "precise_bn_images",
    ),
    "Devices": (
        "strategy",
        "num_gpus",
        "sync_batch_norm",
        "precision",
        "jit_compile",
        "accumulation",
        "steps_per_execution",
        "deterministic",
        "all_reduce",
        "memory_growth",
        "worker_timeout",
        "logical_cpu_devices",
    ),
    "Checkpoints and going on": (
        "resume",
        "checkpoint_every_epochs",
        "checkpoint_every_steps",
        "checkpoint_every_minutes",
        "keep_checkpoints",
        "on_nan",
    ),
    "Output": ("run_dir", "log_every_steps", "verbose"),
}
"""Headings, and the flags under each."""

RENAMED = {"data.name": "dataset", "data.strict": "strict_data"}
"""Flags whose name is not their field's."""

NO_FLAG = ("architecture", "normalize", "mean", "std")
"""Fields without a flag: the network is given by others, and it normalises itself."""

OF_THE_PROGRAM = {
    "recipe": (
        str,
        None,
        "The name of a recipe, see above. All other flags only say what is to be "
        "otherwise.",
    ),
    "recipe_file": (
        str,
        None,
        "A recipe of your own, a YAML file: sections model, data and training with "
        "fields of these, and `extends:` with the name of a recipe.",
    ),
    "print_recipe": (
        bool,
        False,
        "Print the recipe that the flags come to, as a YAML file, and stop.",
    ),
    "dry_run": (
        bool,
        False,
        "Print the learning rate of every epoch, the parameter groups, the number of "
        "steps and the memory that is needed, draw the learning rate, and stop. "
        "Needs no data and no GPU; --num_gpus says for how many.",
    ),
    "self_check": (
        bool,
        False,
        "Compare one device with all those of --strategy for about a minute, and "
        "stop: sums, losses, batch statistics, updates, images per second. Exit code 1 "
        "where something is wrong.",
    ),
    "model": (
        str,
        None,
        "Name of a published network, in any customary spelling: RegNetX32 (the "
        "default), RegNetX-200MF, regnety_032, ... Instead of a name, its numbers can "
        "be given: --block, --depth, --w0, --wa, --wm and --group_width.",
    ),
    "block": (("x", "y"), None, "x: plain; y: with squeeze-and-excitation."),
    "depth": (int, None, "Number of blocks."),
    "w0": (int, None, "Width of the first block; a multiple of 8."),
    "wa": (float, None, "Slope of the widths over the blocks."),
    "wm": (float, None, "Factor between the widths of two stages; > 1."),
    "group_width": (int, None, "Channels of a group."),
    "bottleneck_ratio": (
        float,
        None,
        "The paper's b, for a network given by its numbers. [default 1]",
    ),
    "stem": (
        ("simple", "small", "resnet"),
        None,
        "Stem of a network given by its numbers: simple (3x3, stride 2), small (3x3, "
        "stride 1, for images of about 32 pixels) or resnet (7x7, stride 2, max-pool). "
        "[default simple]",
    ),
    "stem_width": (
        int,
        None,
        "Channels of the stem of a network given by its numbers. [default 32]",
    ),
    "strides": (
        str,
        None,
        "Stride of every stage of a network given by its numbers, or one for each: "
        "1,2,2. [default 2]",
    ),
    "classes": (
        int,
        None,
        "Number of classes the data set must have, to be sure.",
    ),
    "seed": (
        int,
        None,
        "Of the first weights, the order and the augmentation of images.",
    ),
    "strategy": (
        STRATEGIES,
        "auto",
        "single: one device. mirrored: all GPUs, or all logical CPU devices. "
        "multi_worker: the workers that the environment variable TF_CONFIG lists, each "
        "with all its GPUs. slurm: the tasks that srun started, likewise. auto: "
        "multi_worker where TF_CONFIG lists several, mirrored where several GPUs are "
        "visible, otherwise single.",
    ),
    "num_gpus": (
        int,
        None,
        "Use the first so many GPUs of each worker. By default all. In a dry run: how "
        "many there will be, over all machines.",
    ),
    "all_reduce": (
        ALL_REDUCES,
        "auto",
        "How gradients are added up over devices: nccl (GPUs), hierarchical_copy or "
        "reduction_to_one_device (one process), ring (several workers). auto: "
        "TensorFlow's choice.",
    ),
    "memory_growth": (
        bool,
        False,
        "Take GPU memory as it is needed, instead of all of it at once.",
    ),
    "worker_timeout": (
        float,
        1800.0,
        "How many seconds to wait for other workers to come, and later (also with a "
        "data service) for anything to happen, before giving up with exit code 4. 0: "
        "without end.",
    ),
    "logical_cpu_devices": (
        int,
        1,
        "Splits the CPU, to try --strategy=mirrored without GPUs.",
    ),
    "deterministic": (
        bool,
        False,
        "Only operations that give the same bits every time; slower on GPUs.",
    ),
    "resume": (
        bool,
        False,
        "Go on with the run in --run_dir; start it if there is none.",
    ),
    "run_dir": (
        str,
        None,
        "The folder of this run. Needed, except to print or to check something.",
    ),
    "verbose": (int, 1, "0 prints nothing but errors."),
}
"""Flags that are no field: their type or choices, default, and help."""

HELP = {
    "precision": "A Keras dtype policy: float32, mixed_bfloat16, mixed_float16 (which "
    "scales the loss) or float64.",
    "dataset": "digits (embedded), the name of a TFDS data set (fashion_mnist, "
    "cifar10, imagenet2012, ...), folder:/path with a folder of pictures per class, "
    "tfrecord:/path with TFRecords in ImageNet's customary layout, or npz:/path with "
    "arrays x_train, y_train, x_test and y_test.",
    "augment": "What happens to training images: none, pad_crop, pad_crop_flip, "
    "random_resized_crop; auto: pad_crop for digits and letters, pad_crop_flip for "
    "other small images, random_resized_crop for the rest.",
    "auto_augment": "Operations drawn for each image: none, randaugment, autoaugment "
    "or trivialaugment. Small images are changed at the size they are stored at.",
    "sync_batch_norm": "Whether batch statistics are those of all devices.",
}
"""Help of fields that says more to a reader of a command line than their docstring."""

FOLLOWS = {
    "epochs": "default 30; the recipe's own",
    "batch_size": "default 128; by the recipe, pycls_100e and torchvision_v1 by the "
    "size of the network",
    "learning_rate": "default 0.1 per 128 images of a batch; by the recipe, in "
    "proportion to the batch",
    "warmup_epochs": "default 5, or a fifth of the epochs",
    "image_size": "by the data set, or the recipe",
    "ema_decay": "default 0.0; torchvision_v2 by batch and epochs",
    "warmup_factor": "default 0.1; by the recipe",
    "decay_every_epochs": "default 30; by the recipe",
}
"""Defaults that follow from something else."""
