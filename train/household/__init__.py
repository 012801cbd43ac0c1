"""The paper's recipe: all members of a household jointly, which makes a base of the household's own."""
