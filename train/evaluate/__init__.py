"""Scores a bundle, through the code that ships, on people nobody trained on."""
