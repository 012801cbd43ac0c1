"""The runtime over HTTP: an OpenAI-compatible chat, a small REST API, metrics. Needs the extra `[http]`."""
