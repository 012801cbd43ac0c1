"""Deterministic procedural households: people, rooms, actions, cameras, and the truth about each frame.

Knows no neural network, no torch and no question text; import the modules by name (`train.world.scene`, ...).
"""
