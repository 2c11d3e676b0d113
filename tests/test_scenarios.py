"""Every scenario gives on either backend what it gives on PyTorch, all three in one process."""

import gc
import json
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import HAS_TORCH
from scenarios import OUTCOMES, load
from scenarios._both import difference, fastgrad, pytorch, run
from scenarios._programs import Impossible, Machine

import fastgrad as fg

SCENARIOS = load()
RECORDED = json.loads(OUTCOMES.read_text())
BACKENDS = ["reference"] + ["compiled"] * (fg.backend_name() == "compiled")

#: Random programs that go backward twice through a write of a part: see a_second_backward_through_a_write_of_a_part.
TWICE = {74}

agreeing = [key for key, (_, differs) in SCENARIOS.items() if differs is None]
differing = [key for key, (_, differs) in SCENARIOS.items() if differs is not None]


@pytest.fixture(scope="module")
def facades():
    """The facade of each package, made once."""
    return {name: fastgrad(name) for name in BACKENDS} | ({"torch": pytorch()} if HAS_TORCH else {})


def outcome(key, m):
    """What a scenario gives; it must leave modes as they were."""
    found, error = run(SCENARIOS[key][0], m)
    assert m.is_grad_enabled(), "the scenario left gradients off"
    return found, error


def pytorch_says(key, facades, known={}):  # noqa: B006  it is run once for all tests
    if key not in known:
        known[key] = outcome(key, facades["torch"])
    return known[key]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("key", agreeing)
def test_agrees_with_pytorch(key, backend, facades):
    found, error = outcome(key, facades[backend])
    expected = pytorch_says(key, facades)[0] if HAS_TORCH else RECORDED[key]
    if (text := difference(json.loads(json.dumps(found)), json.loads(json.dumps(expected)))) is not None:
        raise AssertionError(text) from error


@pytest.mark.torch
@pytest.mark.parametrize("key", SCENARIOS)
def test_pytorch_says_what_was_recorded(key, facades):
    found, error = pytorch_says(key, facades)
    if (text := difference(json.loads(json.dumps(found)), RECORDED[key])) is not None:
        raise AssertionError(text) from error


@pytest.mark.parametrize("key", differing)
def test_differs_on_purpose(key, facades):
    """Both backends give the same, and not what PyTorch gives: the reason is in docs/differences.md."""
    found = [json.loads(json.dumps(outcome(key, facades[backend])[0])) for backend in BACKENDS]
    assert difference(found[0], found[-1]) is None
    assert difference(found[0], RECORDED[key]) is not None


def test_there_are_enough():
    assert len(SCENARIOS) >= 250
    assert sorted(RECORDED) == sorted(SCENARIOS)


@pytest.mark.torch
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", [n for n in range(100) if n not in TWICE])
@pytest.mark.filterwarnings("ignore")
def test_random_programs_agree(seed, backend, facades):
    try:
        expected = Machine(facades["torch"], seed).log
    except Impossible:
        pytest.skip("PyTorch cannot run this program")
    found = Machine(facades[backend], seed).log
    for n, (ours, theirs) in enumerate(zip(found, expected)):
        assert difference(ours, theirs) is None, f"entry {n}: {ours}, and PyTorch: {theirs}, after {found[:n]}"
    assert len(found) == len(expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("ignore")
def test_random_programs_do_not_disturb_each_other_in_threads(backend, facades):
    seeds = [n for n in range(60) if n not in TWICE]
    alone = [Machine(facades[backend], seed).log for seed in seeds]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            beside = list(pool.map(lambda seed: Machine(facades[backend], seed).log, seeds))
    finally:
        sys.setswitchinterval(before)
    assert [seed for seed, a, b in zip(seeds, alone, beside) if difference(a, b) is not None] == []


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("ignore")
def test_random_programs_are_collected(backend, facades):
    """Their hooks hold the program, and with it every tensor: cycles of all kinds."""
    programs = [weakref.ref(Machine(facades[backend], seed)) for seed in range(60)]
    gc.collect()
    assert [seed for seed, program in enumerate(programs) if program() is not None] == []
