"""The kinds of standard errors, by the names that `csdid(vcov=)` has for them."""

from __future__ import annotations

from typing import get_args

from didjack.inference.variance.analytic import Analytic
from didjack.inference.variance.base import VarianceKind
from didjack.inference.variance.bootstrap import Bootstrap
from didjack.inference.variance.jackknife import CV3, CV3J
from didjack.options import Registry, Vcov

KINDS: Registry[VarianceKind] = Registry(
    "vcov", get_args(Vcov), VarianceKind, [CV3(), CV3J(), Analytic(), Bootstrap()]
)
