"""The model at the paper's own size, under the public checkpoint's tensor names."""
