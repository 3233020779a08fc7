"""Pictures, as functions that write a PNG.

matplotlib is imported when a function is called, and drawn on without pyplot: there is
no global state, no window, and nothing that a notebook's own figures could notice.
"""

from keras_regnet.plots.confusion import plot_confusion_matrix
from keras_regnet.plots.curves import plot_learning_curves, plot_learning_rate
from keras_regnet.plots.pictures import plot_contact_sheet, plot_images
from keras_regnet.plots.widths import plot_widths

__all__ = [
    "plot_confusion_matrix",
    "plot_contact_sheet",
    "plot_images",
    "plot_learning_curves",
    "plot_learning_rate",
    "plot_widths",
]
