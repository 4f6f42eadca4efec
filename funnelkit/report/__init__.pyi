from .commands import ADD as ADD
from .kernels.processes import descendants as descendants
from .runs.batch import read_json as read_json
from .runs.notebooks import import_nbformat as import_nbformat
from .runs.progress import Bar as Bar
