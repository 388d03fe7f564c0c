"""The errors of the toolkit, under the name that people catch them by."""

from toolkit.base.errors import *
