"""Optimizers and schedulers go PyTorch's way, step by step, and read each other's state."""

import copy
import importlib
import itertools
import math

import numpy as np
import pytest
from conftest import HAS_TORCH

import fastgrad as fg

pytestmark = pytest.mark.torch
torch = importlib.import_module("torch") if HAS_TORCH else None

#: Optimizers with their options: each runs beside PyTorch's.
OPTIONS = {
    "SGD": [
        {"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True}, {"lr": 0.1, "weight_decay": 0.2},
        {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.2, "nesterov": True, "maximize": True}, {"lr": 0.0}, {},
    ],
    "Adam": [
        {}, {"lr": 0.1}, {"lr": 0.1, "amsgrad": True}, {"lr": 0.1, "weight_decay": 0.2},
        {"lr": 0.1, "betas": (0.3, 0.5), "eps": 0.1}, {"lr": 0.1, "betas": (0.0, 0.9)}, {"lr": 0.1, "maximize": True},
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "AdamW": [{}, {"lr": 0.1, "weight_decay": 0.3}, {"lr": 0.1, "amsgrad": True, "maximize": True}, {"lr": 0.1, "weight_decay": 0.0}],
    "RMSprop": [
        {}, {"lr": 0.1}, {"lr": 0.1, "momentum": 0.5}, {"lr": 0.1, "centered": True, "alpha": 0.4},
        {"lr": 0.1, "centered": True, "momentum": 0.9, "weight_decay": 0.1, "maximize": True, "eps": 0.01},
    ],
    "Adagrad": [
        {}, {"lr": 0.5}, {"lr": 0.5, "lr_decay": 0.1}, {"lr": 0.5, "weight_decay": 0.1, "initial_accumulator_value": 0.3},
        {"lr": 0.5, "eps": 0.1, "maximize": True},
    ],
}  # fmt: skip
CASES = [
    pytest.param(name, options, id=f"{name}-{i}") for name, all_ in OPTIONS.items() for i, options in enumerate(all_)
]
SHAPES = [(3, 4), (), (5,), (2, 0)]


def start(dtype, rng):
    """Parameters of several shapes, as arrays."""
    draws = [rng.normal(size=s) + (1j * rng.normal(size=s) if dtype in ("c8", "c16") else 0) for s in SHAPES]
    return [np.array(a, dtype=dtype) for a in draws]


def beside(name, options, arrays):
    """The same optimizer here and there, and the parameters of both."""
    ours = [fg.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    return getattr(fg.optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options), ours, theirs


def give_gradients(step, ours, theirs):
    """The same gradients to both; some parameters have none at some steps."""
    rng = np.random.default_rng(step)
    for i, (p, q) in enumerate(zip(ours, theirs)):
        if (step + i) % 4 == 3:
            p.grad = q.grad = None
            continue
        g = rng.normal(size=p.shape) + (1j * rng.normal(size=p.shape) if p.dtype.kind == "c" else 0)
        g = np.array(g + q.detach().numpy(), dtype=p.dtype)
        p.grad, q.grad = fg.tensor(g), torch.tensor(g)


def assert_near(ours, theirs):
    for p, q in zip(ours, theirs):
        p, q = np.asarray(p.detach().numpy()), q.detach().numpy()
        assert p.dtype == q.dtype and p.shape == q.shape
        eps = np.finfo(p.dtype).eps
        np.testing.assert_allclose(p, q, rtol=50 * eps, atol=50 * eps)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_steps_are_pytorchs(name, options, dtype, rng):
    optimizer, other, ours, theirs = beside(name, options, start(dtype, rng))
    for step in range(6):
        give_gradients(step, ours, theirs)
        optimizer.step()
        other.step()
        assert_near(ours, theirs)
    assert_same_state(optimizer.state_dict(), other.state_dict())


def assert_same_state(ours, theirs):
    assert ours["param_groups"] == theirs["param_groups"]
    assert ours["state"].keys() == theirs["state"].keys()
    for number, kept in theirs["state"].items():
        mine = ours["state"][number]
        assert mine.keys() == kept.keys()
        for name, value in kept.items():
            if name == "step":
                assert mine[name] == value
            else:
                assert_near([mine[name]], [value])


@pytest.mark.parametrize(("name", "options"), CASES)
def test_pytorchs_state_can_be_gone_on_from(name, options, rng):
    optimizer, other, ours, theirs = beside(name, options, start("f8", rng))
    for step in range(3):
        give_gradients(step, ours, theirs)
        other.step()
    for p, q in zip(ours, theirs):
        p.data.copy_(fg.tensor(q.detach().numpy()))
    optimizer.load_state_dict(other.state_dict())
    for step in range(3, 6):
        give_gradients(step, ours, theirs)
        optimizer.step()
        other.step()
        assert_near(ours, theirs)
    assert_same_state(optimizer.state_dict(), other.state_dict())


def test_groups_have_options_of_their_own_as_in_pytorch(rng):
    arrays = start("f8", rng)
    ours = [fg.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    made = []
    for library, params in ((fg, ours), (torch, theirs)):
        groups = [{"params": params[:2]}, {"params": params[2], "lr": 0.5, "momentum": 0.0}]
        made.append(library.optim.SGD(groups, lr=0.1, momentum=0.9))
        made[-1].add_param_group({"params": params[3:], "nesterov": True})
    for step in range(4):
        give_gradients(step, ours, theirs)
        for optimizer in made:
            optimizer.step()
        assert_near(ours, theirs)
    assert_same_state(made[0].state_dict(), made[1].state_dict())
    assert repr(made[0]) == repr(made[1])


# ---------------------------------------------------------------- gradients through a step


def unrolled(library, name, options, tensors):
    """Three differentiable steps from the tensors, and the gradients of what they lead to."""
    start, target, lr = tensors
    x = start.clone()
    optimizer = getattr(library.optim, name)([x], lr=lr, differentiable=True, **options)
    grad = library.autograd.grad
    for _ in range(3):
        here = x.clone()  # whose values stay, as x is written
        loss = ((here - target) ** 2 * here).sum()
        (x.grad,) = grad(loss, [x], create_graph=True)
        optimizer.step()
    return grad((x**2).sum(), [start, target, lr])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {}), ("SGD", {"weight_decay": 0.1, "maximize": True}), ("Adam", {"eps": 0.1}),
        ("Adam", {"eps": 0.1, "weight_decay": 0.1, "betas": (0.5, 0.7)}), ("AdamW", {"eps": 0.1}),
    ],
)  # fmt: skip
def test_gradients_pass_through_steps_as_in_pytorch(name, options, rng):
    values = [rng.normal(size=3), rng.normal(size=3), np.array(0.05)]
    got = unrolled(fg, name, options, [fg.tensor(v, requires_grad=True) for v in values])
    wanted = unrolled(torch, name, options, [torch.tensor(v, requires_grad=True) for v in values])
    for a, b in zip(got, wanted):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4)  # PyTorch counts steps in float32


