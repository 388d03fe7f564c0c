"""Words and values: what every other room speaks in.

JSON values and when two are equal, times and lengths of time, distinct IDs, reserved
properties, errors, sentences and HTML. It knows nothing of profiles.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
