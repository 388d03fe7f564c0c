"""What an update does to a profile.

The operators and the messages that carry them, applied one message at a time or to whole
columns; what is refused and why, the limits, and what became of a batch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
