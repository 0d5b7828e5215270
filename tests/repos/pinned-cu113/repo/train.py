import argparse
import os

import torch


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--save-dir", default="checkpoints")
    parser.add_argument("--resume", default=None)
    parser.add_argument("--amp", action="store_true")
    parser.add_argument("--momentum", default=0.9)
    return parser.parse_args()


def main():
    args = options()
    torch.manual_seed(args.seed)
    device = torch.device("cuda")
    os.makedirs(args.save_dir, exist_ok=True)
    weight = torch.zeros(1, device=device)
    torch.save(weight, os.path.join("results", "weight.pt"))


if __name__ == "__main__":
    main()
