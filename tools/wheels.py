"""Builds the wheels for Linux that this machine can build, and the sdist; checks the wheels' tags.

Usage: wheels.py FOLDER [TARGET…]; without targets, those whose Rust library is installed. The
linker is zig, which links to the old versions of libc that the tags promise.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TAGS = {
    "x86_64-unknown-linux-gnu": "manylinux_2_17",
    "aarch64-unknown-linux-gnu": "manylinux_2_17",
    "x86_64-unknown-linux-musl": "musllinux_1_2",
    "aarch64-unknown-linux-musl": "musllinux_1_2",
}
"""The oldest systems that a wheel of each target is for."""


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
    maturin("build", *options, "--interpreter", "python3.11", "--out", folder)


def maturin(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "maturin", *arguments], check=True)


def check(folder: Path) -> int:
    """Compares each wheel's tag with the symbols that its library needs."""
    wrong = 0
    for wheel in sorted(folder.glob("*linux*.whl")):
        show = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
        found = subprocess.run(show, check=True, capture_output=True, text=True).stdout
        tag = wheel.stem.split(".")[-1]
        fits = f'platform tag:\n"{tag}"' in found
        print(f"{wheel.name}: {'ok' if fits else found}")
        wrong += not fits
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
