"""A small transformer learns to write like the Python documentation, one character after the other.

    python examples/characters.py

The text is what ``help()`` shows of topics, which ships with Python. The last tenth of it is held out. The loss there,
in bits for each character, is compared with that of counting which character follows which two.
A. Vaswani and others, Attention is all you need, 2017; the norms come first, as in A. Radford and others, 2019.
"""

import time
from collections import Counter

import numpy as np
from _show import Progress, arguments, save_picture

import fastgrad as fg
from fastgrad import nn
from fastgrad.nn import functional as F

CONTEXT, WIDTH, HEADS, LAYERS, BATCH, STEPS = 32, 64, 4, 2, 32, 500


def text():
    """The text as numbers, and the characters that they stand for."""
    from pydoc_data.topics import topics

    whole = "\n".join(topics[name] for name in sorted(topics))
    frequent = Counter(whole)
    characters = sorted(c for c, n in frequent.items() if n > 100)
    number = {c: i for i, c in enumerate(characters)}
    return np.array([number[c] for c in whole if c in number]), characters


# ---------------------------------------------------------------- the model


class Attention(nn.Module):
    """Each character looks at those before it, in several ways at once."""

    def __init__(self, width, heads, rng):
        self.heads = heads
        self.inward = nn.Linear(width, 3 * width, generator=rng)
        self.outward = nn.Linear(width, width, generator=rng)

    def forward(self, x):
        n, length, width = x.shape
        parts = self.inward(x).reshape(n, length, 3, self.heads, width // self.heads)
        query, key, value = parts.transpose(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.outward(seen.transpose(0, 2, 1, 3).reshape(n, length, width))


class Block(nn.Module):
    """Attention, then a layer of its own for each character; both are added to what comes in."""

    def __init__(self, width, heads, rng):
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, rng)
        self.own = nn.Sequential(
            nn.Linear(width, 4 * width, generator=rng), nn.GELU("tanh"), nn.Linear(4 * width, width, generator=rng)
        )

    def forward(self, x):
        x = x + self.attention(self.before(x))
        return x + self.own(self.between(x))


class Transformer(nn.Module):
    """Scores of the next character, at each place of a text."""

    def __init__(self, characters, width, heads, layers, rng):
        self.character = nn.Embedding(characters, width, generator=rng)
        self.place = nn.Parameter(0.02 * rng.normal(size=(CONTEXT, width)))
        self.blocks = nn.Sequential(*(Block(width, heads, rng) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.scores = nn.Linear(width, characters, bias=False, generator=rng)
        self.astype(np.float32)

    def forward(self, numbers):
        x = self.character(numbers) + self.place[: numbers.shape[-1]]
        return self.scores(self.norm(self.blocks(x)))


# ---------------------------------------------------------------- training


def windows(numbers, rng, count):
    """Pieces of the text, and each character's next."""
    begin = rng.integers(0, len(numbers) - CONTEXT, size=count)
    piece = numbers[begin[:, None] + np.arange(CONTEXT + 1)]
    return piece[:, :-1], piece[:, 1:]


def loss_of(model, pieces, following):
    scores = model(pieces)
    return F.cross_entropy(scores.reshape(-1, scores.shape[-1]), following.reshape(-1))


def held_out(model, numbers, count):
    """Bits for each character, on pieces drawn from what was held out."""
    pieces, following = windows(numbers, np.random.default_rng(1), count)
    with fg.no_grad():
        losses = [loss_of(model, pieces[i : i + 16], following[i : i + 16]).item() for i in range(0, count, 16)]
    return np.mean(losses) / np.log(2)


def counted(train, test, characters):
    """Bits for each character, by counting what follows which two, one for what was never seen."""
    counts = np.ones((characters, characters, characters), np.float32)
    np.add.at(counts, (train[:-2], train[1:-1], train[2:]), 1)
    counts /= counts.sum(axis=2, keepdims=True)
    return -np.log2(counts[test[:-2], test[1:-1], test[2:]]).mean()


def train(model, numbers, steps, rng):
    """AdamW, its rate up and down in one cycle, gradients clipped. Gives the loss of each step, in bits."""
    optimizer = fg.optim.AdamW(model.parameters(), weight_decay=0.01)
    schedule = fg.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps + 1, pct_start=0.15)
    losses = []
    with Progress("training", steps) as progress:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = loss_of(model, *windows(numbers, rng, BATCH))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item() / np.log(2))
            progress.step(f"{losses[-1]:.3f} bits")
    return losses


def write(model, characters, begin, length, rng):
    """Go on from a beginning, drawing each character by its chance."""
    numbers = [characters.index(c) for c in begin]
    with fg.no_grad():
        for _ in range(length):
            chances = F.softmax(model(np.array([numbers[-CONTEXT:]]))[0, -1] / 0.8).numpy().astype(float)
            numbers.append(int(rng.choice(len(chances), p=chances / chances.sum())))
    return "".join(characters[i] for i in numbers)


def run(quick=False):
    """Train. Gives the model, the characters, losses in training, and bits held out: of the model and by counting."""
    rng = np.random.default_rng(0)
    numbers, characters = text()
    numbers = numbers[:50_000] if quick else numbers
    split = len(numbers) * 9 // 10
    model = Transformer(len(characters), 16 if quick else WIDTH, HEADS, 1 if quick else LAYERS, rng)
    losses = train(model, numbers[:split], 10 if quick else STEPS, rng)
    bits = held_out(model, numbers[split:], 16 if quick else 128)
    return model, characters, losses, bits, counted(numbers[:split], numbers[split:], len(characters))


def draw(losses, bits, by_counting, figure):
    """The loss in training, and those on what was held out."""
    axes = figure.subplots()
    axes.plot(np.arange(1, len(losses) + 1), losses, linewidth=0.8, label="in training")
    axes.axhline(bits, color="C1", label="held out")
    axes.axhline(by_counting, color="C2", linestyle="--", label="held out, by counting")
    axes.set(xlabel="step", ylabel="bits for each character")
    axes.legend()


def main():
    options = arguments(__doc__)
    begun = time.perf_counter()
    model, characters, losses, bits, by_counting = run(options.quick)
    seconds = time.perf_counter() - begun
    parameters = sum(p.size for p in model.parameters())
    print(f"{parameters:,} parameters, {len(losses)} steps, {seconds:.1f} s")
    print(f"held out: {bits:.3f} bits for each character; by counting {by_counting:.3f}")
    print(write(model, characters, "The ", 20 if options.quick else 300, np.random.default_rng(2)))
    save_picture("characters", options.folder, lambda figure: draw(losses, bits, by_counting, figure))


if __name__ == "__main__":
    main()
