"""What was found, as the table of `docs/reliability.md`."""

from __future__ import annotations

from typing import Any

from tests.faults.scenarios import SCENARIOS

_WRONG = {
    "lost": "lost",
    "ran_twice": "run twice",
    "ran_though_denied": "run though denied",
    "wrong_replies": "wrong replies",
    "hung": "hung",
}


def table(found: dict[str, Any]) -> str:
    """One row a scenario, one column a client: calls, errors, and what went wrong."""
    clients = found["clients"]
    lines = [
        "| | " + " | ".join(f"{name} {about['version']}" for name, about in clients.items()) + " |",
        "|---" * (len(clients) + 1) + "|",
    ]
    for name in SCENARIOS:
        cells = [cell(about["scenarios"].get(name)) for about in clients.values()]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(report: dict[str, Any] | str | None) -> str:
    if report is None:
        return "not run"
    if isinstance(report, str):
        return f"not driven: {report}"
    verdict = report["verdict"]
    if not verdict["calls"] and report["broken"]:
        return without_details(report["broken"][0])
    words = [f"{verdict['calls']:,} calls"] if verdict["calls"] else []
    if errors := sum(verdict["errors"].values()):
        words.append(f"{errors:,} errors")
    words += [f"**{verdict[name]:,} {word}**" for name, word in _WRONG.items() if verdict[name]]
    words += [figure(name, value) for name, value in report["figures"].items()]
    return ", ".join(words)


def figure(name: str, value: float) -> str:
    words, _, unit = name.replace("_", " ").rpartition(" ")
    if unit == "s":
        return f"{words} {value:.3f} s"
    return f"{words} {unit} {value:,.2f}" if value != int(value) else f"{words} {unit} {value:,.0f}"


def without_details(text: str) -> str:
    """The first line, without addresses of functions and the like."""
    return text.split("\n", maxsplit=1)[0].split(" <function", maxsplit=1)[0].replace("|", "/")
