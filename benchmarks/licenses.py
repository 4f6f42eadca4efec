"""Write LICENSES.md: every distribution of constraints.txt, its licence, and which extra brings it."""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
# As SPDX names them, most telling first; the first that is found in what a distribution states is its licence.
KNOWN = (
    ("AGPL", r"\bAGPL|Affero"), ("LGPL", r"\bLGPL|Lesser General Public"), ("GPL", r"\bGPL|GNU General Public"),
    ("MPL-2.0", r"\bMPL|Mozilla Public"), ("Apache-2.0", r"Apache"), ("BSD-3-Clause", r"\bBSD|Redistribution and use"),
    ("MIT-CMU", r"MIT-CMU|\bHPND\b"), ("MIT", r"\bMIT\b|Permission is hereby granted, free of charge"),
    ("PSF-2.0", r"\bPSF|Python Software Foundation"), ("ISC", r"\bISC\b"), ("Unlicense", r"Unlicense"),
    ("0BSD", r"\b0BSD\b"), ("Zlib", r"\bZlib\b"),
)  # fmt: skip
REFUSED = {"AGPL", "GPL"}
_FIRST = "Licences of everything that `constraints.txt` pins, as the distributions themselves state them"
_HEAD = f"""# Licences of the dependencies

{_FIRST}; written by `make licenses`, which ends with 1
where one is under the GPL or AGPL, or states nothing. Weak copyleft (LGPL, MPL) is named below the table. funnelkit
itself is MIT; its bundled font, Noto Sans SC, is under the SIL OFL 1.1.

| distribution | version | licence | brought by |
|---|---|---|---|
"""


def main() -> int:
    """Write the list; return 1 where a licence is refused or unknown."""
    brought, bad, weak, lines = brought_by(), [], [], []
    for name, version in pins():
        licence = stated(name)
        if licence is None:
            lines.append(f"| {name} | {version} | not installed here | another system or Python |")
            continue
        bad += [f"{name}: {licence}"] if licence == "unknown" or refused(licence) else []
        weak += [f"{name} ({licence})"] if re.search(r"LGPL|MPL", licence) else []
        lines.append(f"| {name} | {version} | {licence} | {', '.join(brought.get(key(name), ['another system']))} |")
    tail = f"\nWeak copyleft, used unchanged and as libraries: {', '.join(weak) or 'none'}.\n"
    (ROOT / "LICENSES.md").write_text(_HEAD + "\n".join(lines) + "\n" + tail, encoding="utf-8")
    print(f"LICENSES.md: {len(lines)} distributions, {len(bad)} refused or unknown", *bad, sep="\n  ")
    return int(bool(bad))


def pins() -> Iterator[tuple[str, str]]:
    """Yield (name, version) of each distribution once: of the pins whose condition holds here, else of the first."""
    found: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            if pin.name not in found or (pin.marker and pin.marker.evaluate()):
                found[pin.name] = str(pin.specifier).removeprefix("==")
    yield from found.items()


def key(name: str) -> str:
    """Return a distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def brought_by() -> dict[str, list[str]]:
    """Return {distribution: extras that bring it}, `core` for what comes without one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}
    reached = {extra: closure(wanted) for extra, wanted in groups.items()}
    found: dict[str, list[str]] = {}
    for extra, names in reached.items():
        for name in names if extra == "core" else names - reached["core"]:
            found.setdefault(name, []).append(extra)
    return found


def closure(wanted: list[str]) -> set[str]:
    """Return the names of all distributions that requirements bring in here, as far as they are installed."""
    seen: set[tuple[str, str]] = set()
    queue = [(requirement, "") for requirement in map(Requirement, wanted)]
    while queue:
        requirement, extra = queue.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        for wanted_extra in ("", *requirement.extras):
            if (key(requirement.name), wanted_extra) in seen:
                continue
            seen.add((key(requirement.name), wanted_extra))
            try:
                needs = distribution(requirement.name).requires or []
            except PackageNotFoundError:
                continue
            queue += [(Requirement(text), wanted_extra) for text in needs]
    return {name for name, _ in seen}


def stated(name: str) -> str | None:
    """Return the licence that an installed distribution states, in SPDX's words; None where it is not installed."""
    try:
        meta = distribution(name).metadata
    except PackageNotFoundError:
        return None
    if meta.get("License-Expression"):
        return str(meta["License-Expression"])
    classes = [text for text in meta.get_all("Classifier") or [] if text.startswith("License")]
    for text in (" ".join(classes), meta.get("License") or "", _files(name)):
        for licence, pattern in KNOWN:
            if re.search(pattern, text):
                return licence
    return "unknown"


def _files(name: str) -> str:
    """Return the beginning of the licence files that a distribution carries."""
    found = [file for file in distribution(name).files or [] if re.match(r"(LICEN[CS]E|COPYING)", file.name, re.I)]
    return " ".join(Path(str(file.locate())).read_text(encoding="utf-8", errors="replace")[:1500] for file in found)


def refused(licence: str) -> bool:
    """Tell whether each choice that a licence gives is refused; an exception such as the classpath's is not looked at.

    >>> refused("GPL"), refused("MIT OR GPL-3.0-only"), refused("LGPL-3.0-only"), refused("MIT AND GPL-2.0-only")
    (True, False, False, True)
    """
    choices = re.split(r"\s+OR\s+", licence)
    return all(re.search(r"(?<![A-Z])A?GPL", choice) for choice in choices)


if __name__ == "__main__":
    sys.exit(main())
