"""Modules: what is a parameter, what is saved, first values, and gradients clipped."""

import copy
import pickle

import numpy as np
import pytest

import fastgrad as fg
from fastgrad import nn
from fastgrad.nn import functional as F


class Block(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(3, 3, generator=np.random.default_rng(0))
        self.scale = nn.Parameter([2.0])
        self.register_buffer("count", fg.zeros(()))
        self.register_buffer("cache", fg.ones(2), persistent=False)
        self.note = "plain"
        self.constant = fg.ones(3)

    def forward(self, x):
        return self.scale * self.linear(x) + self.constant


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Block()
        self.rest = nn.ModuleList([Block(), nn.Dropout(0.5)])
        self.tied = self.first.linear

    def forward(self, x):
        for block in self.rest:
            x = block(x)
        return self.tied(self.first(x))


def names(pairs):
    return [name for name, _ in pairs]


def test_attributes_are_told_apart():
    model = Model()
    own = ["scale", "linear.weight", "linear.bias"]
    assert names(model.named_parameters()) == [f"{p}.{n}" for p in ("first", "rest.0") for n in own]
    assert names(model.named_buffers()) == [f"{p}.{n}" for p in ("first", "rest.0") for n in ("count", "cache")]
    assert names(model.named_modules()) == ["", "first", "first.linear", "rest", "rest.0", "rest.0.linear", "rest.1"]
    assert names(model.named_children()) == ["first", "rest", "tied"]
    assert len(list(model.parameters())) == 6 and len(list(model.buffers())) == 4
    assert list(model.state_dict()) == [
        "first.scale", "first.count", "first.linear.weight", "first.linear.bias",
        "rest.0.scale", "rest.0.count", "rest.0.linear.weight", "rest.0.linear.bias", "tied.weight", "tied.bias",
    ]  # fmt: skip
    assert model.first.note == "plain" and "linear" in dir(model.first)
    assert list(model.named_parameters(recurse=False)) == []


def test_an_attribute_may_change_its_kind():
    block = Block()
    block.scale = None
    assert "scale" not in names(block.named_parameters()) and block.scale is None
    block.scale = nn.Parameter([1.0])
    assert "scale" in names(block.named_parameters())
    del block.scale
    block.scale = 3.0
    assert block.scale == 3.0 and "scale" not in names(block.named_parameters())
    block.linear = None
    assert names(block.named_modules()) == [""]
    block.linear = nn.Parameter([1.0])  # from here on a parameter, no longer a module
    assert names(block.named_parameters()) == ["linear"] and names(block.named_modules()) == [""]
    block.count = nn.Parameter(0.0)  # trained, and so no buffer
    assert names(block.named_parameters()) == ["linear", "count"] and names(block.named_buffers()) == ["cache"]
    del block.count
    assert not hasattr(block, "count")
    block.cache = fg.zeros(2)
    assert names(block.named_buffers()) == ["cache"]
    with pytest.raises(AttributeError, match="'Block' object has no attribute 'nothing'"):
        block.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("scale", lambda b: np.ones(1)), ("scale", lambda b: 1.0), ("scale", lambda b: [2.0]), ("scale", lambda b: nn.ReLU()),
        ("scale", lambda b: fg.ones(1)), ("scale", lambda b: b.scale * 2), ("count", lambda b: np.ones(())),
        ("count", lambda b: 1.0), ("linear", lambda b: F.relu), ("linear", lambda b: b.linear(fg.ones(3))),
    ],
)  # fmt: skip
def test_an_assignment_that_would_lose_something_is_refused(name, make):
    block = Block()
    before, state = getattr(block, name), {key: value.clone() for key, value in block.state_dict().items()}
    what = {"scale": "parameter", "count": "buffer", "linear": "child module"}[name]
    with pytest.raises(TypeError, match=f"cannot assign .* as {what} '{name}'"):
        setattr(block, name, make(block))
    assert getattr(block, name) is before and list(block.state_dict()) == list(state)
    block.register_parameter("later", None)
    with pytest.raises(TypeError, match="'later'"):
        block.later = np.ones(2)
    block.later = nn.Parameter([1.0])
    assert "later" in block.state_dict()


def test_what_takes_the_name_of_a_passing_buffer_is_saved():
    block = Block()
    del block.cache
    block.cache = nn.Parameter([1.0])
    assert "cache" in block.state_dict()
    block = Block()
    block.cache = nn.Parameter([1.0])
    assert "cache" in block.state_dict()