# ---------------------------------------------------------------- LBFGS


def minimise(library, line_search, arrays, **options):
    params = [library.tensor(a, requires_grad=True) for a in arrays]
    optimizer = library.optim.LBFGS(params, line_search_fn=line_search, **options)
    losses = []

    def closure():
        optimizer.zero_grad()
        x, z = params
        loss = (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum() + (abs(z - 1j) ** 4).sum()
        loss.backward()
        losses.append(loss.item())
        return loss

    for _ in range(6):
        optimizer.step(closure)
    return [p.detach().numpy() for p in params], losses, optimizer


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
@pytest.mark.parametrize(
    "options", [{}, {"history_size": 3, "max_iter": 5}, {"lr": 0.3, "max_eval": 4}, {"tolerance_grad": 1.0}]
)
def test_lbfgs_goes_pytorchs_way(line_search, options, rng):
    arrays = [rng.normal(size=4) * 0.1, rng.normal(size=2) + 1j * rng.normal(size=2)]
    if line_search is None:
        options = {"lr": 0.002, **{k: v for k, v in options.items() if k != "lr"}}
    ours, losses, optimizer = minimise(fg, line_search, arrays, **options)
    theirs, others, other = minimise(torch, line_search, arrays, **options)
    assert len(losses) == len(others)
    np.testing.assert_allclose(losses, others, rtol=1e-6, atol=1e-9)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
    (mine,), (kept,) = optimizer.state_dict()["state"].values(), other.state_dict()["state"].values()
    assert set(mine) >= set(kept) - {"al"}
    assert (mine["n_iter"], mine["func_evals"]) == (kept["n_iter"], kept["func_evals"])


# ---------------------------------------------------------------- schedulers

SCHEDULES = [
    ("LambdaLR", lambda o, s: s.LambdaLR(o, lambda step: 0.9**step)),
    ("LambdaLR of each", lambda o, s: s.LambdaLR(o, [lambda step: 0.9**step, lambda step: 1 / (1 + step)])),
    ("MultiplicativeLR", lambda o, s: s.MultiplicativeLR(o, lambda step: 1 - 0.01 * step)),
    ("StepLR", lambda o, s: s.StepLR(o, 4, 0.3)),
    ("MultiStepLR", lambda o, s: s.MultiStepLR(o, [3, 9, 9, 20], 0.3)),
    ("ConstantLR", lambda o, s: s.ConstantLR(o, 0.2, 6)),
    ("LinearLR", lambda o, s: s.LinearLR(o, 0.25, 0.75, 8)),
    ("ExponentialLR", lambda o, s: s.ExponentialLR(o, 0.8)),
    ("PolynomialLR", lambda o, s: s.PolynomialLR(o, 12, 1.5)),
    ("CosineAnnealingLR", lambda o, s: s.CosineAnnealingLR(o, 7, 0.01)),
    ("CosineAnnealingWarmRestarts", lambda o, s: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.01)),
    ("CosineAnnealingWarmRestarts again", lambda o, s: s.CosineAnnealingWarmRestarts(o, 5)),
    ("CyclicLR", lambda o, s: s.CyclicLR(o, 0.01, 0.2, 3, 5)),
    ("CyclicLR 2", lambda o, s: s.CyclicLR(o, [0.01, 0.02], [0.2, 0.3], 4, mode="triangular2", cycle_momentum=False)),
    ("CyclicLR exp", lambda o, s: s.CyclicLR(o, 0.01, 0.2, 4, mode="exp_range", gamma=0.9)),
    ("CyclicLR own", lambda o, s: s.CyclicLR(o, 0.01, 0.2, 4, scale_fn=lambda x: 1 / x, scale_mode="cycle")),
    ("OneCycleLR", lambda o, s: s.OneCycleLR(o, 0.5, total_steps=30)),
    ("OneCycleLR linear", lambda o, s: s.OneCycleLR(o, [0.5, 0.4], epochs=3, steps_per_epoch=10, anneal_strategy="linear")),
    ("OneCycleLR three", lambda o, s: s.OneCycleLR(o, 0.5, total_steps=30, three_phase=True, cycle_momentum=False)),
    ("SequentialLR", lambda o, s: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9), s.StepLR(o, 2)], [5, 11])),
    ("SequentialLR cosine", lambda o, s: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1.0, 5), s.CosineAnnealingLR(o, 20)], [5])),
    ("ChainedScheduler", lambda o, s: s.ChainedScheduler([s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9)], optimizer=o)),
]  # fmt: skip
OPTIMIZERS = [lambda lib, p: lib.optim.SGD([{"params": p[0]}, {"params": p[1], "lr": 0.3}], lr=0.1, momentum=0.5),
              lambda lib, p: lib.optim.Adam([{"params": p[0]}, {"params": p[1], "lr": 0.3}], lr=0.1)]  # fmt: skip


