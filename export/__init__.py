"""From a checkpoint to a bundle: trace, quantise, prove parity, pack."""
