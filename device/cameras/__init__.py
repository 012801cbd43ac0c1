"""Where frames come from: replayed files, network streams, local video devices."""
