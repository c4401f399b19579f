"""What `plot` may be asked for, checked before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from didjack.errors import OptionError
from didjack.options import CHOICES, Vcov, check_flag, check_listed
from didjack.reporting.plots.series import Intervals, Series
from didjack.reporting.plots.style import Finish, Style
from didjack.reporting.view import ResultView
from didjack.wording import brief

PlotKind = Literal["coefficients", "replicates", "variance", "placebo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The arguments of `plot`.

    Attributes
    ----------
    kind : what is drawn
    alpha, joint, compare : the intervals
    coefficient : for kinds about one coefficient
    style, finish : how it looks
    """

    kind: PlotKind
    alpha: float
    joint: bool
    compare: Vcov | None
    coefficient: Any
    style: Style
    finish: Finish

    def __post_init__(self) -> None:
        check_listed("kind", self.kind, get_args(PlotKind))
        object.__setattr__(self, "joint", check_flag("joint", self.joint))
        if self.compare is not None:
            check_listed("compare", self.compare, tuple(CHOICES["vcov"]))
        if self.coefficient is not None and self.kind not in ("replicates", "variance"):
            raise OptionError(
                f"coefficient={brief(self.coefficient)} goes with kind='replicates' and "
                f"kind='variance', not with kind={self.kind!r}"
            )
        if self.kind == "coefficients":
            return
        given = {"compare": self.compare} | {
            name: getattr(self.style, name) for name in ("label", "color", "marker")
        }
        for name, value in given.items():
            if value is not None:
                self._refuse(name, value)
        if self.style.offset:
            self._refuse("offset", self.style.offset)

    def _refuse(self, name: str, value: Any) -> None:
        raise OptionError(
            f"{name}={brief(value)} goes with kind='coefficients', not with kind={self.kind!r}"
        )

    def series(self, view: ResultView) -> Series:
        """Return a result as it is to be drawn."""
        intervals = Intervals(alpha=self.alpha, joint=self.joint, compare=self.compare)
        return Series(view=view, intervals=intervals, style=self.style)
