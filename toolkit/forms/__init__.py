"""What a person sees and clicks.

The profile editor, the CSV wizard, the list of users, the report builder, the operator
lab and the live view. Each keeps its state apart from its view.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
