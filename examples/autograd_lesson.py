"""The autograd lesson on real data, cell by cell.

Run it whole (``python examples/autograd_lesson.py``), or cell by cell in an editor that knows ``# %%``. It is the
lesson of ``python -m fastgrad demo``, written the way one would write it in a notebook.
"""

# %% [markdown]
# ## The data
# 442 diabetes patients: ten measurements each (age, sex, body mass index, blood pressure, six blood values), and how
# far the disease had progressed a year later. Efron, Hastie, Johnstone and Tibshirani, "Least angle regression", 2004.

# %%
import numpy as np

import fastgrad as fg
from fastgrad.data import diabetes

patients = diabetes()
print(patients.features.shape, patients.target.shape)
print(patients.names)

# %%
# Each column is scaled to mean 0 and variance 1: then one step size suits all the weights.
scaled = (patients.features - patients.features.mean(axis=0)) / patients.features.std(axis=0)

# %% [markdown]
# ## Tensors
# The measurements and the targets are tensors that need no gradient, which is the default. The parameters of the
# model are tensors that do.

# %%
x = fg.tensor(scaled)
y = fg.tensor(patients.target)
w = fg.tensor(np.zeros(10), requires_grad=True)
b = fg.tensor(0.0, requires_grad=True)
print(x.requires_grad, w.requires_grad)

# %% [markdown]
# ## The loss is a tensor, and remembers how it was made
# Every operation on something that requires a gradient is recorded as it runs.

# %%
predicted = x @ w + b
loss = ((predicted - y) ** 2).mean()
print(loss)
print(loss.grad_fn)

# %%
# The graph behind the loss: from each node to the nodes that made its operands, down to the parameters.
# `x` and `y` do not appear: nothing leads to them that needs a gradient.
level = [loss.grad_fn]
while level:
    print("  ".join(str(node) for node in level))
    level = [above for node in level for above, _ in node.next_functions if above is not None]

# %% [markdown]
# ## Gradients come with `backward()`
# Before it there are none. After it, each parameter holds the derivative of the loss with respect to itself.

# %%
print(w.grad, b.grad)

# %%
loss.backward()
print(w.grad)
print(b.grad)

# %%
# The same by hand: the derivative of mean((x w + b - y)²) with respect to w is 2/n xᵀ(x w + b - y).
by_hand = 2 / len(y) * scaled.T @ (predicted.detach().numpy() - patients.target)
assert np.allclose(w.grad.numpy(), by_hand)

# %%
# The measurements took no part: no record of how they were made, and no gradient.
print(x.grad_fn, x.grad)

# %% [markdown]
# ## Gradient descent
# Step by step against the gradient. The step itself is not part of the model, so it is not recorded (`no_grad`), and
# each round starts without the last one's gradients, because `backward()` adds to what is there.

# %%
losses = []
for _ in range(5000):
    w.grad = b.grad = None
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    with fg.no_grad():
        w -= 0.2 * w.grad
        b -= 0.2 * b.grad
    losses.append(loss.item())
print(f"{losses[0]:.1f} -> {losses[-1]:.4f}")

# %% [markdown]
# ## The same through SciPy
# Any optimiser that takes a value and a gradient will do. The parameters travel as one flat array; slices of it are
# recorded like everything else.


# %%
def value_and_gradient(parameters):
    p = fg.tensor(parameters, requires_grad=True)
    loss = ((x @ p[:-1] + p[-1] - y) ** 2).mean()
    loss.backward()
    return loss.item(), p.grad.numpy()


try:
    from scipy.optimize import minimize
except ImportError:
    print("SciPy is not installed")
else:
    tight = {"ftol": 1e-15, "gtol": 1e-8, "maxiter": 1000}
    found = minimize(value_and_gradient, np.zeros(11), jac=True, method="L-BFGS-B", options=tight)
    print(f"{found.fun:.4f} after {found.nfev} evaluations")

# %% [markdown]
# ## The closed form
# A linear model with a squared loss has one: both ways of fitting should have found it.

# %%
design = np.column_stack([scaled, np.ones(len(y))])
exact = np.linalg.lstsq(design, patients.target, rcond=None)[0]
for name, fitted, wanted in zip((*patients.names, "bias"), [*w.tolist(), b.item()], exact):
    print(f"{name:<6} {fitted:10.4f} {wanted:10.4f}")
assert np.allclose(np.append(w.detach().numpy(), b.item()), exact, atol=1e-3)

# %% [markdown]
# ## The loss at each step

# %%
try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed")
else:
    plt.loglog(np.arange(1, len(losses) + 1), losses)
    plt.xlabel("step")
    plt.ylabel("mean squared error")
    plt.show()
