"""Questions about events and profiles, and their answers.

A definition goes in; numbers, a picture and the users behind them come out:
segmentation, funnels, retention, flows, cohorts and the profile report.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