def test_a_module_within_itself_is_visited_once():
    block = Block()
    block.inner = nn.Sequential(nn.Linear(2, 2), block)
    seen = []
    block.apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "Linear", "Sequential", "Block"]
    assert len(list(block.modules())) == 4 and len(list(block.parameters())) == 5
    assert list(block.state_dict()) == [
        "scale", "count", "linear.weight", "linear.bias", "inner.0.weight", "inner.0.bias",
    ]  # fmt: skip
    assert not block.eval().inner.training and "(1): (itself)" in repr(block)
    twin = copy.deepcopy(block)
    assert twin.inner[1] is twin and twin.load_state_dict(block.state_dict()) == ([], [])


def test_hooks_see_what_goes_in_and_out():
    model, x, seen = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), fg.ones((1, 2)), []
    out = model(x)
    before = model.register_forward_pre_hook(lambda module, args: args[0] * 0)
    after = model[0].register_forward_hook(lambda module, args, result: seen.append((module, args, result)))
    assert model(x).tolist() == F.relu(model[0].bias)[None].tolist()
    assert seen[0][0] is model[0] and seen[0][1][0].tolist() == [[0.0, 0.0]] and seen[0][2].shape == (1, 3)
    after.remove()
    with model.register_forward_hook(lambda module, args, kwargs, result: result + kwargs["more"], with_kwargs=True):
        turn = lambda module, args, kwargs: ((x,), {"more": 1.0})
        model.forward = lambda x, more: model[0](x)
        with model.register_forward_pre_hook(turn, with_kwargs=True):
            before.remove()
            assert model(0 * x).tolist() == (model[0](x) + 1.0).tolist()
    del model.forward
    assert model(x).tolist() == out.tolist() and len(seen) == 1


def test_axes_are_flattened_where_there_are_such():
    x = fg.ones((2, 3, 4))
    for options, shape in [((), (2, 12)), ((0,), (24,)), ((0, -2), (6, 4)), ((-1, -1), (2, 3, 4))]:
        assert nn.Flatten(*options)(x).shape == shape
    assert nn.Flatten(0)(fg.ones(())).shape == (1,) and nn.Flatten()(np.ones((2, 0, 3))).shape == (2, 0)
    for options, given in [((2, 1), x), ((1, 3), x), ((-4,), x), ((), fg.ones(2)), ((), 1.0)]:
        with pytest.raises(ValueError, match="axis"):
            nn.Flatten(*options)(given)


def test_a_part_is_found_by_its_name():
    model = Model()
    assert model.get_submodule("") is model and model.get_submodule("rest.0.linear") is model.rest[0].linear
    assert model.get_parameter("first.scale") is model.first.scale
    assert model.get_buffer("rest.0.cache") is model.rest[0].cache
    for call in (
        lambda: model.get_submodule("rest.7"), lambda: model.get_submodule("first.scale"),
        lambda: model.get_parameter("first.cache"), lambda: model.get_buffer("first.scale"), lambda: model.get_parameter("x.y"),
    ):  # fmt: skip
        with pytest.raises(AttributeError, match="has no"):
            call()


def test_layers_of_nothing(rng):
    layer = nn.Linear(0, 3)
    assert layer(fg.ones((2, 0))).shape == (2, 3) and not layer.bias.detach().numpy().any()
    assert nn.Linear(3, 0)(fg.ones((2, 3))).shape == (2, 0) and nn.Conv2d(0, 4, 3).weight.shape == (4, 0, 3, 3)
    for function in (
        nn.init.xavier_uniform_, nn.init.xavier_normal_, nn.init.kaiming_uniform_, nn.init.kaiming_normal_,
    ):  # fmt: skip
        assert function(fg.empty((0, 0)), generator=rng).shape == (0, 0)


def test_frozen_parameters_stay_parameters():
    block = Block().requires_grad_(False)
    assert len(list(block.parameters())) == 3
    assert not block(fg.ones(3)).requires_grad
    block.scale = fg.ones(1)
    assert "scale" in names(block.named_parameters())


