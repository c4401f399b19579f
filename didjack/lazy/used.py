"""What is used of a lazy table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw

from didjack.intake.formula import parse
from didjack.intake.read import UsedColumns, roles
from didjack.intake.tables import check_columns
from didjack.lazy.columns import complete
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
    """

    table: LazyTable
    options: Options
    covariates: UsedColumns
    roles: dict[str, str]

    @classmethod
    def of(cls, table: LazyTable, options: Options) -> Used:
        """Find the columns; raise for those that are not there."""
        formula, present = parse(options.xformla), table.columns
        named = formula.columns(table.frame, present) if formula is not None else []
        used = roles(options, named)
        check_columns(table.frame, present, used)
        return cls(table, options, UsedColumns(formula, named), used)

    @property
    def unit(self) -> str:
        """The column of the unit; empty in repeated cross sections."""
        return self.options.idname or ""

    @property
    def keys(self) -> list[str]:
        """The columns by which rows are grouped."""
        options = self.options
        return list(
            dict.fromkeys(
                [options.cluster or "", options.gname, options.tname, *self.covariates.names]
            )
        )

    @property
    def flags(self) -> dict[str, str]:
        """Column that has to be there in a row -> name of the key that says whether it is."""
        options, own = self.options, self.table.own
        named = {"y": options.yname, "w": options.weightsname, "id": options.idname}
        return {column: own(f"has_{key}") for key, column in named.items() if column is not None}

    def flagged(self) -> nw.LazyFrame[Any]:
        """Return the used columns, with the flags."""
        schema = self.table.schema
        flags = {flag: complete(schema, column) for column, flag in self.flags.items()}
        return self.table.frame.select(*self.roles).with_columns(**flags)
