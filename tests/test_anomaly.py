"""Anomaly mode: errors in backward name the line that recorded the operation."""

import numpy as np
import pytest

import fastgrad as fg
from fastgrad.autograd import detect_anomaly, set_detect_anomaly


def leaf(values=(0.0, 1.0)):
    return fg.tensor(list(values), requires_grad=True)


def text_of(error):
    return "\n".join([str(error.value), *getattr(error.value, "__notes__", [])])


def the_line_to_blame(x):
    return fg.sqrt(x) * 0


def test_a_nan_is_an_error_that_names_operation_and_line():
    x = leaf()
    with set_detect_anomaly(True):
        y = the_line_to_blame(x)
        with pytest.raises(
            RuntimeError, match="Function 'SqrtBackward' returned nan values in its 0th output"
        ) as error:
            y.sum().backward()
    assert "fg.sqrt(x) * 0" in text_of(error) and "test_anomaly.py" in text_of(error)
    assert x.grad is None


def test_without_it_a_nan_is_a_number():
    x = leaf()
    the_line_to_blame(x).sum().backward()
    assert np.isnan(x.grad.numpy()[0])
    with set_detect_anomaly(True, check_nan=False):
        the_line_to_blame(x).sum().backward()
    with set_detect_anomaly(True):
        y = the_line_to_blame(x)
    y.sum().backward()  # it is the backward pass that looks


def test_a_nan_of_a_graph_made_before_names_the_operation():
    y = the_line_to_blame(leaf())
    with set_detect_anomaly(True), pytest.raises(RuntimeError, match="Function 'SqrtBackward' returned nan"):
        y.sum().backward()


def test_infinite_is_not_nan():
    x = leaf()
    with set_detect_anomaly(True):
        fg.sqrt(x).sum().backward()
    assert np.isinf(x.grad.numpy()[0])


def test_a_node_remembers_its_lines_only_then():
    x = leaf()
    assert "traceback_" not in fg.exp(x).grad_fn.metadata
    with set_detect_anomaly(True):
        lines = the_line_to_blame(x).grad_fn.metadata["traceback_"]
    assert "the_line_to_blame" in "".join(lines) and all(isinstance(line, str) for line in lines)


def test_a_changed_value_names_the_line_that_needed_it():
    x = leaf()
    with set_detect_anomaly(True):
        y = fg.exp(x)
        z = y * y  # the line that needed it
        y.mul_(2)
        with pytest.raises(RuntimeError, match="modified") as error:
            z.sum().backward()
    assert "z = y * y" in text_of(error)


def test_a_custom_function_is_named_too():
    class Bad(fg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g * np.nan

    with set_detect_anomaly(True), pytest.raises(RuntimeError, match="Function 'BadBackward' returned nan") as error:
        Bad.apply(leaf()).sum().backward()
    assert "Bad.apply" in text_of(error)


def test_an_error_in_a_custom_backward_keeps_its_type():
    class Bad(fg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            raise KeyError("mine")

    with set_detect_anomaly(True), pytest.raises(KeyError, match="mine"):
        Bad.apply(leaf()).sum().backward()


def test_create_graph_is_checked_too():
    x = leaf()
    with set_detect_anomaly(True), pytest.raises(RuntimeError, match="returned nan"):
        fg.autograd.grad(the_line_to_blame(x).sum(), x, create_graph=True)


def test_detect_anomaly_warns_and_is_undone():
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        mode = detect_anomaly()
    with mode, pytest.raises(RuntimeError, match="nan"):
        the_line_to_blame(leaf()).sum().backward()
    the_line_to_blame(leaf()).sum().backward()
    with pytest.warns(UserWarning, match="Anomaly"), detect_anomaly(check_nan=False):
        the_line_to_blame(leaf()).sum().backward()


def test_it_nests():
    with set_detect_anomaly(True):
        with set_detect_anomaly(False):
            the_line_to_blame(leaf()).sum().backward()
        with pytest.raises(RuntimeError, match="nan"):
            the_line_to_blame(leaf()).sum().backward()
    set_detect_anomaly(True)
    set_detect_anomaly(False)
    the_line_to_blame(leaf()).sum().backward()


def test_nothing_is_left_behind_by_an_error():
    x = leaf()
    with set_detect_anomaly(True), pytest.raises(RuntimeError, match="nan"):
        the_line_to_blame(x).sum().backward()
    (x * 2).sum().backward()
    assert x.grad.numpy().tolist() == [2.0, 2.0]
