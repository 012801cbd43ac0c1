"""The demo: the whole product on a rendered household, driven through its own command line."""
