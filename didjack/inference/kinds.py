"""The kinds of variance, by the names that `csdid(vcov=)` has for them."""

from __future__ import annotations

from typing import get_args

from didjack.inference.analytic import Analytic
from didjack.inference.bootstrap import Bootstrap
from didjack.inference.jackknife import CV3, CV3J
from didjack.inference.variance_kind import VarianceKind
from didjack.options import Registry, Vcov

KINDS: Registry[VarianceKind] = Registry(
    "vcov", get_args(Vcov), VarianceKind, [CV3(), CV3J(), Analytic(), Bootstrap()]
)
