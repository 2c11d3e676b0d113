"""Not run, but checked by mypy: what the public surface promises to a type checker."""

from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import fastgrad as fg

x = fg.tensor([1.0, 2.0], requires_grad=True)
assert_type(x, fg.Tensor)
assert_type(x.requires_grad, bool)
assert_type(x.shape, tuple[int, ...])
assert_type(x.grad, fg.Tensor | None)
assert_type(fg.exp(x), fg.Tensor)
assert_type(fg.add(1.0, np.ones(2)), fg.Tensor)
assert_type(2 * x + x**2 - x[0], fg.Tensor)
assert_type(x == 1, fg.Tensor)
assert_type(x.sum(axis=0).reshape(1, 1).T, fg.Tensor)
assert_type(fg.concat([x, x], axis=0), fg.Tensor)
assert_type(fg.split(x, 2), tuple[fg.Tensor, ...])
assert_type(x.detach().numpy(), npt.NDArray[Any])
assert_type(fg.is_grad_enabled(), bool)
x.grad = None
x.sum().backward()
with fg.no_grad():
    x -= 0.1 * x