def test_what_an_operation_made_is_no_parameter():
    block = Block()
    block.made = block.scale * 2
    assert "made" not in names(block.named_parameters())


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda m: m.register_parameter("a.b", None), KeyError), (lambda m: m.register_parameter("", None), KeyError),
        (lambda m: m.register_parameter(1, None), TypeError), (lambda m: m.register_parameter("p", 1.0), TypeError),
        (lambda m: m.register_parameter("p", m.scale * 1), TypeError), (lambda m: m.register_buffer("note", None), KeyError),
        (lambda m: m.register_buffer("b", np.ones(2)), TypeError), (lambda m: m.add_module("m", F.relu), TypeError),
        (lambda m: m.train(1), ValueError), (lambda m: m.astype(int), TypeError), (lambda m: nn.Sequential(F.relu), TypeError),
        (lambda m: nn.Module()(1), NotImplementedError), (lambda m: nn.Dropout(2.0), ValueError),
        (lambda m: nn.Embedding(3, 2, 3), ValueError), (lambda m: nn.Conv2d(3, 4, 3, groups=2), ValueError),
        (lambda m: nn.BatchNorm2d(3)(fg.ones((2, 3))), ValueError), (lambda m: nn.ReLU(1), TypeError),
        (lambda m: nn.ELU(beta=1.0), TypeError), (lambda m: m.linear(None), TypeError), (lambda m: nn.Flatten()(None), TypeError),
        (lambda m: nn.BatchNorm1d(2)(None), TypeError), (lambda m: nn.Conv2d(3, 4, 0), ValueError), (lambda m: nn.Conv2d(0, 4, 0), ValueError),
        (lambda m: nn.Conv2d(3, 4, (3, 3, 3)), ValueError), (lambda m: nn.Conv2d(3, 4, 2.5), TypeError),
        (lambda m: nn.Conv2d(3, 4, 3, stride=0), ValueError), (lambda m: nn.Conv2d(3, 4, 3, padding="equal"), ValueError),
        (lambda m: nn.Conv1d(3, 4, 3, stride=2, padding="same"), ValueError), (lambda m: nn.Sequential(m).append(F.relu), TypeError),
        (lambda m: nn.Sequential(m).__setitem__(0, F.relu), TypeError), (lambda m: nn.Sequential(m).insert(0, 3), TypeError),
    ],
)  # fmt: skip
def test_misuse_is_refused(call, error):
    with pytest.raises(error):
        call(Block())


def test_modes_reach_all_modules():
    model = Model()
    assert model.training and model.eval() is model
    assert not any(module.training for module in model.modules())
    x = fg.ones((2, 3))
    np.testing.assert_array_equal(model(x).detach().numpy(), model(x).detach().numpy())
    assert model.train().rest[1].training


def test_apply_visits_those_within_first():
    seen = []
    Model().apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "Block", "Linear", "Block", "Dropout", "ModuleList", "Linear", "Model"]


