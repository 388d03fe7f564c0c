"""JSON in columns: many values of one property, as Arrow or NumPy holds them.

Whole columns are compared, sorted, counted and turned into JSON and back without a
loop over their rows. A snapshot is the columns of many profiles at one moment.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
