"""The pictures of a study, arranged as the paper's panels are.

Each `draw_*` returns a `Picture`; `write_figures` writes all of a study as files.
matplotlib is imported when a function is called.
"""

from keras_regnet.design_space.figures.edfs import draw_edfs, draw_matched_edfs
from keras_regnet.design_space.figures.fit_errors import draw_fit_errors
from keras_regnet.design_space.figures.networks import draw_networks
from keras_regnet.design_space.figures.picture import Picture, write_picture
from keras_regnet.design_space.figures.properties import draw_properties
from keras_regnet.design_space.figures.random_search import draw_random_search
from keras_regnet.design_space.figures.ranks import draw_ranks
from keras_regnet.design_space.figures.training_curves import draw_training_curves
from keras_regnet.design_space.figures.writer import all_pictures, write_figures

__all__ = [
    "Picture",
    "all_pictures",
    "draw_edfs",
    "draw_fit_errors",
    "draw_matched_edfs",
    "draw_networks",
    "draw_properties",
    "draw_random_search",
    "draw_ranks",
    "draw_training_curves",
    "write_figures",
    "write_picture",
]
