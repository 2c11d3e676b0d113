"""A fluid simulated with NumPy, taught which wind makes smoke form a picture.

    python examples/smoke.py

`simulate` and what it calls say ``np.`` and nothing else: they know no Tensors. Given Tensors, NumPy hands each
operation over, so that gradients go back through all steps: the advection by the wind, and the pressure that keeps it
free of sources.
J. Stam, Stable fluids, SIGGRAPH 1999. The task is that of an example of HIPS autograd.
"""

import time

import numpy as np
from _show import Progress, arguments, save_picture

import fastgrad as fg

SIZE, STEPS = 40, 20


# ---------------------------------------------------------------- the simulation: plain NumPy


def project(vx, vy):
    """The wind without what flows out of or into each cell: some steps of Jacobi's method for the pressure."""
    pressure = np.zeros(vx.shape)
    flow_x = np.roll(vx, -1, axis=1) - np.roll(vx, 1, axis=1)
    flow_y = np.roll(vy, -1, axis=0) - np.roll(vy, 1, axis=0)
    sources = -0.5 * (flow_x + flow_y)
    for _ in range(8):
        around = np.roll(pressure, 1, axis=1) + np.roll(pressure, -1, axis=1)
        around = around + np.roll(pressure, 1, axis=0) + np.roll(pressure, -1, axis=0)
        pressure = (sources + around) / 4.0
    vx = vx - 0.5 * (np.roll(pressure, -1, axis=1) - np.roll(pressure, 1, axis=1))
    vy = vy - 0.5 * (np.roll(pressure, -1, axis=0) - np.roll(pressure, 1, axis=0))
    return vx, vy


def advect(field, vx, vy):
    """The field after the wind has carried it on: each cell looks back where it came from, between four cells."""
    rows, columns = field.shape
    ys, xs = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    x, y = xs - vx, ys - vy
    left, top = np.floor(x), np.floor(y)
    right_share, bottom_share = x - left, y - top
    i, j = left.astype(int) % columns, top.astype(int) % rows
    next_i, next_j = (i + 1) % columns, (j + 1) % rows
    upper = (1 - right_share) * field[j, i] + right_share * field[j, next_i]
    lower = (1 - right_share) * field[next_j, i] + right_share * field[next_j, next_i]
    return (1 - bottom_share) * upper + bottom_share * lower


def simulate(vx, vy, smoke, steps):
    """The smoke after each step."""
    frames = [smoke]
    for _ in range(steps):
        vx, vy = project(advect(vx, vx, vy), advect(vy, vx, vy))
        smoke = advect(smoke, vx, vy)
        frames.append(smoke)
    return frames


# ---------------------------------------------------------------- the task


def ring(size):
    """What the smoke is to become: a ring. It begins as a square."""
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / size
    radius = np.hypot(x, y)
    begin = (np.maximum(abs(x), abs(y)) < 0.2).astype(float)
    wanted = np.exp(-(((radius - 0.27) / 0.06) ** 2))
    return begin, wanted * begin.sum() / wanted.sum()


def objective(wind, begin, wanted, steps):
    """How far the last frame is from what it is to be. `wind`: both parts, one after the other."""
    vx, vy = np.reshape(wind, (2, *begin.shape))
    return np.mean((simulate(vx, vy, begin, steps)[-1] - wanted) ** 2)


def learn(size=SIZE, steps=STEPS, rounds=60):
    """The first wind, by L-BFGS. Gives it, and the losses."""
    begin, wanted = ring(size)
    wind = fg.tensor(1e-3 * np.random.default_rng(0).normal(size=2 * size * size), requires_grad=True)
    optimizer = fg.optim.LBFGS([wind], max_iter=1, max_eval=10, line_search_fn="strong_wolfe")
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = objective(wind, begin, wanted, steps)
        loss.backward()
        return loss

    with Progress("learning the wind", rounds) as progress:
        for _ in range(rounds):
            losses.append(optimizer.step(closure).item())
            progress.step(f"loss {losses[-1]:.5f}")
    return wind.detach().numpy(), losses


def draw(frames, wanted, figure):
    """Some frames, and what the last was to be."""
    places = figure.subplots(1, 6)
    shown = [frames[i] for i in np.linspace(0, len(frames) - 1, 5).astype(int)] + [wanted]
    for place, frame, title in zip(places, shown, ["at first", "", "", "", "at last", "wanted"]):
        place.imshow(frame, cmap="gray_r", vmin=0, vmax=1.2)
        place.set_title(title)
        place.axis("off")


def main():
    options = arguments(__doc__)
    size, steps, rounds = (16, 4, 3) if options.quick else (SIZE, STEPS, 60)
    begun = time.perf_counter()
    wind, losses = learn(size, steps, rounds)
    print(f"{wind.size:,} numbers of wind, {steps} steps: loss {losses[0]:.5f} to {losses[-1]:.5f}")
    print(f"{time.perf_counter() - begun:.1f} s")
    begin, wanted = ring(size)
    frames = simulate(*wind.reshape(2, size, size), begin, steps)  # of ndarrays: the same code
    save_picture("smoke", options.folder, lambda figure: draw(frames, wanted, figure), (9.0, 1.9))


if __name__ == "__main__":
    main()
