"""Shows that the simulator sees a rule that is broken: `make mutations`.

A copy of the tree gets all mutations of `rust/sim/mutations.toml`, each behind a switch, and one
simulator is built there. With one rule broken at a time, it runs from several starting points until
a seed fails, and the table in docs/reliability.md gets the median of how many seeds that took.
Results are kept in build/mutations, so that a run that was interrupted goes on.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SOURCES = "rust/core/src"
DATA = ROOT / "rust/sim/mutations.toml"
DOCS = ROOT / "docs/reliability.md"
BUILD = ROOT / "build/mutations"
TREE = BUILD / "tree"
TARGET = BUILD / "target"
RESULTS = BUILD / "results.json"
BEGIN, END = "<!-- mutations: begin -->", "<!-- mutations: end -->"
STARTS = (0, 100_000, 200_000, 300_000, 400_000)
SEEDS_AT_ONCE = 3
# The time limit of that many seeds, on a busy machine.
SECONDS = 120
# This environment variable has the number of the rule to break.
VARIABLE = "GLIDE_SCRIPTS_BROKEN_RULE"
SWITCH = f"""
/// Whether the rule of that number is broken.
pub(crate) fn is_broken(rule: &str) -> bool {{
    static BROKEN: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("{VARIABLE}").ok());
    BROKEN.as_deref() == Some(rule)
}}
"""


@dataclass(frozen=True)
class Mutation:
    area: str
    rule: str
    file: str
    find: str
    replace: str

    @property
    def key(self) -> str:
        text = "\0".join((self.file, self.find, self.replace))
        return hashlib.sha1(text.encode()).hexdigest()

    def mutated(self, text: str, number: int) -> str:
        """Return the file's text with a switch by which the rule is broken."""
        replace = re.sub(r"\bBROKEN\b", f'crate::is_broken("{number}")', self.replace)
        return text.replace(self.find, replace)

    def misfit(self, text: str) -> str:
        """Return what is wrong with it, if anything is."""
        if not re.search(r"\bBROKEN\b", self.replace):
            return f"{DATA.relative_to(ROOT)}: {self.rule!r}: its `replace` does not ask for BROKEN"
        if (count := text.count(self.find)) == 1:
            return ""
        return (
            f"{DATA.relative_to(ROOT)}: {self.rule!r}: its text stands {count} times in"
            f" {SOURCES}/{self.file}, not once; bring `find` up to date"
        )


def mutations() -> list[Mutation]:
    return [Mutation(**entry) for entry in tomllib.loads(DATA.read_text())["mutation"]]


def copy_tree() -> None:
    """Copy what cargo reads. Unchanged files keep their times, so cargo does not rebuild them."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    command = [*listed, "Cargo.toml", "Cargo.lock", "rust"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    kept = set()
    for name in filter(None, names.split("\0")):
        source, copy = ROOT / name, TREE / name
        if not source.is_file():
            continue
        kept.add(copy)
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    for copy in [path for path in TREE.rglob("*") if path.is_file() and path not in kept]:
        copy.unlink()


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, capture_output=True, text=True, errors="replace", **options
    )


def build(everything: list[Mutation]) -> Path:
    """Build a simulator in which each rule can be broken."""
    copy_tree()
    for number, mutation in enumerate(everything):
        path = TREE / SOURCES / mutation.file
        path.write_text(mutation.mutated(path.read_text(), number))
    root = TREE / SOURCES / "lib.rs"
    root.write_text(root.read_text() + SWITCH)
    environment = os.environ | {"CARGO_TARGET_DIR": str(TARGET)}
    command = ["cargo", "build", "--quiet", "--package", "glide-scripts-sim"]
    built = run(command, cwd=TREE, env=environment)
    if built.returncode:
        raise SystemExit(f"the tree with its mutations cannot be built:\n{built.stderr}")
    return TARGET / "debug/glide-scripts-sim"


@dataclass(frozen=True)
class Simulator:
    """The program, and the number of the rule that is broken in it, if one is."""

    program: Path
    broken: int | None = None

    def run(self, seeds: range) -> subprocess.CompletedProcess[str]:
        environment = os.environ | ({} if self.broken is None else {VARIABLE: str(self.broken)})
        command = [str(self.program), f"{seeds.start}..{seeds.stop}"]
        return run(command, env=environment, timeout=SECONDS)


@dataclass(frozen=True)
class Failure:
    """A seed that failed, counted from the starting point, and what was violated there."""

    seeds: int
    violated: str


def violations(simulator: Simulator, seeds: range) -> dict[int, list[str]]:
    """Return the seeds that fail, each with what it violates."""
    try:
        ended = simulator.run(seeds)
    except subprocess.TimeoutExpired:
        violated = "the simulation does not end"
    else:
        named = re.findall(r"^seed (\d+): .*\n((?:  .*\n)*)", ended.stdout, re.MULTILINE)
        if ended.returncode == 0 or named:
            return {int(seed): kinds(said) for seed, said in named}
        violated = "the simulation breaks off"
    if len(seeds) == 1:
        return {seeds.start: [violated]}
    # Run the seeds one by one, to see which of them failed.
    alone = (violations(simulator, range(seed, seed + 1)) for seed in seeds)
    return next(filter(None, alone), {})


def all_violations(simulator: Simulator, start: int, count: int) -> Iterator[tuple[int, str]]:
    for first in range(start, start + count, SEEDS_AT_ONCE):
        seeds = range(first, min(first + SEEDS_AT_ONCE, start + count))
        for seed, violated in sorted(violations(simulator, seeds).items()):
            yield from ((seed, violation) for violation in violated)


def first_failure(simulator: Simulator, start: int, count: int, known: set[str]) -> Failure | None:
    """Return the first seed with a violation of a kind that is not known without the mutation."""
    for seed, violation in all_violations(simulator, start, count):
        if violation not in known:
            return Failure(seed - start + 1, violation)
    return None


def kinds(said: str) -> list[str]:
    lines = (line for line in said.splitlines() if "see it again" not in line)
    return [summary(line) for line in lines]


def summary(violation: str) -> str:
    """Return a violation's text without the parts that differ from call to call."""
    said = re.split(r"[:;] ", violation.strip())[0]
    said = re.sub(r" \([^)]*\)| on \S+$| to [\d.:]+", "", said)
    return re.sub(r"\d+", "…", re.sub(r"\b(call|transaction|client) \d+", r"a \1", said))


