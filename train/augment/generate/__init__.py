"""Clips that networks of others make of one still; none is shipped, none is downloaded."""
