"""One person's adapter, trained from the instant one on the owner's own machine. Nothing else is changed."""
