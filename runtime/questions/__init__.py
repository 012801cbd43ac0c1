"""A household's own words to an `Intent`. Knows no models, no cameras and no wording of answers."""

from runtime.questions.earlier import recalled
from runtime.questions.understand import parse

__all__ = ["parse", "recalled"]
