from .generate import synthesize as synthesize
from .generate import write as write
