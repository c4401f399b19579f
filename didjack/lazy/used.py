"""What is used of a lazy table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw

from didjack.errors import DataError
from didjack.intake.formula import parse
from didjack.intake.read import UsedColumns, roles
from didjack.intake.tables import check_columns
from didjack.lazy.columns import all_complete, complete
from didjack.lazy.moments import Moments
from didjack.lazy.tables import LazyTable
from didjack.options import Options


@dataclass(frozen=True, slots=True)
class Used:
    """What is used of a lazy table.

    Attributes
    ----------
    table : LazyTable
    options : Options
    covariates : UsedColumns
    roles : column -> what it is used as
    moments : Moments, if rows that differ in covariates are put together; None: they are not
    """

    table: LazyTable
    options: Options
    covariates: UsedColumns
    roles: dict[str, str]
    moments: Moments | None = None

    @classmethod
    def of(cls, table: LazyTable, options: Options) -> Used:
        """Find the columns; raise for those that are not there."""
        formula, present = parse(options.xformla), table.columns
        named = formula.columns(table.frame, present) if formula is not None else []
        used = roles(options, named)
        check_columns(table.frame, present, used)
        for name, role in used.items():
            if not name or "\0" in name:  # polars may panic, which no `except Exception` catches
                raise DataError(
                    f"{role} {name!r}: engines take no empty name and no NUL in one; rename the "
                    "column"
                )
        return cls(table, options, UsedColumns(formula, named), used)

    @property
    def unit(self) -> str:
        """The column of the unit; empty in repeated cross sections."""
        return self.options.idname or ""

    @property
    def complete(self) -> nw.Expr:
        """Where a row has all that is used; a missing cohort is never-treated."""
        gname = self.options.gname
        names = [n for n in self.roles if n != gname or n in self.covariates.names]
        return all_complete(self.table.schema, names)

    @property
    def keys(self) -> list[str]:
        """The columns by which rows are grouped."""
        options = self.options
        covariates = [] if self.moments is not None else self.covariates.names
        return list(
            dict.fromkeys([options.cluster or "", options.gname, options.tname, *covariates])
        )

    @property
    def flags(self) -> dict[str, str]:
        """Column that has to be there in a row -> name of the key that says whether it is."""
        options, own = self.options, self.table.own
        named = {"y": options.yname, "w": options.weightsname, "id": options.idname}
        found = {column: own(f"has_{key}") for key, column in named.items() if column is not None}
        if self.moments is not None:
            for j, name in enumerate(self.covariates.names):
                found.setdefault(name, own(f"has_{j}"))
        return found

    @property
    def finite(self) -> dict[str, str]:
        """Term -> name of the key that says whether it is finite."""
        return {} if self.moments is None else self.moments.flags

    def flagged(self) -> nw.LazyFrame[Any]:
        """Return the used columns, with the flags."""
        schema = self.table.schema
        flags = {flag: complete(schema, column) for column, flag in self.flags.items()}
        return self.with_moments(self.table.frame.select(*self.roles).with_columns(**flags))

    def with_moments(self, rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Return rows with the columns that moments are made of."""
        return rows if self.moments is None else rows.with_columns(**self.moments.columns())
