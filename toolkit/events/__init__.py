"""What users did.

A DataFrame of events, coded once; joined with the profiles of the users who did them
and of the groups that they name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
