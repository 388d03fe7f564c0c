"""What was written, when, and for good.

The log of batches and the profiles that it leads to, in memory or in a SQLite file;
history, undo, compaction, backup and the check that both agree.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
