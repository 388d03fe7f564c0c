"""The operators, one pure function each, under the name that people read them by."""

from toolkit.updates.operators import *
