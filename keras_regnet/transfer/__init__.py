"""Trained networks used again: fine-tuned on other data, exported."""
