"""The course as pages: lessons, map, glossary, search, presenter view; they open from a folder, without a request."""
