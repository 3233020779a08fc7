"""The version, alone in a file so that setup.cfg can read it without Keras."""

__version__ = "0.1.0"
