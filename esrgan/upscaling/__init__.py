"""Enlarging a user's pictures: which files, in which threads, and what becomes of transparency."""
