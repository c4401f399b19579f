"""Whether a coefficient has an estimate and a standard error, and what is special about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from didjack.wording import encodable, name_some, short


class StatusCode(Enum):
    """What is special about a coefficient, if anything; the value is its name in tables."""

    OK = "ok"
    BASE = "base"
    COMPOSITION = "composition"
    IMPUTED = "imputed"
    SKIPPED = "skipped"
    UNDEFINED = "undefined"
    NO_VARIATION = "no variation"
    MISSING = "missing"
    NO_ROWS = "no rows"
    NO_OVERLAP = "no overlap"
    COLLINEAR = "collinear"


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a coefficient; its string is what tables show.

    Attributes
    ----------
    code : StatusCode
    clusters : labels of the clusters without which there is no estimate
    detail : a reason, a covariate or a count, as a phrase; may be empty
    coefficient : label of the coefficient of a linear combination that this is the status of;
        empty: the combination's own
    """

    code: StatusCode
    clusters: tuple[object, ...] = ()
    detail: str = ""
    coefficient: str = ""

    def __str__(self) -> str:
        of = f"{self.coefficient}: " if self.coefficient else ""
        return encodable(of + self._text())

    def _text(self) -> str:
        match self.code:
            case StatusCode.IMPUTED:
                return f"{self.code.value}: {imputation(self.clusters)}"
            case StatusCode.SKIPPED | StatusCode.UNDEFINED:
                return f"{self.code.value}: {first_reason(self.clusters, self.detail)}"
            case StatusCode.NO_ROWS:
                return self.detail
            case (
                StatusCode.OK
                | StatusCode.BASE
                | StatusCode.COMPOSITION
                | StatusCode.NO_VARIATION
                | StatusCode.MISSING
                | StatusCode.NO_OVERLAP
                | StatusCode.COLLINEAR
            ):
                return f"{self.code.value}: {self.detail}" if self.detail else self.code.value
            case _:
                assert_never(self.code)

    def why_invalid(self) -> str:
        """Say why there is no standard error, or what is not in it; empty for a base period.

        Examples
        --------
        >>> Status(StatusCode.UNDEFINED, (17,), "no treated units").why_invalid()
        'no estimate without cluster 17: no treated units'
        >>> Status(StatusCode.SKIPPED, (17,), "no treated units").why_invalid()
        'cluster 17 cannot be left out: its own variation is not in the standard error'
        """
        match self.code:
            case StatusCode.BASE:
                return ""
            case StatusCode.UNDEFINED:
                return f"no estimate without {first_reason(self.clusters, self.detail)}"
            case StatusCode.SKIPPED:
                are, its = ("cluster", "its") if len(self.clusters) == 1 else ("clusters", "their")
                return (
                    f"{are} {name_some(self.clusters)} cannot be left out: {its} own variation is "
                    "not in the standard error"
                )
            case _:
                return f"no standard error: {self}"


OK, BASE = Status(StatusCode.OK), Status(StatusCode.BASE)


def imputation(clusters: tuple[object, ...]) -> str:
    """Say which clusters' share of a variance is imputed.

    Examples
    --------
    >>> imputation((17,))
    'cluster 17 cannot be left out; its part of the variance is imputed under the working model'
    """
    are, their = ("cluster", "its") if len(clusters) == 1 else ("clusters", "their")
    return (
        f"{are} {name_some(clusters)} cannot be left out; {their} part of the variance is imputed "
        "under the working model"
    )


def first_reason(clusters: tuple[object, ...], detail: str) -> str:
    """Say why there is no estimate without the first of some clusters, and how many more.

    Examples
    --------
    >>> first_reason((17, 4), "no treated units")
    'cluster 17: no treated units (and 1 more)'
    """
    more = f" (and {len(clusters) - 1} more)" if len(clusters) > 1 else ""
    return f"cluster {short(clusters[0])}: {detail}{more}"
