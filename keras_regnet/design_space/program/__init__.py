"""What scripts/design_space.py does: its commands, their flags, their tables."""
