from .generate import synthesize as synthesize
from .generate import write as write
from .ratings import rate_products as rate_products
from .sample import sample as sample
