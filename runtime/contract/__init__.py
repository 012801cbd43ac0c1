"""Types that all four packages share; standard library and numpy only."""
