"""The people stream: who is where in a window, as tokens. Torch-free; training uses it too."""
