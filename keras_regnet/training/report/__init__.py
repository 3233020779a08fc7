"""The report of a training run: one HTML file that needs nothing else."""

from keras_regnet.training.report.writer import write_report

__all__ = ["write_report"]
