"""One folder that installs the kit without internet: python benchmarks/wheelhouse.py FOLDER [--platform P --python V].

For this machine's own kind of system pip builds what has no wheel. For another one, such as a class of Windows
laptops, uv says what that system needs and pip fetches the wheels; P is a tag of wheels such as win_amd64,
macosx_11_0_arm64 or manylinux_2_28_x86_64.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = "report,sql,zh"
_UV_NAMES = (("win", "windows"), ("macosx.*arm64", "aarch64-apple-darwin"), ("macosx", "x86_64-apple-darwin"),
             ("linux.*aarch64", "aarch64-unknown-linux-gnu"), ("linux", "x86_64-unknown-linux-gnu"))  # fmt: skip
README = """funnelkit without internet / 离线安装 funnelkit

For Python {python} on {system}.    适用于 {system} 上的 Python {python}。

In this folder / 在本文件夹中：

Linux, macOS:
    sh install.sh

Windows (PowerShell):
    powershell -ExecutionPolicy Bypass -File install.ps1

Both make a folder `kit` with the kit and `lessons` with learners' copies, and say how to begin.
两者都会生成 kit（程序）和 lessons（学员版课件）两个文件夹，并给出启动命令。
JupyterLab in Chinese: Settings > Language.    JupyterLab 中文界面：Settings > Language > 中文（简体）。
"""
SH = """#!/bin/sh
# Installs the kit from this folder alone: sh install.sh [PYTHON]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"${{1:-python3}}" -c 'import sys; v = "%d.%d" % sys.version_info[:2]; v == "{python}" or sys.exit("These wheels are for Python {python}; this is " + v + ". Call: sh install.sh /path/to/python{python}")'
"${{1:-python3}}" -m venv kit
kit/bin/python -m pip install --quiet --disable-pip-version-check --no-index --find-links "$here" "funnelkit[{extras}]"
kit/bin/funnelkit lessons student --out lessons
echo "Ready: kit/bin/jupyter lab lessons   and   kit/bin/funnelkit report"
"""  # noqa: E501
PS1 = """# Installs the kit from this folder alone: powershell -ExecutionPolicy Bypass -File install.ps1 [PYTHON]
param([string]$Python = "python")
$ErrorActionPreference = "Stop"
$version = & $Python -c "import sys; print('%d.%d' % sys.version_info[:2])"
if ($version -ne "{python}") {{ throw "These wheels are for Python {python}; this is $version. Call: install.ps1 C:\\path\\to\\python.exe" }}
& $Python -m venv kit
if ($LASTEXITCODE) {{ throw "No environment could be made." }}
& kit\\Scripts\\python.exe -m pip install --quiet --disable-pip-version-check --no-index --find-links $PSScriptRoot "funnelkit[{extras}]"
if ($LASTEXITCODE) {{ throw "The wheels could not be installed." }}
& kit\\Scripts\\funnelkit.exe lessons student --out lessons
if ($LASTEXITCODE) {{ throw "The lessons could not be written." }}
"Ready: kit\\Scripts\\jupyter.exe lab lessons   and   kit\\Scripts\\funnelkit.exe report"
"""  # noqa: E501


def main() -> int:
    """Fill the folder; say what is in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--platform", help="tag of wheels for another system, such as win_amd64")
    parser.add_argument("--python", default=".".join(map(str, sys.version_info[:2])), help="its Python, such as 3.13")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    foreign = options.platform is not None or options.python != parser.get_default("python")
    if foreign:
        _fetch(options.folder, options.platform or "", options.python)
    else:
        _pip("wheel", "--wheel-dir", options.folder, "--constraint", ROOT / "constraints.txt", f"{ROOT}[{EXTRAS}]")
    values = {"python": options.python, "system": options.platform or sys.platform, "extras": EXTRAS}
    (options.folder / "README.txt").write_text(README.format(**values), encoding="utf-8")
    (options.folder / "install.sh").write_text(SH.format(**values), encoding="utf-8", newline="\n")
    (options.folder / "install.ps1").write_text(PS1.format(**values), encoding="utf-8-sig", newline="\r\n")
    wheels = list(options.folder.glob("*.whl"))
    size = sum(path.stat().st_size for path in wheels) / 1e6
    print(f"{options.folder}: {len(wheels)} wheels, {size:.0f} MB; see README.txt in it")
    return 0


def _pip(*words: object) -> None:
    """Run pip of this Python, or of the one that it was made from where its environment has none."""
    has_pip = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0
    python = [sys.executable] if has_pip else [str(Path(sys.base_prefix) / "bin" / "python3")]
    subprocess.run([*python, "-m", "pip", *map(str, words), "--quiet", "--disable-pip-version-check"], check=True)


def _fetch(folder: Path, platform: str, python: str) -> None:
    """Fetch the wheels that another system or Python needs; each must be there as a wheel."""
    named = next((name for pattern, name in _UV_NAMES if re.match(f".*{pattern}", platform)), None)
    if platform and named is None:
        sys.exit(f"{platform}: is no tag of wheels for Windows, macOS or Linux, such as win_amd64")
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        sys.exit("uv is needed to say what another system wants: pip install uv")
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch) / "wanted.txt"
        how = ["--python-version", python, *(["--python-platform", named] if named else [])]
        how += [word for extra in EXTRAS.split(",") for word in ("--extra", extra)]
        how += ["--constraint", str(ROOT / "constraints.txt"), "--no-header", "--no-annotate", "--no-emit-index-url"]
        command = [uv, "pip", "compile", "--quiet", "--no-emit-find-links", str(ROOT / "pyproject.toml"), *how]
        subprocess.run([*command, "-o", str(wanted)], check=True)
        tags = ["--platform", platform] if platform else []
        if platform.startswith("macosx"):  # wheels for older systems run as well
            tags = [word for n in range(11, 16) for word in ("--platform", f"macosx_{n}_0_{platform.split('_', 3)[3]}")]
        if platform.startswith("manylinux"):
            machine = platform.split("_", 3)[3]
            names = ("manylinux2014", "manylinux_2_17", "manylinux_2_24", "manylinux_2_27", "manylinux_2_28")
            tags = [word for name in names for word in ("--platform", f"{name}_{machine}")]
        only = ["--only-binary", ":all:", "--no-deps", "--python-version", python, *tags]
        _pip("download", "--dest", folder, *only, "--requirement", wanted)
    _pip("wheel", "--no-deps", "--wheel-dir", folder, ROOT)


if __name__ == "__main__":
    sys.exit(main())
