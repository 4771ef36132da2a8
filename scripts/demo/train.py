#!/usr/bin/env python3
"""Trains a small network to tell the arms of two spirals apart.

Everything a run leaves behind is in --out: config.json, data.safetensors, checkpoints/epoch-NNN.pt and
checkpoints/last.pt, metrics.csv, train.log and model.safetensors. The last line on standard output is
the result as JSON.
"""

import argparse
import csv
import hashlib
import json
import logging
import math
import os
import pathlib
import time

import torch
from safetensors.torch import save_file
from torch import nn

SAMPLES_PER_ARM = 100_000
TEST_SHARE = 0.2
BATCH_SIZE = 512
DATA_SEED = 7  # not --seed: runs with different parameters are compared on the same data


def two_spirals():
    generator = torch.Generator().manual_seed(DATA_SEED)
    angle = torch.sqrt(torch.rand(SAMPLES_PER_ARM, generator=generator)) * 3 * math.pi
    arm = torch.stack([angle * torch.cos(angle), angle * torch.sin(angle)], dim=1) / (3 * math.pi)
    points = torch.cat([arm, -arm])
    points += torch.randn(points.shape, generator=generator) * 0.03
    labels = torch.cat([torch.zeros(SAMPLES_PER_ARM), torch.ones(SAMPLES_PER_ARM)]).long()
    order = torch.randperm(len(points), generator=generator)
    return points[order].contiguous(), labels[order].contiguous()


def network(hidden):
    return nn.Sequential(
        nn.Linear(2, hidden), nn.ReLU(),
        nn.Linear(hidden, hidden), nn.ReLU(),
        nn.Linear(hidden, hidden), nn.ReLU(),
        nn.Linear(hidden, 2),
    )


def weights_sha256(state_dict):
    """One digest of every tensor's name, type, shape and bytes, however they were stored."""
    digest = hashlib.sha256()
    for name in sorted(state_dict):
        tensor = state_dict[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save_checkpoint(path, checkpoint):
    """Replaces `path` in one step, so that a reader or a crash never meets half a checkpoint."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        torch.save(checkpoint, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def point_last_at(path):
    last = path.with_name("last.pt")
    temporary = path.with_name("last.pt.tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(path.name)
    os.replace(temporary, last)


def train_epoch(model, optimizer, points, labels, generator):
    total = 0.0
    for batch in torch.randperm(len(points), generator=generator).split(BATCH_SIZE):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(points[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    return total / len(points)


@torch.no_grad()
def evaluate(model, points, labels):
    output = model(points)
    loss = nn.functional.cross_entropy(output, labels).item()
    accuracy = (output.argmax(dim=1) == labels).float().mean().item()
    return loss, accuracy


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.epochs < 1 or arguments.hidden < 1 or arguments.lr <= 0:
        parser.error("--epochs, --hidden and --lr must be positive")
    return arguments


def open_log(path):
    logger = logging.getLogger("train")
    logger.setLevel(logging.INFO)
    # Line-buffered, so that `tail -f` follows the run.
    handler = logging.StreamHandler(open(path, "w", buffering=1, encoding="utf-8"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    return logger


def main():
    arguments = parse_arguments()
    started = time.monotonic()
    # One thread and no nondeterministic kernels: the same arguments give the same weights.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(arguments.seed)
    shuffle = torch.Generator().manual_seed(arguments.seed)

    checkpoints = arguments.out / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    log = open_log(arguments.out / "train.log")

    config = {name: value for name, value in vars(arguments).items() if name != "out"}
    config |= {"batch_size": BATCH_SIZE, "data_seed": DATA_SEED, "optimizer": "Adam"}
    (arguments.out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    points, labels = two_spirals()
    save_file({"points": points, "labels": labels}, arguments.out / "data.safetensors")
    held_out = int(len(points) * TEST_SHARE)
    train_points, train_labels = points[held_out:], labels[held_out:]
    test_points, test_labels = points[:held_out], labels[:held_out]

    model = network(arguments.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.lr)
    log.info("%d parameters, %d points", sum(p.numel() for p in model.parameters()), len(points))

    metrics_path = arguments.out / "metrics.csv"
    with open(metrics_path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(["epoch", "train_loss", "test_loss", "accuracy"])

    for epoch in range(1, arguments.epochs + 1):
        train_loss = train_epoch(model, optimizer, train_points, train_labels, shuffle)
        test_loss, accuracy = evaluate(model, test_points, test_labels)
        with open(metrics_path, "a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([epoch, f"{train_loss:.6f}", f"{test_loss:.6f}", f"{accuracy:.6f}"])
        path = checkpoints / f"epoch-{epoch:03d}.pt"
        save_checkpoint(path, {
            "epoch": epoch,
            "config": config,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "accuracy": accuracy,
        })
        point_last_at(path)
        log.info("epoch %d: train loss %.4f, test loss %.4f, accuracy %.4f",
                 epoch, train_loss, test_loss, accuracy)
        print(f"epoch {epoch}/{arguments.epochs}  train loss {train_loss:.4f}  accuracy {accuracy:.4f}")

    save_file(model.state_dict(), arguments.out / "model.safetensors",
              metadata={"format": "pt", "hidden": str(arguments.hidden)})
    log.info("done in %.1f s", time.monotonic() - started)
    print(json.dumps({
        "epochs": arguments.epochs,
        "loss": round(test_loss, 6),
        "accuracy": round(accuracy, 6),
        "weights_sha256": weights_sha256(model.state_dict()),
    }))


if __name__ == "__main__":
    main()
