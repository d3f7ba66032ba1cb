"""The command that enlarges a user's pictures: files, names, threads, transparency."""
