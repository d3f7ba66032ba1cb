"""Enlarging a user's pictures and videos: which files, in which threads, and what is kept."""
