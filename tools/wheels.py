"""Builds the wheels for Linux that this machine can build, and the sdist; checks the wheels' tags.

Usage: wheels.py FOLDER [TARGET…]; without targets, those whose Rust library is installed. The
linker is zig, which links to the old versions of libc that the tags promise.
"""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from elftools.elf.elffile import ELFFile

TAGS = {
    "x86_64-unknown-linux-gnu": "manylinux_2_17",
    "aarch64-unknown-linux-gnu": "manylinux_2_17",
    "x86_64-unknown-linux-musl": "musllinux_1_2",
    "aarch64-unknown-linux-musl": "musllinux_1_2",
}
"""The oldest systems that a wheel of each target is for."""


PYTHONS = ["python3.11", "python3.14t"]
"""One wheel serves every Python from 3.11 on, and one the free-threaded 3.14."""


def main() -> int:
    folder, *chosen = sys.argv[1:]
    if unknown := set(chosen) - TAGS.keys():
        print(f"wheels: {', '.join(unknown)} is none of {', '.join(TAGS)}", file=sys.stderr)
        return 1
    for target in chosen or TAGS:
        if is_installed(target):
            build(target, TAGS[target], folder)
        elif chosen:
            print(f"wheels: install {target} first: rustup target add {target}", file=sys.stderr)
            return 1
        else:
            print(f"left out: {target}, which `rustup target add {target}` installs", flush=True)
    maturin("sdist", "--out", folder)
    return check(Path(folder))


def is_installed(target: str) -> bool:
    query = ["rustc", "--print", "target-libdir", "--target", target]
    folder = subprocess.run(query, check=True, capture_output=True, text=True).stdout.strip()
    return Path(folder).is_dir()


def build(target: str, tag: str, folder: str) -> None:
    options = ["--release", "--locked", "--zig", "--target", target, "--compatibility", tag]
    for python in PYTHONS:
        maturin("build", *options, "--interpreter", python, "--out", folder)


def maturin(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "maturin", *arguments], check=True)


def check(folder: Path) -> int:
    """Compares each wheel's tag with what its library needs."""
    wrong = 0
    for wheel in sorted(folder.glob("*linux*.whl")):
        misfit = misfit_with_musl(wheel) if "musllinux" in wheel.name else misfit_with_glibc(wheel)
        print(f"{wheel.name}: {misfit or 'ok'}")
        wrong += bool(misfit)
    return min(wrong, 1)


def misfit_with_glibc(wheel: Path) -> str:
    """What auditwheel finds by the versions of symbols, unless that is the wheel's tag."""
    show = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    found = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    tag = wheel.stem.split(".")[-1]
    return "" if f'platform tag:\n"{tag}"' in found else found


def misfit_with_musl(wheel: Path) -> str:
    """Which libraries it needs besides musl, whose symbols have no versions.

    auditwheel expects the name that Alpine's compiler writes. musl itself takes zig's name, too.
    """
    needed = set()
    with ZipFile(wheel) as files:
        for name in files.namelist():
            if name.endswith(".so"):
                dynamic = ELFFile(BytesIO(files.read(name))).get_section_by_name(".dynamic")
                needed |= {tag.needed for tag in dynamic.iter_tags("DT_NEEDED")}
    return "" if needed == {"libc.so"} else f"it needs {', '.join(sorted(needed))}"


if __name__ == "__main__":
    sys.exit(main())
