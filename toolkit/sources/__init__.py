"""Where updates and events come from, and where profiles go.

CSV files, files of messages, DataFrames, clients of analytics products over HTTP,
addresses to places, and the sample data.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