Found = tuple[Mutation, list[Failure | None]]


def measure(everything: list[Mutation], wanted: list[Mutation], count: int) -> Iterator[Found]:
    program = build(everything)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        known = known_violations(Simulator(program), count, pool)
        running = []
        for mutation in wanted:
            simulator = Simulator(program, everything.index(mutation))
            runs = [pool.submit(first_failure, simulator, start, count, known) for start in STARTS]
            running.append((mutation, runs))
        for mutation, runs in running:
            yield mutation, [run.result() for run in runs]


def known_violations(simulator: Simulator, count: int, pool: ThreadPoolExecutor) -> set[str]:
    """Return the kinds of violations that also occur without a mutation. They prove nothing."""
    runs = pool.map(lambda start: list(all_violations(simulator, start, count)), STARTS)
    known = {violation for failed in runs for _, violation in failed}
    for violation in sorted(known):
        print(f"without a mutation, too: {violation}", file=sys.stderr)
    return known


def describe(mutation: Mutation, found: list[Any], count: int) -> str:
    seeds = [failure[0] if failure else count + 1 for failure in found]
    median = int(statistics.median(seeds))
    shown = str(median) if median <= count else f"not within {count}"
    seen = [failure[1] for failure in found if failure]
    what = max(set(seen), key=seen.count) if seen else "nothing"
    cells = (mutation.area, mutation.rule, f"`{mutation.file}`", shown, what.replace("|", r"\|"))
    return f"| {' | '.join(cells)} |"


def write_table(results: dict[str, Any]) -> None:
    before, _, rest = DOCS.read_text().partition(BEGIN)
    if not rest:
        raise SystemExit(f"{DOCS.relative_to(ROOT)} has no line {BEGIN}")
    table, _, after = rest.partition(END)
    # Keep the rows of rules that were not measured now.
    rows = {line.split(" | ")[1]: line for line in table.splitlines() if line.count(" | ") > 1}
    for mutation in mutations():
        if result := results.get(mutation.key):
            rows[mutation.rule] = describe(mutation, result["found"], result["count"])
    lines = [
        "| area | rule | file | seeds until caught | what was violated |",
        "|---|---|---|---|---|",
        *(row for mutation in mutations() if (row := rows.get(mutation.rule))),
    ]
    DOCS.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="see only that all fit the tree")
    parser.add_argument("--only", default="", help="pattern of area, rule or file")
    parser.add_argument(
        "--again", action="store_true", help="measure rules again that have been measured"
    )
    parser.add_argument("--seeds", type=int, default=200, help="the most from each starting point")
    options = parser.parse_args()
    everything = mutations()
    misfits = [m.misfit((ROOT / SOURCES / m.file).read_text()) for m in everything]
    if any(misfits):
        sys.exit("\n".join(filter(None, misfits)))
    if options.check:
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    matching = [m for m in everything if re.search(options.only, f"{m.area} {m.rule} {m.file}")]
    wanted = [m for m in matching if options.again or m.key not in results]
    for mutation, found in measure(everything, wanted, options.seeds):
        plain = [[failure.seeds, failure.violated] if failure else None for failure in found]
        results[mutation.key] = {"count": options.seeds, "found": plain}
        RESULTS.write_text(json.dumps(results))
        print(describe(mutation, plain, options.seeds), flush=True)
    write_table(results)
    missed = [m.rule for m in everything if not any(results.get(m.key, {}).get("found", [True]))]
    if missed:
        sys.exit("never caught: " + "; ".join(missed))


if __name__ == "__main__":
    main()
