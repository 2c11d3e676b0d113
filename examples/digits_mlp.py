"""Handwritten digits, told apart by a small network: more than 97 % of those that it has not seen.

    python examples/digits_mlp.py

1,797 images of 8 x 8 pixels, scikit-learn's: E. Alpaydin and C. Kaynak, Optical recognition of handwritten digits, UCI
machine learning repository, 1998. A quarter of them is held out.
"""

import time

import numpy as np
from _show import Progress, arguments, save_picture

import fastgrad as fg
from fastgrad import nn
from fastgrad.nn import functional as F

EPOCHS, BATCH = 40, 64


def digits(rng):
    """Images and digits, shuffled: a quarter of them to test with, the others to train with."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = rng.permutation(len(data.target))
    images, target = data.images[order].astype(np.float32) / 16, data.target[order]
    held_out = len(order) // 4
    return (images[held_out:], target[held_out:]), (images[:held_out], target[:held_out])


def network(rng):
    """64 pixels, 128 hidden units, 10 scores; in training some pixels and units are missing, at random."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Dropout(0.1, generator=rng),
        nn.Linear(64, 128, generator=rng),
        nn.ReLU(),
        nn.Dropout(0.3, generator=rng),
        nn.Linear(128, 10, generator=rng),
    ).astype(np.float32)


def train(model, images, target, rng, epochs=EPOCHS):
    """Adam in shuffled batches, its rate going down to nothing. Gives the mean loss of each epoch."""
    batches = -(-len(target) // BATCH)
    optimizer = fg.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
    schedule = fg.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    losses = []
    with Progress("training", epochs * batches) as progress:
        for _ in range(epochs):
            total = 0.0
            for batch in np.array_split(rng.permutation(len(target)), batches):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(fg.asarray(images[batch])), target[batch])
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.item() * len(batch)
                progress.step(f"loss {loss.item():.3f}")
            losses.append(total / len(target))
    return losses


def guess(model, images):
    """The most likely digit of each image, and how likely it is."""
    with fg.no_grad():
        chances = F.softmax(model.eval()(fg.asarray(images)), axis=1).numpy()
    return chances.argmax(axis=1), chances.max(axis=1)


def run(make, quick=False, epochs=EPOCHS):
    """Train what `make` makes. Gives losses, the share of right guesses, and the images that were guessed wrong."""
    rng = np.random.default_rng(0)
    (images, target), (others, wanted) = digits(rng)
    model = make(rng)
    losses = train(model, images, target, rng, 2 if quick else epochs)
    guesses, chances = guess(model, others)
    wrong = np.flatnonzero(guesses != wanted)
    worst = wrong[np.argsort(-chances[wrong])]
    return losses, np.mean(guesses == wanted), [(others[i], wanted[i], guesses[i]) for i in worst]


def draw(losses, wrong, figure):
    """The loss of each epoch, and the images of which the network was surest and wrong."""
    curve, images = figure.subfigures(1, 2)
    axes = curve.subplots()
    axes.semilogy(np.arange(1, len(losses) + 1), losses)
    axes.set(xlabel="epoch", ylabel="loss in training")
    for place, (image, digit, guessed) in zip(images.subplots(3, 4).flat, wrong):
        place.imshow(image, cmap="gray_r")
        place.set_title(f"{digit}, not {guessed}", fontsize=8)
    for place in images.axes:
        place.axis("off")


def main(name, make, epochs=EPOCHS):
    options = arguments(__doc__)
    begun = time.perf_counter()
    losses, right, wrong = run(make, options.quick, epochs)
    parameters = sum(p.size for p in make(np.random.default_rng()).parameters())
    print(f"{parameters:,} parameters, {len(losses)} epochs, loss {losses[0]:.3f} to {losses[-1]:.4f}")
    print(f"{right:.2%} of the held-out digits are right ({time.perf_counter() - begun:.1f} s)")
    save_picture(name, options.folder, lambda figure: draw(losses, wrong, figure))


if __name__ == "__main__":
    main("digits_mlp", network)
