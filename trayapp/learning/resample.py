"""Resizing inside the network: a few rows and columns, weighted, for each that comes out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

_AT_ONCE = 32


class Resample(nn.Module):
    """Every row that comes out is a weighted sum of few that go in; then the same for columns.

    `rows` and `columns` are matrices of shape (out, in).
    """

    keeps_flat: bool
    """Whether a picture of one colour stays that colour."""

    def __init__(self, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        self.keeps_flat = all(
            bool((matrix.sum(1) - 1).abs().max() < 1e-4) for matrix in (rows, columns)
        )
        self._rows = self._keep("row", rows)
        self._columns = self._keep("column", columns)

    def _keep(self, name: str, matrix: Tensor) -> int:
        indices, weights = _sparse(matrix)
        for number, (index, weight) in enumerate(zip(indices, weights, strict=True)):
            self.register_buffer(f"{name}_index_{number}", index)
            self.register_buffer(f"{name}_weight_{number}", weight)
        return len(indices)

    def forward(self, pictures: Tensor) -> Tensor:
        found: Tensor | None = None
        for number in range(self._rows):
            index, weight = self._kept("row", number)
            part = pictures.index_select(2, index) * weight.unsqueeze(-1)
            found = part if found is None else found + part
        assert found is not None
        pictures, found = found, None
        for number in range(self._columns):
            index, weight = self._kept("column", number)
            part = pictures.index_select(3, index) * weight
            found = part if found is None else found + part
        assert found is not None
        return found

    def _kept(self, name: str, number: int) -> tuple[Tensor, Tensor]:
        return getattr(self, f"{name}_index_{number}"), getattr(self, f"{name}_weight_{number}")


def resample_like(change: Callable[[Tensor], Tensor], size: tuple[int, int]) -> Resample:
    """The `Resample` that does what `change` does to pictures of `size` (height, width).

    `change` has to be linear and to treat rows and columns each on their own, as all upright
    resizing and cropping does; it is asked what becomes of every single row and column.
    """
    height, width = size
    rows = _answers(change, torch.eye(height).view(height, 1, height, 1), size)
    columns = _answers(change, torch.eye(width).view(width, 1, 1, width), size)
    return Resample(rows.mean(3).squeeze(1).T, columns.mean(2).squeeze(1).T)


def _answers(change: Callable[[Tensor], Tensor], lines: Tensor, size: tuple[int, int]) -> Tensor:
    return torch.cat([change(part.expand(-1, 1, *size).clone()) for part in lines.split(_AT_ONCE)])


def _sparse(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Indices and weights, each of shape (most in a row, out)."""
    matrix = torch.where(matrix.abs() < 1e-6, 0.0, matrix)
    most = int((matrix != 0).sum(1).max())
    weight, where = matrix.abs().topk(most, dim=1)
    where, _ = where.sort(dim=1)
    weight = matrix.gather(1, where)
    return where.T.contiguous(), weight.T.contiguous()
