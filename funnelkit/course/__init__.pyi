from . import checks as checks
from .lessons import build as build
from .lessons import confirm as confirm
from .lessons import names as names
from .lessons import student as student
from .starter import show_mapping as show_mapping
from .starter import write_notebook as write_notebook
