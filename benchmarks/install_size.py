"""How much an installation takes: python benchmarks/install_size.py [EXTRA...] writes INSTALL.md.

Each is installed by uv, as constraints.txt pins it, into an empty environment of this Python: first the core alone,
then each extra in one of its own. Seconds are of a filled cache, and of an empty one for the core (--cold).
"""

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent)) or sys.exit("pip install uv")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def install(wheel: Path, extra: str, *how: str) -> tuple[float, int, float]:
    """Install into an environment of its own; return (seconds, distributions, MB)."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        wanted = f"{wheel}[{extra}]" if extra else str(wheel)
        began = time.perf_counter()
        words = ["--quiet", "--link-mode", "copy", "--python", folder, "--constraint", str(ROOT / "constraints.txt")]
        subprocess.run([UV, "pip", "install", *words, *how, wanted], check=True)
        seconds = time.perf_counter() - began
        size = sum(path.lstat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
        return seconds, len(list(Path(folder).glob("lib/python*/site-packages/*.dist-info"))), size


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("extras", nargs="*", default=list(EXTRAS))
    parser.add_argument("--cold", action="store_true", help="also the core with nothing in the cache")
    options = parser.parse_args()
    lines = ["| installed | seconds | distributions | MB on disk |", "|---|--:|--:|--:|"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([UV, "build", "--quiet", "--wheel", "--out-dir", folder, str(ROOT)], check=True)
        wheel = next(Path(folder).glob("*.whl"))
        for extra in ("", *options.extras):
            seconds, n, size = install(wheel, extra)
            lines.append(f"| {f'core and `{extra}`' if extra else 'core'} | {seconds:.0f} | {n} | {size:.0f} |")
            print(lines[-1], flush=True)
        if options.cold:
            seconds, n, size = install(wheel, "", "--no-cache")
            lines.append(f"| core, nothing in the cache | {seconds:.0f} | {n} | {size:.0f} |")
        wheel_mb = wheel.stat().st_size / 1e6
    told = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {date.today()}"
    text = f"""# What an installation takes

{told}; uv, files copied from a filled cache where nothing else is
said. The wheel itself is {wheel_mb:.1f} MB. `python benchmarks/install_size.py --cold` writes this file.

""" + "\n".join(lines)  # fmt: skip
    (ROOT / "benchmarks" / "INSTALL.md").write_text(text + "\n", encoding="utf-8")
    print(lines[-1])


if __name__ == "__main__":
    main()
