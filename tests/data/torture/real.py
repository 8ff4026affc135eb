"""The real columns and what an analyst says of each.

More than one kind stands only where an analyst could say either.
"""

from tests.data.torture.label import Label
from tests.data.torture.real_people import PEOPLE
from tests.data.torture.real_places import PLACES

REAL: list[Label] = PLACES + PEOPLE
