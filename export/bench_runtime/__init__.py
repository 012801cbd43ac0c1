"""How fast the runtime is, on rendered cameras: `python -m export.bench_runtime`. A file a measurement."""
