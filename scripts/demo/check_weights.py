#!/usr/bin/env python3
"""Checks that a checkpoint holds the weights that train.py reported.

The expected digest is 64 hexadecimal digits, or a file holding them or the JSON line train.py printed.
Exit status 0 when they match, 1 when they do not.
"""

import argparse
import json
import pathlib
import re
import sys

import torch
from safetensors.torch import load_file

from train import weights_sha256

DIGEST = re.compile(r"[0-9a-f]{64}")


def expected_digest(text):
    if DIGEST.fullmatch(text.lower()):
        return text.lower()
    content = pathlib.Path(text).read_text(encoding="utf-8").strip()
    if not DIGEST.fullmatch(content.lower()):
        content = json.loads(content.splitlines()[-1])["weights_sha256"]
    return content.lower()


def state_dicts(path):
    """The weights as each way of loading finds them: mapped into memory, and read."""
    if path.suffix == ".safetensors":
        yield "mapped", load_file(path)
        return
    for how, mmap in [("read", False), ("mapped", True)]:
        yield how, torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)["model"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("expected", help="SHA-256 of the weights, or a file that holds it")
    arguments = parser.parse_args()

    expected = expected_digest(arguments.expected)
    for how, state_dict in state_dicts(arguments.checkpoint):
        found = weights_sha256(state_dict)
        if found != expected:
            print(f"{arguments.checkpoint} ({how}): weights {found}, expected {expected}", file=sys.stderr)
            return 1
    print(f"{arguments.checkpoint}: weights {expected}, as saved")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"check_weights.py: {error}")
