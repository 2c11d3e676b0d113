"""Optimizers: what they write and when, what they keep and save, and what they refuse."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest

import fastgrad as fg
from fastgrad.optim import LBFGS, SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, lr_scheduler

ALL = [SGD, Adam, AdamW, RMSprop, Adagrad, LBFGS]
ELEMENTWISE = ALL[:-1]
MOMENTUM = {SGD: {"momentum": 0.9}, RMSprop: {"momentum": 0.9, "centered": True}, Adam: {"amsgrad": True}}


def parameter(*values, dtype=float):
    return fg.tensor(np.array(values, dtype=dtype), requires_grad=True)


def with_gradient(*values, dtype=float):
    p = parameter(*values, dtype=dtype)
    p.grad = fg.tensor(np.array(values, dtype=dtype))
    return p


@pytest.mark.parametrize("kind", ALL)
def test_a_bowl_is_gone_down(kind):
    x = parameter(3.0, -2.0, 1.0)
    target = fg.tensor([1.0, 1.0, 1.0])
    optimizer = kind([x], lr=1.0 if kind is LBFGS else 0.1)

    def closure():
        optimizer.zero_grad()
        loss = ((x - target) ** 2).sum()
        loss.backward()
        return loss

    first = optimizer.step(closure).item()
    for _ in range(60):
        last = optimizer.step(closure).item()
    assert first == 13.0 and last < 0.5 * first
    assert x.is_leaf and x.requires_grad


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_a_step_writes_in_place_and_is_seen(kind):
    x = with_gradient(1.0, 2.0)
    memory, before = x.detach().numpy(), x._version
    saved = (x * x).sum()
    kind([x], lr=0.1).step()
    assert x._version > before and x.detach().numpy() is not None
    np.testing.assert_array_equal(memory, x.detach().numpy())
    assert np.all(memory < [1.0, 2.0])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        saved.backward()


@pytest.mark.skipif(fg.backend_name() != "compiled", reason="nothing is fused on the reference backend")
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (SGD, {}), (SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True}), (SGD, {"momentum": 0.9}),
        (Adam, {}), (Adam, {"amsgrad": True, "weight_decay": 0.1, "maximize": True}), (Adam, {"betas": (0.0, 0.9)}), (AdamW, {}),
        (RMSprop, {}), (RMSprop, {"centered": True, "momentum": 0.9, "weight_decay": 0.1, "alpha": 0.3}), (RMSprop, {"maximize": True}),
        (Adagrad, {}), (Adagrad, {"weight_decay": 0.1, "lr_decay": 0.1, "maximize": True}),
    ],
)  # fmt: skip
def test_a_step_is_one_pass_and_makes_no_arrays(kind, options, dtype):
    x = fg.ones(100_000, dtype=dtype, requires_grad=True)
    x.grad = fg.ones(100_000, dtype=dtype)
    optimizer = kind([x], lr=0.1, **options)
    for _ in range(2):
        optimizer.step()
    tracemalloc.start()
    optimizer.step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.1 * x.nbytes


@pytest.mark.parametrize("kind", ELEMENTWISE)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64, np.complex128, ">f8"])
def test_dtypes_and_layouts_are_kept(kind, dtype):
    base = np.arange(1.0, 13.0).reshape(3, 4).astype(dtype)
    whole = fg.tensor(base, requires_grad=True)
    flipped = fg.from_numpy(base.copy()[::-1, ::2].T).requires_grad_()
    flipped.grad = fg.asarray(np.ones((2, 3)).astype(dtype))
    whole.grad = fg.asarray(np.ones((4, 3)).astype(dtype).T)
    start = flipped.detach().numpy().copy(), whole.detach().numpy().copy()
    optimizer = kind([flipped, whole], lr=0.5, **MOMENTUM.get(kind, {}))
    for _ in range(2):
        optimizer.step()
    alone = fg.tensor(np.ascontiguousarray(start[0]), requires_grad=True)
    alone.grad = fg.asarray(np.ones((2, 3)).astype(alone.dtype))
    other = kind([alone], lr=0.5, **MOMENTUM.get(kind, {}))
    for _ in range(2):
        other.step()
    assert flipped.dtype == base.dtype and whole.dtype == base.dtype
    np.testing.assert_array_equal(flipped.detach().numpy(), alone.detach().numpy())
    assert not np.array_equal(whole.detach().numpy(), start[1])
    assert all(np.isfinite(t.detach().numpy()).all() for t in (flipped, whole))


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_empty_and_0d_parameters_are_stepped(kind):
    none, one = fg.zeros((0, 3), requires_grad=True), fg.tensor(2.0, requires_grad=True)
    none.grad, one.grad = fg.zeros((0, 3)), fg.tensor(1.0)
    optimizer = kind([none, one], lr=0.1, **MOMENTUM.get(kind, {}))
    for _ in range(2):
        optimizer.step()
    assert none.shape == (0, 3) and one.shape == () and one.item() < 2.0


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_what_has_no_gradient_stays(kind):
    x, y = parameter(1.0), with_gradient(1.0)
    optimizer = kind([x, y], lr=0.1, weight_decay=0.5)
    optimizer.step()
    assert x.item() == 1.0 and y.item() < 1.0


def test_a_step_records_nothing_and_leaves_the_gradient_alone():
    x = with_gradient(1.0, 2.0)
    optimizer = SGD([x], lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(2):
        optimizer.step()
    assert x.grad_fn is None and not optimizer.state[x]["momentum_buffer"].requires_grad
    np.testing.assert_array_equal(x.grad.numpy(), [1.0, 2.0])
    assert not np.shares_memory(optimizer.state[x]["momentum_buffer"].numpy(), x.grad.numpy())


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_are_forgotten(set_to_none):
    x, y = with_gradient(1.0), parameter(1.0)
    grad = x.grad
    SGD([x, y]).zero_grad(set_to_none=set_to_none)
    assert y.grad is None
    assert x.grad is None if set_to_none else (x.grad is grad and x.grad.item() == 0.0)


def test_a_gradient_with_a_graph_is_forgotten_in_place():
    x = parameter(3.0)
    (x**2).sum().backward(create_graph=True)
    SGD([x]).zero_grad(set_to_none=False)
    assert x.grad.grad_fn is None and x.grad.item() == 0.0


def test_a_closure_runs_with_gradients_on():
    x = parameter(1.0)
    for kind in ALL:
        optimizer = kind([x], lr=0.1)

        def closure():
            assert fg.is_grad_enabled()
            optimizer.zero_grad()
            loss = (x**2).sum()
            loss.backward()
            return loss

        with fg.no_grad():
            assert optimizer.step(closure).item() > 0


# ---------------------------------------------------------------- groups


def test_groups_may_have_names():
    x, y = parameter(1.0), parameter(2.0)
    optimizer = SGD([("x", x), ("y", y)], lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["x", "y"]
    assert optimizer.param_groups[0]["params"][1] is y
    with pytest.raises(ValueError, match="with/without names"):
        optimizer.add_param_group({"params": [parameter(1.0)]})
    with pytest.raises(ValueError, match="Some param names are missing"):
        SGD([("x", x), y])


def test_bad_parameters_are_refused():
    x = parameter(1.0)
    for bad, error, match in [
        (x, TypeError, "iterable of Tensors or dicts"), ([], ValueError, "empty parameter list"), ([1.0], TypeError, "float"),
        ([np.ones(2)], TypeError, "ndarray"), ([x * 2], ValueError, "non-leaf"), ([{"params": {x}}], TypeError, "set"),
        ([{"params": [x]}, {"params": x}], ValueError, "more than one parameter group"), ([{"params": [x]}, x], TypeError, "dict"),
    ]:  # fmt: skip
        with pytest.raises(error, match=match):
            SGD(bad, lr=0.1)
    with pytest.warns(UserWarning, match="duplicate"):
        SGD([x, x])


@pytest.mark.parametrize(
    ("kind", "options", "match"),
    [(kind, {"lr": -1.0}, "Invalid learning rate: -1.0") for kind in ALL]
    + [(kind, {"lr": fg.ones((2,))}, "1-element") for kind in ALL]
    + [(kind, {"weight_decay": -0.1}, "Invalid weight_decay value: -0.1") for kind in ELEMENTWISE]
    + [
        (SGD, {"momentum": -0.1}, "momentum"), (SGD, {"nesterov": True}, "Nesterov momentum requires"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "zero dampening"),
        (Adam, {"betas": (1.0, 0.9)}, "beta parameter at index 0: 1.0"), (AdamW, {"betas": (0.9, -0.1)}, "index 1: -0.1"),
        (Adam, {"eps": -1.0}, "Invalid epsilon value"), (RMSprop, {"alpha": -1.0}, "alpha"), (RMSprop, {"momentum": -1.0}, "momentum"),
        (Adagrad, {"lr_decay": -1.0}, "lr_decay"), (Adagrad, {"initial_accumulator_value": -1.0}, "initial_accumulator_value value"),
        (LBFGS, {"line_search_fn": "armijo"}, "strong_wolfe"),
    ],
)  # fmt: skip
def test_bad_options_are_refused(kind, options, match):
    with pytest.raises(ValueError, match=match):
        kind([parameter(1.0)], **options)


def test_lbfgs_has_one_group_and_wants_a_closure():
    with pytest.raises(ValueError, match="parameter groups"):
        LBFGS([{"params": parameter(1.0)}, {"params": parameter(2.0)}])
    with pytest.raises(TypeError):
        LBFGS([parameter(1.0)]).step()


def test_lbfgs_leaves_parameters_where_they_were_if_the_closure_raises():
    x = parameter(3.0, 4.0)
    optimizer = LBFGS([x], line_search_fn="strong_wolfe")
    calls = []

    def closure():
        calls.append(1)
        if len(calls) == 2:
            raise KeyError("enough")
        optimizer.zero_grad()
        loss = (x**4).sum()
        loss.backward()
        return loss

    with pytest.raises(KeyError):
        optimizer.step(closure)
    np.testing.assert_array_equal(x.detach().numpy(), [3.0, 4.0])


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_memory_that_may_not_be_written_is_refused_before_anything_changes(kind):
    fixed = np.ones(2)
    fixed.flags.writeable = False
    x, y = with_gradient(1.0), fg.from_numpy(fixed).requires_grad_()
    y.grad = fg.ones((2,))
    with pytest.raises(ValueError, match="read-only"):
        kind([x, y], lr=0.1).step()
    assert x.item() == 1.0


@pytest.mark.parametrize("kind", ALL)
def test_inference_tensors_are_refused_outside_their_mode(kind):
    with fg.inference_mode():
        x = fg.ones(2)
        x.grad = fg.ones(2)
    y = with_gradient(1.0)
    with pytest.raises(RuntimeError, match="outside InferenceMode"):
        kind([y, x], lr=0.1).step(lambda: fg.tensor(1.0))
    assert x.tolist() == [1.0, 1.0] and y.item() == 1.0


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_a_gradient_may_share_the_parameters_memory(kind, offset):
    values = np.arange(1.0, 8.0)
    shared, apart = fg.from_numpy(values[:6]).requires_grad_(), fg.tensor(values[:6], requires_grad=True)
    shared.grad, apart.grad = fg.from_numpy(values[offset : offset + 6]), fg.tensor(values[offset : offset + 6])
    for x in (shared, apart):
        kind([x], lr=0.1, **MOMENTUM.get(kind, {})).step()
    np.testing.assert_array_equal(shared.detach().numpy(), apart.detach().numpy())


def test_an_optimizer_of_ones_own():
    class Sign(Optimizer):
        def __init__(self, params, lr=0.1):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            with fg.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        p -= group["lr"] * fg.sign(p.grad)

    x = with_gradient(1.0, -2.0)
    optimizer = Sign([x])
    seen = []
    optimizer.register_step_post_hook(lambda *_: seen.append(1))
    optimizer.step()
    np.testing.assert_allclose(x.detach().numpy(), [0.9, -1.9])
    assert seen == [1]
    with pytest.raises(NotImplementedError):
        Optimizer([x], {}).step()


# ---------------------------------------------------------------- differentiable steps


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (SGD, {"momentum": 0.5, "nesterov": True}), (SGD, {"momentum": 0.5, "weight_decay": 0.1, "dampening": 0.2}),
        (Adam, {"eps": 0.1}), (Adam, {"eps": 0.1, "amsgrad": True}), (AdamW, {"eps": 0.1, "weight_decay": 0.3}),
        (RMSprop, {"eps": 0.1}), (RMSprop, {"eps": 0.1, "alpha": 0.9, "centered": True, "momentum": 0.5}),
        (Adagrad, {"eps": 0.1, "lr_decay": 0.1}),
    ],
)  # fmt: skip
def test_gradients_pass_through_steps(kind, options, dtype, rng):
    def after(start, target, lr):
        x = start.clone()
        optimizer = kind([x], lr=lr, differentiable=True, **options)
        for _ in range(2):
            here = x.clone()  # whose values stay, as x is written
            loss = (abs(here - target) ** 2 + abs(here) ** 4).sum()
            (x.grad,) = fg.autograd.grad(loss, [x], create_graph=True)
            optimizer.step()
        return x

    values = [rng.normal(size=2) + (1j * rng.normal(size=2) if dtype is complex else 0) for _ in range(2)]
    inputs = [fg.tensor(v, requires_grad=True) for v in (*values, np.array(0.1))]
    assert fg.autograd.gradcheck(after, inputs)


def test_options_may_be_learned():
    lr, decay = fg.tensor(0.1, requires_grad=True), fg.tensor(0.3, requires_grad=True)
    w = parameter(1.0, 2.0).clone()
    optimizer = SGD([w], lr=lr, weight_decay=decay, differentiable=True)
    w.grad = fg.tensor([1.0, 1.0])
    optimizer.step()
    w.sum().backward()
    np.testing.assert_allclose(lr.grad.item(), -(2.0 + 0.3 * 3.0))
    np.testing.assert_allclose(decay.grad.item(), -0.1 * 3.0)


def test_a_recorded_step_of_a_leaf_is_refused():
    x = with_gradient(1.0)
    with pytest.raises(RuntimeError, match="leaf"):
        SGD([x], lr=0.1, differentiable=True).step()
    assert x.item() == 1.0


# ---------------------------------------------------------------- saving


def trained(kind, steps=3):
    rng = np.random.default_rng(1)
    params = [fg.tensor(rng.normal(size=s), requires_grad=True) for s in [(3,), (2, 2)]]
    optimizer = kind(params, lr=0.1, **MOMENTUM.get(kind, {}))
    go_on(optimizer, params, steps)
    return optimizer, params


def go_on(optimizer, params, steps):
    def closure():
        optimizer.zero_grad()
        loss = sum(((p - 1) ** 4).sum() for p in params)
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)


@pytest.mark.parametrize("way", ["state_dict", "pickled state_dict", "deepcopy", "pickle"])
@pytest.mark.parametrize("kind", ALL)
def test_what_is_saved_goes_on_alike(kind, way):
    optimizer, params = trained(kind)
    if way == "deepcopy":
        second, others = copy.deepcopy((optimizer, params))
    elif way == "pickle":
        second, others = pickle.loads(pickle.dumps((optimizer, params)))
    else:
        state = optimizer.state_dict()
        state = pickle.loads(pickle.dumps(state)) if way == "pickled state_dict" else state
        others = [fg.tensor(p.detach().numpy(), requires_grad=True) for p in params]
        second = kind(others, lr=0.5)
        second.load_state_dict(state)
    go_on(second, others, 3)
    untouched = [p.detach().numpy().copy() for p in params]
    go_on(optimizer, params, 3)
    for p, q, before in zip(params, others, untouched):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
        assert not np.array_equal(p.detach().numpy(), before)


def test_arrays_of_a_state_are_cast_and_copied():
    optimizer, _ = trained(Adam)
    state = optimizer.state_dict()
    halves = [fg.zeros(s, dtype=np.float32, requires_grad=True) for s in [(3,), (2, 2)]]
    other = Adam(halves)
    other.load_state_dict(state)
    mean = other.state[halves[0]]["exp_avg"]
    assert mean.dtype == np.float32 and other.state[halves[0]]["step"] == 3
    state["state"][0]["exp_avg"].zero_()
    assert mean.numpy().any()
    assert other.param_groups[0]["lr"] == 0.1 and other.param_groups[0]["params"][0] is halves[0]


def test_a_state_that_does_not_fit_is_refused():
    state = trained(SGD)[0].state_dict()
    x, y = parameter(1.0), parameter(1.0)
    with pytest.raises(ValueError, match="different number of parameter groups"):
        SGD([{"params": x}, {"params": y}]).load_state_dict(state)
    with pytest.raises(ValueError, match="doesn't match the size"):
        SGD([x]).load_state_dict(state)
    optimizer = SGD([x, y])
    with pytest.raises(ValueError, match=r"'momentum_buffer' of shape \(3,\) for a parameter of shape \(1,\)"):
        optimizer.load_state_dict(state)
    assert not optimizer.state and optimizer.param_groups[0]["lr"] == 1e-3


def test_hooks_are_called_around_steps_and_states():
    optimizer, _ = trained(SGD, 1)
    seen = []
    handles = [
        optimizer.register_step_pre_hook(lambda *_: seen.append("before")),
        optimizer.register_step_post_hook(lambda *_: seen.append("after")),
        optimizer.register_state_dict_pre_hook(lambda o: seen.append("saving")),
        optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1}),
        optimizer.register_state_dict_pre_hook(lambda o: seen.append("first"), prepend=True),
        optimizer.register_load_state_dict_pre_hook(lambda o, state: seen.append(state["more"])),
        optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded")),
    ]
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen == ["before", "after", "first", "saving", 1, "loaded"]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(seen) == 6 and "more" not in optimizer.state_dict()
    optimizer.register_step_pre_hook(lambda *_: 1)
    with pytest.raises(RuntimeError, match=r"None or \(args, kwargs\)"):
        optimizer.step()


# ---------------------------------------------------------------- schedulers


def test_a_rate_that_is_a_tensor_stays_one():
    lr = fg.tensor(1.0)
    x = with_gradient(1.0)
    optimizer = SGD([x], lr=lr)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    assert x.item() == 0.0
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is lr and lr.item() == 0.5


def test_the_order_of_steps_is_watched():
    scheduler = lr_scheduler.StepLR(SGD([with_gradient(1.0)], lr=0.1), 2)
    with pytest.warns(UserWarning, match="before optimizer.step"):
        scheduler.step()


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda o: lr_scheduler.StepLR(1, 2), TypeError, "int is not an Optimizer"),
        (lambda o: lr_scheduler.StepLR(o, 2, last_epoch=3), KeyError, "initial_lr"),
        (lambda o: lr_scheduler.LambdaLR(o, [abs, abs]), ValueError, "Expected 1 lr_lambdas, but got 2"),
        (lambda o: lr_scheduler.MultiplicativeLR(o, 0.5), TypeError, "lr_lambda should be a function"),
        (lambda o: lr_scheduler.ConstantLR(o, 2.0), ValueError, "between 0 and 1"),
        (lambda o: lr_scheduler.LinearLR(o, 0.0), ValueError, "greater than 0"),
        (lambda o: lr_scheduler.LinearLR(o, 0.5, 2.0), ValueError, "between 0 and 1"),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 0), ValueError, "T_0"),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 0.5), ValueError, "T_mult"),
        (lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.2, mode="square"), ValueError, "mode is invalid"),
        (lambda o: lr_scheduler.CyclicLR(o, [0.1, 0.2], 0.2), ValueError, "same length"),
        (lambda o: lr_scheduler.CyclicLR(Adagrad([parameter(1.0)]), 0.1, 0.2), ValueError, "momentum or beta1"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1), ValueError, "total_steps OR"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, -3), ValueError, "positive integer total_steps"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 3, pct_start=2.0), ValueError, "pct_start"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 3, anneal_strategy="x"), ValueError, "anneal_strategy"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, "least"), ValueError, "mode least is unknown"),
        (lambda o: lr_scheduler.SequentialLR(o, [], []), ValueError, "no scheduler"),
        (lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(o, 2)], [3]), ValueError, "number of schedulers"),
        (lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ReduceLROnPlateau(o)]), ValueError, "ReduceLROnPlateau"),
        (lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(o, 2)], SGD([parameter(1.0)])), ValueError, "same optimizer"),
        (lambda o: lr_scheduler.ChainedScheduler([1]), TypeError, "optimizer"),
    ],
)  # fmt: skip
def test_bad_schedules_are_refused(make, error, match):
    optimizer = SGD([parameter(1.0)], lr=0.1)
    with pytest.raises(error, match=match):
        make(optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_one_cycle_ends():
    optimizer = SGD([with_gradient(1.0)], lr=0.1, momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, 3)
    optimizer.step()
    for _ in range(3):
        scheduler.step()
    with pytest.raises(ValueError, match="Tried to step 4 times"):
        scheduler.step()


def test_functions_of_a_schedule_are_saved_where_they_hold_something():
    class Fall:
        def __init__(self, base):
            self.base = base

        def __call__(self, step):
            return self.base**step

    first = lr_scheduler.LambdaLR(SGD([parameter(1.0)], lr=1.0), Fall(0.5))
    state = pickle.loads(pickle.dumps(first.state_dict()))
    second = lr_scheduler.LambdaLR(SGD([parameter(1.0)], lr=1.0), Fall(0.9))
    second.load_state_dict(state)
    assert second.lr_lambdas[0].base == 0.5 and state["lr_lambdas"] == [{"base": 0.5}]
