"""Variations of a clip that keep who is in it: light, colour, framing, covering, clothes, tempo, motion."""
