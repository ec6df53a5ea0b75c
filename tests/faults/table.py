"""What was found, as the tables of `docs/reliability.md`."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from tests.faults.adapters import ADAPTERS
from tests.faults.scenarios import SCENARIOS
from tests.faults.soak import soak

BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

_WRONG = {
    "lost": "lost",
    "ran_twice": "run twice",
    "ran_though_denied": "run though denied",
    "wrong_replies": "wrong replies",
    "hung": "hung",
}


def with_tables(document: str, found: dict[str, Any]) -> str:
    """The document with new text between its marks."""
    before, rest = document.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{tables(found)}\n{END}{after}"


def tables(found: dict[str, Any]) -> str:
    """Return the machine, and a row for each scenario: the promise, and what each client did."""
    about = found["environment"]
    clients = {name: found["clients"][name] for name in ADAPTERS if name in found["clients"]}
    heading = [f"{name} {of_client['version']}" for name, of_client in clients.items()]
    lines = [
        f"Measured on {about['date']}, {about['cores']} cores for clients and servers together, "
        f"{about['server']}, Python {about['python']}, {about['system']}.",
        "",
        f"| | {' | '.join(heading)} |",
        "|---" * (len(clients) + 1) + "|",
    ]
    for name, run in {**SCENARIOS, "soak": soak}.items():
        promise = " ".join((run.__doc__ or "").split("\n\n")[0].split())
        cells = [cell(of_client["scenarios"].get(name)) for of_client in clients.values()]
        lines.append(f"| `{name}`: {promise} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def cell(report: dict[str, Any] | str | None) -> str:
    if report is None:
        return "not run"
    if isinstance(report, str):
        return f"not tested: {report}"
    verdict = report["verdict"]
    words = [f"{verdict['calls']:,} calls"] if verdict["calls"] else []
    if errors := sum(verdict["errors"].values()):
        words.append(f"{errors:,} errors")
    words += [f"**{verdict[name]:,} {word}**" for name, word in _WRONG.items() if verdict[name]]
    words += [figure(name, value) for name, value in report["figures"].items()]
    # For failed calls, the number is enough.
    others = Counter(
        shortened(text) for text in report["failures"] if not text.startswith("calls failed")
    )
    words += [
        f"**{text}**{f' ({count} times)' if count > 1 else ''}" for text, count in others.items()
    ]
    return ", ".join(words or [shortened(text) for text in report["broken"]])


def figure(name: str, value: float) -> str:
    words, _, unit = name.replace("_", " ").rpartition(" ")
    match unit:
        case "s" | "mb":
            number = f"{value:.3f}" if unit == "s" else f"{value:.1f}"
            return f"{words} {number} {unit.upper() if unit == 'mb' else unit}"
        case "percent":
            return f"{words} {value:.1f} %"
        case "left":
            return f"{value:.0f} {words} left"
        case _:
            number = f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
            return f"{words} {unit} {number}".lstrip()


def shortened(text: str) -> str:
    """The first line, without what differs from run to run."""
    text = re.sub(r"`?127\.0\.0\.1:\d+`?", "the server", text.split("\n", maxsplit=1)[0])
    return text.replace("|", "/")[:160]
