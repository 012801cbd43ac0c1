"""Configuration files that ship with the program."""
