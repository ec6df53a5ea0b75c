"""Compare the instructions that the steps of a call take with the committed figures.

    python -m bench.instructions target/release/instructions             compare
    python -m bench.instructions target/release/instructions --record    record new figures

callgrind counts instructions, so other programs on the machine hardly change the figures. But the
step `call` uses a socket, and a busy machine splits its bursts, which costs a few per cent more. So
each step is counted several times, and the lowest count is used. Counts depend on the compiler and
on libc. There are committed figures for some versions of both; for other versions nothing is
compared, and a message says so. This needs only Python and valgrind.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
from pathlib import Path

BASELINE = Path(__file__).with_name("instructions.json")
STEPS = {
    "pack": "a call packed into its wire form",
    "decode": "an integer, a string and a list of ten decoded",
    "call": "a call from its parts to its outcome, over a socket",
}
TOLERANCE = 0.10
_FEW, _MANY = 10_000, 30_000
_TIMES = 3

Counts = dict[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.instructions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("program", type=Path)
    parser.add_argument("--record", action="store_true", help="write bench/instructions.json")
    options = parser.parse_args()
    counted = {step: instructions(options.program, step) for step in STEPS}
    known: dict[str, Counts] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    here = toolchain()
    if options.record:
        known[here] = {step: round(count, 1) for step, count in counted.items()}
        BASELINE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    for step, count in counted.items():
        print(f"{step:8}{count:10,.0f} instructions: {STEPS[step]}")
    if here not in known:
        print(f"they are not judged: {BASELINE.name} has none of {here}")
        return 0
    worse = regressions(known[here], counted)
    for line in worse:
        print(line, file=sys.stderr)
    if any(known[here][step] > counted[step] * (1 + TOLERANCE) for step in STEPS):
        print("it takes less than it did: hold on to that with INSTRUCTIONS_ARGS=--record")
    return 1 if worse else 0


def regressions(before: Counts, now: Counts) -> list[str]:
    """Return a line for each step that takes too many instructions."""
    return [
        f"{step}: {count:,.0f} instructions, {count / before[step] - 1:+.1%} against "
        f"{before[step]:,.0f}; {TOLERANCE:.0%} are allowed. If it is worth that, take the figures "
        "again: make bench-instructions INSTRUCTIONS_ARGS=--record"
        for step, count in now.items()
        if step in before and count > before[step] * (1 + TOLERANCE)
    ]


def instructions(program: Path, step: str) -> float:
    """Return the instructions of one repetition, without those of the program's start and end."""
    few = min(counted(program, step, _FEW) for _ in range(_TIMES))
    many = min(counted(program, step, _MANY) for _ in range(_TIMES))
    return (many - few) / (_MANY - _FEW)


def counted(program: Path, step: str, times: int) -> int:
    # callgrind_annotate finds the profile beside the program.
    profile = program.with_name(f"callgrind.{step}.out")
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}"]
    done = subprocess.run(
        [*command, program, step, str(times)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or collected is None:
        raise SystemExit(f"{step} was not counted:\n{done.stderr}")
    return int(collected[1])


def toolchain() -> str:
    """Return the versions that the figures depend on: of the compiler and of libc."""
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    compiler = ".".join(rustc.stdout.split()[1].split(".")[:2])
    libc, version = platform.libc_ver()
    return f"{platform.machine()}, rustc {compiler}, {libc or platform.system()} {version}".strip()


if __name__ == "__main__":
    sys.exit(main())
