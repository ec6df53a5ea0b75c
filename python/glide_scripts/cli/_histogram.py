"""A histogram of latencies.

HDR histogram's buckets: 11 significant bits, so that each value is exact to 0.1 %, whatever its
size. The package hdrhistogram is not used: it has no wheels for Linux on ARM64, where it needs a C
compiler to be installed, and it brings pbr and setuptools along to where scripts are run.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

_BITS = 11


class Histogram:
    """Counts of times, which are taken in nanoseconds."""

    def __init__(self) -> None:
        # By the least value of a bucket.
        self._counts: Counter[int] = Counter()
        # The same in order, with how many there are before each; made again when it is asked for.
        self._leasts: list[int] = []
        self._before: list[int] = [0]
        self.count = 0
        self.sum = 0
        self.min = 0
        self.max = 0

    def record(self, value: int) -> None:
        """Count a time; one below 1 ns, which a clock that steps may give, as that."""
        value = max(value, 1)
        self._counts[_least(value)] += 1
        self.min = min(value, self.min or value)
        self.max = max(value, self.max)
        self.sum += value
        self.count += 1

    @property
    def mean(self) -> float:
        return self.sum / self.count if self.count else 0.0

    def percentile(self, percent: float) -> int:
        """The time within which so many of the calls ended, in nanoseconds; 0 if there are none."""
        self._sort()
        if not self.count:
            return 0
        at = bisect_left(self._before, self.count * percent / 100, lo=1)
        return min(_greatest(self._leasts[at - 1]), self.max)

    def buckets(self) -> Iterator[tuple[int, int]]:
        """The least value and the count of each bucket that has any, in order."""
        yield from sorted(self._counts.items())

    def bins(self, edges: Sequence[float]) -> list[int]:
        """The counts between each two of the edges, which are sorted; what is beyond, at the ends.

        A bucket counts where it begins.
        """
        self._sort()
        inner = (bisect_left(self._leasts, edge) for edge in edges[1:-1])
        cuts = [0, *inner, len(self._leasts)]
        return [self._before[end] - self._before[begin] for begin, end in pairwise(cuts)]

    def _sort(self) -> None:
        # A load goes on while its figures are shown, and must not wait for them for long.
        if self._before[-1] != self.count:
            self._leasts = sorted(self._counts)
            self._before = [0, *accumulate(self._counts[least] for least in self._leasts)]


def _least(value: int) -> int:
    shift = max(value.bit_length() - _BITS, 0)
    return value >> shift << shift


def _greatest(least: int) -> int:
    return least + (1 << max(least.bit_length() - _BITS, 0)) - 1
