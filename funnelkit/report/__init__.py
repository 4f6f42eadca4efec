"""Reports: a notebook run with checked parameters, published complete or not at all."""
