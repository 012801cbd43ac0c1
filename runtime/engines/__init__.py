"""Engines: one-method seams around ONNX Runtime and the language model's loop."""
