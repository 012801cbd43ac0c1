"""Reruns the paper's ablations on the rendered household, and says what came out."""
