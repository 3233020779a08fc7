"""The report of a study: one HTML file that needs nothing else."""

from keras_regnet.design_space.report.writer import write_study_report

__all__ = ["write_study_report"]
