"""Memory and work grow with the graph and no faster: counted in bytes and in nodes, not in seconds."""

import subprocess
import sys

import numpy as np
import pytest
from samples import COMPILED

import fastgrad as fg

PEAK = """
import fastgrad as fg

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024

def chain(n):
    x = fg.tensor(0.5, requires_grad=True)
    y = x
    for _ in range(n // 2):
        y = y * x + 1.0
    y.backward()

chain(1000)
before = peak()
chain({n})
print((peak() - before) / {n})
"""


def bytes_a_node(n):
    done = subprocess.run([sys.executable, "-c", PEAK.format(n=n)], check=True, capture_output=True, text=True)
    return float(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system does not tell the peak of memory")
@pytest.mark.skipif(not COMPILED, reason="the reference backend has Python's objects")
def test_a_node_takes_as_many_bytes_in_a_large_graph_as_in_a_small_one():
    small, large = bytes_a_node(100_000), bytes_a_node(400_000)
    assert large < 400
    assert large < 1.15 * small


def test_many_leaves_of_one_sum_each_get_their_gradient():
    n = 100_000 if COMPILED else 2_000
    leaves = [fg.tensor(float(i), requires_grad=True) for i in range(n)]
    sum(leaf * 2.0 for leaf in leaves).backward()
    assert {leaf.grad.item() for leaf in leaves} == {2.0}


def test_a_leaf_used_very_often_sums_its_gradients():
    n = 100_000 if COMPILED else 2_000
    x = fg.tensor(1.5, requires_grad=True)
    sum(x for _ in range(n)).backward()
    assert x.grad.item() == n


@pytest.mark.skipif(not COMPILED, reason="of the core's buffers")
def test_reading_every_element_in_a_loop_holds_one_gradient_of_the_array():
    n = 20_000
    x = fg.tensor(np.ones(n), requires_grad=True)
    total = 0.0
    for i in range(n):
        total = total + x[i] * float(i)
    held = []
    x.register_hook(lambda g: held.append(g.numpy().nbytes))
    total.backward()
    assert held == [8 * n]  # one array came, not one for each element
    assert np.array_equal(x.grad.numpy(), np.arange(n))