def rates(library, make_optimizer, make_scheduler, resume):
    """Rates and momenta at each of 30 steps; half way the scheduler and the optimizer are saved and loaded again."""

    def new():
        params = [library.ones((1,), requires_grad=True) for _ in range(2)]
        for p in params:
            p.grad = library.ones((1,))
        return make_optimizer(library, params)

    optimizer = new()
    scheduler = make_scheduler(optimizer, library.optim.lr_scheduler)
    seen = []
    for step in range(29):
        groups = optimizer.param_groups
        seen.append([(g["lr"], g.get("momentum", g.get("betas"))) for g in groups])
        assert [g["lr"] for g in groups] == list(scheduler.get_last_lr())
        if resume and step == 14:
            states = optimizer.state_dict(), scheduler.state_dict()
            optimizer = new()
            scheduler = make_scheduler(optimizer, library.optim.lr_scheduler)
            scheduler.load_state_dict(states[1])
            optimizer.load_state_dict(states[0])
        optimizer.step()
        scheduler.step()
    return seen


def flat(seen):
    return [x for step in seen for lr, momentum in step for x in (lr, *np.ravel(momentum))]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["SGD", "Adam"])
@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in SCHEDULES])
def test_rates_are_pytorchs(make, resume, optimizer):
    ours = flat(rates(fg, optimizer, make, resume))
    np.testing.assert_allclose(ours, flat(rates(torch, optimizer, make, False)), rtol=1e-12, atol=1e-15)