def test_gradients_are_forgotten():
    model = Model().eval()
    model(fg.ones((2, 3))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad(set_to_none=False)
    assert all(not p.grad.numpy().any() for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_the_dtype_changes_in_place():
    model = Model()
    before = list(model.parameters())
    before[0].grad = fg.ones(1)
    model.astype(np.float32)
    assert [p is q for p, q in zip(before, model.parameters())] == [True] * 6
    assert {p.dtype for p in (*model.parameters(), *model.buffers())} == {np.dtype("f4")}
    assert before[0].grad.dtype == np.float32 and model.eval()(fg.ones((2, 3), dtype=np.float32)).dtype == np.float64
    model.first.constant = model.rest[0].constant = fg.ones(3, dtype=np.float32)
    assert model(fg.ones((2, 3), dtype=np.float32)).dtype == np.float32


# ---------------------------------------------------------------- saving


def test_states_are_loaded_in_place():
    first, second = Model(), Model()
    for p in first.parameters():
        nn.init.normal_(p, generator=np.random.default_rng(3))
    places = list(second.parameters())
    found = second.load_state_dict(pickle.loads(pickle.dumps(first.state_dict())))
    assert found == ([], []) and next(second.parameters()) is places[0]
    for p, q in zip(first.parameters(), second.parameters()):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
        assert not np.shares_memory(p.detach().numpy(), q.detach().numpy()) and q.requires_grad


def test_a_state_that_does_not_fit_changes_nothing():
    block = Block()
    before = {name: value.numpy().copy() for name, value in block.state_dict().items()}
    state = {**{name: value + 1 for name, value in before.items()}, "scale": np.ones(2), "more": np.ones(1)}
    del state["count"]
    with pytest.raises(
        RuntimeError, match=r"(?s)Block:.*Unexpected.*'more'.*Missing.*'count'.*size mismatch for scale"
    ):
        block.load_state_dict(state)
    with pytest.raises(RuntimeError, match="size mismatch"):
        block.load_state_dict(state, strict=False)
    for name, value in block.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    del state["scale"]
    assert block.load_state_dict(state, strict=False) == (["scale", "count"], ["more"])
    np.testing.assert_array_equal(block.linear.bias.detach().numpy(), before["linear.bias"] + 1)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("state", "error", "match"),
    [
        (5, TypeError, "dict-like.*int"), (None, TypeError, "dict-like"), ([("scale", [1.0])], TypeError, "dict-like"),
        ({"scale": [1j]}, RuntimeError, "scale: complex values"), ({"scale": "abc"}, RuntimeError, "scale: expected .* numbers"),
        ({"scale": None}, RuntimeError, "scale: expected .* numbers"),
    ],
)  # fmt: skip
def test_what_is_no_state_is_refused(state, error, match, strict):
    block = Block()
    given = {**block.state_dict(), **state} if isinstance(state, dict) else state
    with pytest.raises(error, match=match):
        block.load_state_dict(given, strict=strict)
    assert block.scale.item() == 2.0
    assert block.astype(complex).load_state_dict({"scale": [1j]}, strict=False)[1] == []
    assert block.scale.item() == 1j


@pytest.mark.parametrize("way", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_modules_are_copied_whole(way):
    model = Model().eval()
    model(fg.ones((2, 3))).sum().backward()
    other = way(model)
    x = fg.tensor([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(model(x).detach().numpy(), other(x).detach().numpy())
    assert other.tied is other.first.linear and other.tied is not model.tied and not other.training
    assert len(list(other.parameters())) == 6


def test_containers_are_what_they_contain():
    layers = [nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)]
    model = nn.Sequential(*layers)
    assert len(model) == 3 and list(model) == layers and model[-1] is layers[2] and list(model[1:]) == layers[1:]
    assert names(model.append(nn.ReLU()).named_children()) == ["0", "1", "2", "3"]
    named = nn.Sequential({"inner": layers[0], "outer": layers[2]})
    assert named.inner is layers[0] and next(iter(named.state_dict())) == "inner.weight"
    table = nn.ModuleDict({"a": layers[0]})
    table["b"] = layers[1]
    assert list(table) == ["a", "b"] and "a" in table and len(table) == 2 and table["b"] is layers[1]
    table.update({"c": layers[2], "a": layers[2]})
    assert [*table.values()] == [layers[2], layers[1], layers[2]] and table.pop("c") is layers[2]
    table["a"] = layers[0]
    assert [*table.keys()] == ["a", "b"] and [*table.values()] == layers[:2] and ("a", layers[0]) in table.items()
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.Dropout())) == (
        "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): Dropout(p=0.5)\n)"
    )


def test_containers_change_as_lists_do():
    a, b, c, d = nn.Tanh(), nn.ReLU(), nn.Sigmoid(), nn.GELU()
    for kind in (lambda *modules: nn.Sequential(*modules), lambda *modules: nn.ModuleList(modules)):
        model = kind(a, b)
        model.insert(1, c)
        assert list(model) == [a, c, b] and names(model.named_children()) == ["0", "1", "2"]
        model[-1] = d
        model += [b]
        assert list(model) == [a, c, d, b] and model.pop(0) is a and model.pop() is b
        del model[0]
        assert list(model) == [d] and names(model.named_children()) == ["0"]
        with pytest.raises(TypeError):
            model.extend([a, 3])
        with pytest.raises(TypeError):
            model[0:1] = [a, b]
        with pytest.raises(IndexError):
            model[1] = a
        assert list(model) == [d]
    named = nn.Sequential({"1": a}).append(b)  # "1" would be the name of the new one, too
    assert list(named) == [a, b] and names(named.named_children()) == ["0", "1"]
    table = nn.ModuleDict({"a": a, "b": b})
    del table["a"]
    assert list(table) == ["b"]
    table.clear()
    assert len(table) == 0


def test_a_model_is_trained():
    rng = np.random.default_rng(0)
    x = fg.tensor(rng.normal(size=(64, 2)))
    y = fg.sin(x[:, :1]) + x[:, 1:]
    model = nn.Sequential(nn.Linear(2, 16, generator=rng), nn.Tanh(), nn.Linear(16, 1, generator=rng))
    optimizer = fg.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01


def test_running_moments_follow():
    norm = nn.BatchNorm1d(2, momentum=None)
    x = fg.tensor(np.random.default_rng(0).normal(size=(8, 2)))
    for _ in range(2):
        norm(x)
    assert norm.num_batches_tracked.item() == 2
    np.testing.assert_allclose(norm.running_mean.numpy(), x.numpy().mean(axis=0))
    out = norm.eval()(x).detach().numpy()
    np.testing.assert_allclose(out, (x.numpy() - x.numpy().mean(0)) / np.sqrt(x.numpy().var(0, ddof=1) + 1e-5))


# ---------------------------------------------------------------- as functions of their parameters


def test_a_module_is_called_with_other_parameters():
    model = Model().eval()
    x = fg.ones((2, 3))
    before = {name: p for name, p in model.named_parameters()}  # noqa: C416
    others = {name: p.detach() * 2 for name, p in before.items()}
    found = fg.func.functional_call(model, others, x)
    assert all(p is before[name] for name, p in model.named_parameters())
    twice = copy.deepcopy(model)
    twice.load_state_dict({name: value.numpy() * 2 for name, value in model.state_dict().items()})
    np.testing.assert_array_equal(found.numpy(), twice(x).detach().numpy())
    with pytest.raises(ZeroDivisionError):
        fg.func.functional_call(nn.Sequential(Block(), Raises()), {"0.scale": fg.ones(1)}, (x,))


class Raises(nn.Module):
    def forward(self, x):
        return 1 / 0


def test_tied_parameters_are_replaced_together():
    model = Model().eval()
    x, zeros = fg.ones((2, 3)), {"first.linear.weight": fg.zeros((3, 3))}
    np.testing.assert_array_equal(
        fg.func.functional_call(model, zeros, x).detach().numpy(), model.tied.bias.detach().numpy() + np.zeros((2, 3))
    )
    assert model.tied.weight is model.first.linear.weight and model.tied.weight.detach().numpy().any()
    block = Block()
    block.other = nn.Linear(3, 3)
    block.other.weight = block.linear.weight
    block.forward = lambda x: block.other(x)
    tied, apart = (
        fg.func.functional_call(block, {"linear.weight": fg.zeros((3, 3))}, fg.ones(3), tie_weights=t)
        for t in (True, False)
    )
    np.testing.assert_array_equal(tied.detach().numpy(), block.other.bias.detach().numpy())
    assert not np.array_equal(apart.detach().numpy(), tied.detach().numpy())


def test_names_that_do_not_fit_are_refused():
    block = Block()
    for weights, error, match, strict in [
        ({"scales": fg.ones(1)}, RuntimeError, "Unexpected.*'scales'", False), ({"scale": fg.ones(1)}, RuntimeError, "Missing.*'linear.weight'", True),
        (({"scale": fg.ones(1)}, {"scale": fg.ones(1)}), ValueError, "multiple dictionaries", False),
    ]:  # fmt: skip
        with pytest.raises(error, match=match):
            fg.func.functional_call(block, weights, fg.ones(3), strict=strict)


def test_transforms_go_through_modules(rng):
    model = nn.Sequential(nn.Linear(3, 4, generator=rng), nn.Tanh(), nn.Linear(4, 1, generator=rng))
    weights = {name: p.detach() for name, p in model.named_parameters()}
    x, y = fg.tensor(rng.normal(size=(5, 3))), fg.tensor(rng.normal(size=(5, 1)))

    def loss(weights, x, y):
        return ((fg.func.functional_call(model, weights, x) - y) ** 2).sum()

    each = fg.func.vmap(fg.func.grad(loss), (None, 0, 0))(weights, x, y)
    loss(dict(model.named_parameters()), x, y).backward()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(each[name].numpy().sum(axis=0), p.grad.numpy(), rtol=1e-10)
    hessian = fg.func.hessian(loss)(weights, x, y)
    assert hessian["0.weight"]["2.bias"].shape == (4, 3, 1)
    np.testing.assert_allclose(hessian["2.bias"]["2.bias"].item(), 10.0)


def test_buffers_that_are_given_are_those_that_follow():
    norm = nn.BatchNorm1d(2)
    state = {name: value.clone() for name, value in norm.state_dict().items()}
    fg.func.functional_call(norm, state, fg.tensor([[1.0, 2.0], [3.0, 5.0]]))
    assert state["num_batches_tracked"].item() == 1 and state["running_mean"].numpy().any()
    assert norm.num_batches_tracked.item() == 0 and not norm.running_mean.numpy().any()


# ---------------------------------------------------------------- first values


@pytest.mark.parametrize("generator", [None, 0])
def test_first_values_have_their_spread(generator):
    generator = None if generator is None else np.random.default_rng(generator)
    np.random.seed(0)  # noqa: NPY002
    t = fg.empty((200, 100, 3), requires_grad=True)
    fans = 300, 600
    wanted = [
        (nn.init.uniform_, {"a": -1.0, "b": 3.0}, 1.0, 4 / 12**0.5), (nn.init.normal_, {"mean": 1.0, "std": 2.0}, 1.0, 2.0),
        (nn.init.xavier_uniform_, {}, 0.0, (2 / sum(fans)) ** 0.5), (nn.init.xavier_normal_, {"gain": 2.0}, 0.0, 2 * (2 / sum(fans)) ** 0.5),
        (nn.init.kaiming_uniform_, {"nonlinearity": "relu"}, 0.0, (2 / fans[0]) ** 0.5),
        (nn.init.kaiming_normal_, {"mode": "fan_out", "a": 1.0}, 0.0, (1 / fans[1]) ** 0.5),
        (nn.init.trunc_normal_, {}, 0.0, 0.8796),
    ]  # fmt: skip
    for function, options, mean, std in wanted:
        version = t._version
        assert function(t, **options, generator=generator) is t
        values = t.detach().numpy()
        assert t._version > version and t.grad_fn is None
        assert abs(values.mean() - mean) < 0.02 * std and abs(values.std() - std) < 0.02 * std
    assert abs(values).max() <= 2.0


def test_first_values_are_what_they_say():
    t = fg.empty((2, 3))
    assert nn.init.ones_(t).numpy().all() and not nn.init.zeros_(t).numpy().any()
    np.testing.assert_array_equal(nn.init.eye_(t).numpy(), np.eye(2, 3))
    assert nn.init.constant_(t, 3.0).tolist() == [[3.0] * 3] * 2
    for shape in [(2, 3), (4, 2), (3, 2, 2)]:
        q = nn.init.orthogonal_(fg.empty(shape), 2.0).numpy().reshape(shape[0], -1)
        small = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
        np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)
    first, second = (nn.Linear(4, 4, generator=np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first.weight.detach().numpy(), second.weight.detach().numpy())
    assert abs(first.weight.detach().numpy()).max() <= 0.5
    assert nn.init.kaiming_normal_(fg.empty((3, 2), dtype=np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    "call",
    [
        lambda: nn.init.xavier_normal_(fg.empty(3)), lambda: nn.init.eye_(fg.empty(3)), lambda: nn.init.orthogonal_(fg.empty(3)),
        lambda: nn.init.calculate_gain("gelu"), lambda: nn.init.kaiming_normal_(fg.empty((2, 2)), mode="fan"),
        lambda: nn.init.trunc_normal_(fg.empty(3), a=9.0, b=10.0),
    ],
)  # fmt: skip
def test_first_values_that_make_no_sense_are_refused(call):
    with pytest.raises(ValueError):
        call()


# ---------------------------------------------------------------- clipping


def with_gradients(*grads):
    params = [fg.zeros(np.shape(g), dtype=np.asarray(g).dtype, requires_grad=True) for g in grads]
    for p, g in zip(params, grads):
        p.grad = fg.tensor(g)
    return params


@pytest.mark.parametrize("norm_type", [2.0, 1, 3.0, np.inf])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_gradients_are_clipped_together(norm_type, max_norm):
    grads = [np.array([3.0, -4.0]), np.array([[1.0]]), np.array(2.0)]
    params = with_gradients(*grads)
    places = [p.grad for p in params]
    flat = np.concatenate([g.ravel() for g in grads])
    total = np.linalg.norm(flat, norm_type)
    found = nn.utils.clip_grad_norm_(iter([*params, fg.zeros(2, requires_grad=True)]), max_norm, norm_type)
    np.testing.assert_allclose(found.item(), total)
    factor = min(1.0, max_norm / (total + 1e-6))
    for p, g, place in zip(params, grads, places):
        assert p.grad is place
        np.testing.assert_allclose(p.grad.numpy(), g * factor)


def test_a_norm_that_is_none_is_refused_if_asked():
    (x,) = with_gradients(np.array([np.inf, 1.0]))
    with pytest.raises(RuntimeError, match="non-finite"):
        nn.utils.clip_grad_norm_(x, 1.0, error_if_nonfinite=True)
    assert x.grad.tolist() == [np.inf, 1.0]
    assert nn.utils.clip_grad_norm_(x, 1.0).item() == np.inf
    assert nn.utils.clip_grad_norm_([], 1.0).item() == 0.0


def test_gradients_are_clipped_each():
    x, y = with_gradients(np.array([3.0, -4.0, 0.1]), np.array([1.0], dtype=np.float32))
    nn.utils.clip_grad_value_([x, y], 0.5)
    assert x.grad.tolist() == [0.5, -0.5, 0.1] and y.grad.tolist() == [0.5] and y.grad.dtype == np.float32


def test_parameters_are_one_vector_and_back():
    params = [nn.Parameter([[1.0, 2.0]]), nn.Parameter(3.0)]
    vector = nn.utils.parameters_to_vector(params)
    (vector**2).sum().backward()
    assert params[0].grad.tolist() == [[2.0, 4.0]]
    nn.utils.vector_to_parameters(np.array([4.0, 5.0, 6.0]), params)
    assert params[0].tolist() == [[4.0, 5.0]] and params[1].item() == 6.0 and params[1].requires_grad
    with pytest.raises(ValueError, match="3 parameters"):
        nn.utils.vector_to_parameters(fg.ones(4), params)


# ---------------------------------------------------------------- beside PyTorch

PAIRS = [
    ("Linear", lambda n: n.Linear(4, 3), (5, 4)), ("Linear without", lambda n: n.Linear(4, 3, bias=False), (4,)),
    ("Conv1d", lambda n: n.Conv1d(2, 4, 3, padding=1), (3, 2, 7)), ("Conv2d", lambda n: n.Conv2d(2, 4, 3, 2, 1), (3, 2, 6, 6)),
    ("Conv2d same", lambda n: n.Conv2d(2, 4, (3, 1), padding="same", groups=2, bias=False), (3, 2, 6, 6)),
    ("LayerNorm", lambda n: n.LayerNorm((3, 4)), (2, 3, 4)), ("BatchNorm1d", lambda n: n.BatchNorm1d(3), (5, 3)),
    ("BatchNorm2d", lambda n: n.BatchNorm2d(3), (5, 3, 2, 2)), ("MaxPool2d", lambda n: n.MaxPool2d(3, 2, 1), (2, 3, 7, 7)),
    ("AvgPool2d", lambda n: n.AvgPool2d(2, count_include_pad=False, padding=1), (2, 3, 6, 6)), ("Flatten", lambda n: n.Flatten(), (2, 3, 4)),
    ("Flatten some", lambda n: n.Flatten(0, 1), (2, 3, 4)), ("ReLU", lambda n: n.ReLU(), (5,)), ("LeakyReLU", lambda n: n.LeakyReLU(0.3), (5,)),
    ("ELU", lambda n: n.ELU(0.5), (5,)), ("GELU", lambda n: n.GELU(approximate="tanh"), (5,)), ("SiLU", lambda n: n.SiLU(), (5,)),
    ("Softplus", lambda n: n.Softplus(2.0), (5,)), ("Sigmoid", lambda n: n.Sigmoid(), (5,)), ("Tanh", lambda n: n.Tanh(), (5,)),
    ("Softmax", lambda n: n.Softmax(-1), (3, 5)), ("LogSoftmax", lambda n: n.LogSoftmax(0), (3, 5)),
    ("Sequential", lambda n: n.Sequential(n.Linear(4, 6), n.BatchNorm1d(6), n.GELU(), n.Dropout(0.0), n.Linear(6, 2)), (5, 4)),
]  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize(("make", "shape"), [pytest.param(*rest, id=name) for name, *rest in PAIRS])
def test_modules_are_pytorchs(make, shape, mode, rng):
    import torch

    ours, theirs = make(nn), make(torch.nn).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(
        {k: torch.from_numpy(rng.random(v.shape).astype(v.dtype)) for k, v in ours.state_dict().items()}
    )
    ours.load_state_dict(theirs.state_dict())
    getattr(ours, mode)()
    getattr(theirs, mode)()
    values = rng.normal(size=shape)
    x, u = fg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    y, v = ours(x), theirs(u)
    np.testing.assert_allclose(y.detach().numpy(), v.detach().numpy(), rtol=1e-10, atol=1e-12)
    (y**2).sum().backward()
    (v**2).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), u.grad.numpy(), rtol=1e-8, atol=1e-10)
    for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters()):
        assert name == other
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-8, atol=1e-9)
    for a, b in zip(ours.state_dict().values(), theirs.state_dict().values()):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10)


