"""Signed updates of subject adapters (TUF): publishing, fetching, checking, installing, rolling back."""
