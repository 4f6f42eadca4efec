"""Checks before a commit: outputs stripped outside the lessons, no large files, no private keys.

People run copies of the notebooks on private data: what a notebook computed must not reach the history by accident.
"""

import sys
from pathlib import Path

LARGEST_BYTES = 2_000_000
_KEY = b"-----BEGIN " + b"(?:[A-Z]+ )*PRIVATE KEY"


def strip_outputs(path):
    """Empty a notebook's outputs in place; return a message where anything was there."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    before = nbformat.writes(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.metadata.pop("execution", None)
    notebook.metadata.pop("widgets", None)
    if nbformat.writes(notebook) == before:
        return None
    nbformat.write(notebook, path)
    return "outputs stripped; add the file again"


def large_files(path):
    """Return a message where the file is larger than LARGEST_BYTES."""
    size = path.stat().st_size
    return f"{size:,} bytes; at most {LARGEST_BYTES:,} belong into the history" if size > LARGEST_BYTES else None


def private_keys(path):
    """Return a message where the file holds a private key."""
    import re

    return "holds a private key; remove it and revoke it" if re.search(_KEY, path.read_bytes()) else None


HOOKS = {"strip-outputs": strip_outputs, "large-files": large_files, "private-keys": private_keys}


def main(arguments):
    """Run one hook over files; return 1 where any file has a fault."""
    hook, failed = HOOKS[arguments[0]], 0
    for name in arguments[1:]:
        message = hook(Path(name))
        if message:
            print(f"{name}: {message}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