@pytest.mark.torch
def test_embeddings_are_pytorchs():
    import torch

    ours, theirs = nn.Embedding(5, 3, padding_idx=1), torch.nn.Embedding(5, 3, padding_idx=1).double()
    assert not ours.weight.detach().numpy()[1].any()
    ours.load_state_dict(theirs.state_dict())
    index = np.array([[1, 2], [2, 4]])
    y, v = ours(index), theirs(torch.tensor(index))
    np.testing.assert_array_equal(y.detach().numpy(), v.detach().numpy())
    (y**2).sum().backward()
    (v**2).sum().backward()
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy())


@pytest.mark.torch
@pytest.mark.parametrize("norm_type", [2.0, 1.0, 0.5, np.inf])
def test_clipping_is_pytorchs(norm_type, rng):
    import torch

    grads = [
        rng.normal(size=3),
        rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)),
        rng.normal(size=2).astype("f4"),
    ]
    ours = with_gradients(*grads)
    theirs = [torch.zeros(g.shape, dtype=torch.from_numpy(g).dtype, requires_grad=True) for g in grads]
    for p, g in zip(theirs, grads):
        p.grad = torch.from_numpy(g.copy())
    found = nn.utils.clip_grad_norm_(ours, 0.7, norm_type), torch.nn.utils.clip_grad_norm_(theirs, 0.7, norm_type)
    np.testing.assert_allclose(found[0].item(), found[1].item(), rtol=1e-6)
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)


