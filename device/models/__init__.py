"""Models of others: fetched, checked, listed. Knows no engine."""
