"""The home's side: cameras, daemon, command line, store and updates. Knows no engines."""