def convolutional(n):
    return n.Sequential(
        n.Conv2d(1, 4, 3, padding="same", bias=False), n.BatchNorm2d(4), n.ReLU(), n.MaxPool2d(2), n.Conv2d(4, 6, 3, stride=2), n.GELU(),
        n.Flatten(), n.Linear(6, 8), n.LayerNorm(8), n.Tanh(), n.Linear(8, 3),
    )  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        ("AdamW", {"lr": 0.01}),
        ("RMSprop", {"lr": 0.01, "centered": True}),
    ],
)
def test_a_whole_training_goes_pytorchs_way(name, options, dtype, rng):
    import torch

    ours, theirs = (
        convolutional(nn).astype(dtype),
        convolutional(torch.nn).to(torch.from_numpy(np.ones(1, dtype)).dtype),
    )
    ours.load_state_dict(theirs.state_dict())
    images, classes = rng.normal(size=(16, 1, 6, 6)).astype(dtype), rng.integers(0, 3, 16)
    losses = []
    for library, model, x, y in (
        (fg, ours, fg.tensor(images), classes), (torch, theirs, torch.tensor(images), torch.tensor(classes)),
    ):  # fmt: skip
        optimizer = getattr(library.optim, name)(model.parameters(), **options)
        schedule = library.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
        losses.append([])
        for _ in range(12):
            optimizer.zero_grad()
            loss = library.nn.functional.cross_entropy(model(x), y, label_smoothing=0.1)
            loss.backward()
            library.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            schedule.step()
            losses[-1].append(loss.item())
    rtol = 1e-3 if dtype is np.float32 else 1e-8
    np.testing.assert_allclose(*losses, rtol=rtol)
    assert losses[0][-1] < losses[0][0]
    for (key, a), b in zip(ours.state_dict().items(), theirs.state_dict().values()):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=10 * rtol, atol=10 * rtol, err_msg=key)