RESUMED = [
    ("LambdaLR", lambda o, s: s.LambdaLR(o, lambda step: 0.9**step, last_epoch=4)),
    ("MultiplicativeLR", lambda o, s: s.MultiplicativeLR(o, lambda step: 0.95, last_epoch=4)),
    ("StepLR", lambda o, s: s.StepLR(o, 3, 0.5, last_epoch=4)),
    ("MultiStepLR", lambda o, s: s.MultiStepLR(o, [2, 5, 7], 0.5, last_epoch=4)),
    ("ConstantLR", lambda o, s: s.ConstantLR(o, 0.3, 7, last_epoch=4)),
    ("LinearLR", lambda o, s: s.LinearLR(o, 0.3, 0.9, 7, last_epoch=4)),
    ("ExponentialLR", lambda o, s: s.ExponentialLR(o, 0.9, last_epoch=4)),
    ("PolynomialLR", lambda o, s: s.PolynomialLR(o, 9, 2.0, last_epoch=4)),
    ("CosineAnnealingLR", lambda o, s: s.CosineAnnealingLR(o, 6, 0.01, last_epoch=4)),
    ("CosineAnnealingWarmRestarts", lambda o, s: s.CosineAnnealingWarmRestarts(o, 6, 2, 0.01, last_epoch=4)),
    ("CyclicLR", lambda o, s: s.CyclicLR(o, 0.1, 0.5, 3, last_epoch=4)),
    ("OneCycleLR", lambda o, s: s.OneCycleLR(o, 0.5, total_steps=20, last_epoch=4)),
    ("SequentialLR", lambda o, s: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)], [2], last_epoch=4)),
    ("SequentialLR of chains", lambda o, s: s.SequentialLR(
        o, [s.ChainedScheduler([s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)]), s.StepLR(o, 2)], [4])),
    ("SequentialLR of cycles", lambda o, s: s.SequentialLR(o, [s.LinearLR(o, 0.5, 1.0, 4), s.CyclicLR(o, 0.1, 0.5, 3)], [4])),
    ("SequentialLR of restarts", lambda o, s: s.SequentialLR(o, [s.LinearLR(o, 0.5), s.CosineAnnealingWarmRestarts(o, 3)], [4])),
    ("ChainedScheduler of three", lambda o, s: s.ChainedScheduler([s.LinearLR(o, 0.5), s.CosineAnnealingLR(o, 10), s.StepLR(o, 3)])),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in RESUMED])
def test_schedules_go_on_where_they_are_told(make, tensor):
    found = []
    for library in (fg, torch):
        p = library.ones((2,), requires_grad=True)
        optimizer = library.optim.SGD([p], lr=library.tensor(0.4) if tensor else 0.4, momentum=0.9)
        before = {"initial_lr": 0.7, "max_lr": 0.5, "min_lr": 0.001, "max_momentum": 0.95, "base_momentum": 0.85}
        optimizer.param_groups[0].update(before)
        scheduler = make(optimizer, library.optim.lr_scheduler)
        rates = []
        for _ in range(12):
            rates += [float(optimizer.param_groups[0]["lr"]), optimizer.param_groups[0]["momentum"]]
            optimizer.step()
            scheduler.step()
        found.append(rates)
    np.testing.assert_allclose(*found, rtol=1e-5 if tensor else 1e-12)


