"""Training of the small base: render, encoders, bridge, language model, calibration."""
