"""Who the users are: the table of profiles.

``ProfileTable`` and the views of some of its profiles, changes to many of them,
duplicates, revenue and saved cohorts.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