@pytest.mark.filterwarnings("ignore:.*epoch parameter:UserWarning")
@pytest.mark.parametrize("name", ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR",
                                  "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "LambdaLR"])  # fmt: skip
def test_a_given_epoch_is_gone_to_in_closed_form(name):
    make = dict(SCHEDULES)[name]
    found = []
    for library in (fg, torch):
        optimizer = OPTIMIZERS[0](library, [library.ones((1,), requires_grad=True) for _ in range(2)])
        scheduler = make(optimizer, library.optim.lr_scheduler)
        optimizer.step()
        got = []
        for epoch in (3, 17, 2, 8):
            scheduler.step(epoch)
            got += scheduler.get_last_lr()
        found.append(got)
    np.testing.assert_allclose(*found, rtol=1e-12)


@pytest.mark.parametrize(
    ("mode", "threshold_mode", "cooldown", "patience"),
    list(itertools.product(["min", "max"], ["rel", "abs"], [0, 3], [0, 2])),
)
def test_plateaus_are_pytorchs(mode, threshold_mode, cooldown, patience, rng):
    metrics = np.cumsum(rng.normal(size=60)) + (5 if mode == "max" else 0)
    metrics[7] = math.nan
    found = []
    for library in (fg, torch):
        optimizer = OPTIMIZERS[0](library, [library.ones((1,), requires_grad=True) for _ in range(2)])
        scheduler = library.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode, 0.5, patience, 0.05, threshold_mode, cooldown, [1e-4, 1e-3]
        )
        got = []
        for metric in metrics:
            scheduler.step(metric)
            got += [*scheduler.get_last_lr(), scheduler.num_bad_epochs, scheduler.cooldown_counter]
        found.append(got)
    np.testing.assert_allclose(*found, rtol=1e-12)


# ---------------------------------------------------------------- PyTorch's own samples


def samples(which):
    """What PyTorch tests its optimizers with, of those that are here: `which` inputs of each."""
    if torch is None:
        return
    from torch.testing._internal.common_optimizers import optim_db

    for info in optim_db:
        if hasattr(fg.optim, info.optim_cls.__name__):
            more = {"dtype": torch.float64} if which == "optim_error_inputs_func" else {}
            for i, sample in enumerate(getattr(info, which)(device="cpu", **more)):
                yield pytest.param(info.optim_cls.__name__, sample, id=f"{info.optim_cls.__name__}-{i}")


def converted(value, memo):
    """The same of Tensors of ours, each once."""
    if isinstance(value, torch.Tensor):
        if id(value) not in memo:
            memo[id(value)] = fg.tensor(value.detach().numpy(), requires_grad=value.requires_grad), value
        return memo[id(value)][0]
    if isinstance(value, (tuple, list)):
        return type(value)(converted(item, memo) for item in value)
    return {key: converted(item, memo) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
@pytest.mark.parametrize(("name", "sample"), list(samples("optim_inputs_func")))
def test_pytorchs_samples_agree(name, sample, dtype, rng):
    arrays = [np.array(a, dtype=dtype) for a in (rng.normal(size=(3, 2)), rng.normal(size=4), 1.5)]
    found = []
    for library, options in ((fg, converted(sample.kwargs, {})), (torch, copy.deepcopy(sample.kwargs))):
        params = [library.tensor(a, requires_grad=True) for a in arrays]
        if options.get("differentiable"):
            params = [p.clone() for p in params]
        optimizer = getattr(library.optim, name)(params, **options)

        def closure():
            for p in params:
                p.grad = library.tensor((p.detach().numpy() * 0.5 + 1).astype(dtype))
            return library.tensor(float(optimizer.state[params[0]].get("n_iter", 0)))

        for _ in range(4):
            optimizer.step(closure)
        found.append([p.detach().numpy() for p in params])
    rough = dtype == "f4" or sample.kwargs.get("differentiable") or sample.kwargs.get("capturable")
    for a, b in zip(*found):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-4 if rough else 1e-10)


@pytest.mark.parametrize(("name", "sample"), list(samples("optim_error_inputs_func")))
def test_pytorchs_bad_samples_are_refused(name, sample):
    given = sample.optimizer_error_input
    if "foreach" in given.desc or "floats or both" in given.desc or "capturable" in given.desc:
        pytest.skip("a limit of PyTorch's ways of running")
    kind, params = getattr(fg.optim, name), converted(given.params, {})
    params = params if params is not None else [fg.ones(1)]
    if issubclass(sample.error_type, Warning):
        with pytest.warns(sample.error_type, match=sample.error_regex):
            kind(params, **converted(given.kwargs, {}))
    else:
        with pytest.raises(sample.error_type, match=sample.error_regex):
            kind(params, **converted(given.kwargs, {}))
