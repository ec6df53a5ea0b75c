"""What a scenario found."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.faults.driver import Verdict


@dataclass
class Report:
    """The account of one scenario."""

    verdict: Verdict = field(default_factory=Verdict)
    faults: dict[str, int] = field(default_factory=dict)
    """What was done to the client, counted; a fault that was not met proves nothing."""
    figures: dict[str, float] = field(default_factory=dict)
    """What was measured; a name ends in its unit."""
    series: dict[str, list[float]] = field(default_factory=dict)
    """What was measured again and again."""
    failures: list[str] = field(default_factory=list)
    """Further promises that were not kept."""
    late: list[str] = field(default_factory=list)
    """Bounds on time that were not kept: they say something only where nothing else runs."""

    @property
    def broken(self) -> list[str]:
        not_met = [f"the fault was not met: {name}" for name, n in self.faults.items() if not n]
        return [*self.verdict.broken(), *self.failures, *not_met]

    def no_errors(self) -> None:
        """Note a failure if a call failed."""
        if self.verdict.errors:
            self.failures.append(f"calls failed: {self.verdict.errors}")

    def at_most(self, name: str, bound: float) -> None:
        """Note a failure if a figure is larger than its limit."""
        if self.figures[name] > bound:
            self.late.append(f"{name} is {self.figures[name]:.3f}, over {bound}")
