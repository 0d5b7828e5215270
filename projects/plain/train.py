"""A plain PyTorch script: it knows nothing of ReproKit, and it does not set a seed."""

import argparse
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def spirals(count, noise=0.15):
    """Points of two interleaved spirals, and which of the two each one is on."""
    labels = torch.randint(0, 2, (count,))
    angle = torch.rand(count).sqrt() * 9 + 1
    turned = angle + labels * torch.pi
    points = torch.stack([angle * turned.cos(), angle * turned.sin()], dim=1) / 5
    return points + noise * torch.randn(count, 2) / 5, labels


def accuracy(model, points, labels):
    """The share of the points that the model has right."""
    model.eval()
    with torch.no_grad():
        return (model(points).argmax(1) == labels).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=64)
    args = parser.parse_args()

    train_points, train_labels = spirals(2000)
    test_points, test_labels = spirals(500)
    loader = DataLoader(
        TensorDataset(train_points, train_labels), batch_size=args.batch_size, shuffle=True
    )
    model = nn.Sequential(
        nn.Linear(2, args.hidden),
        nn.ReLU(),
        nn.Linear(args.hidden, args.hidden),
        nn.ReLU(),
        nn.Linear(args.hidden, 2),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)

    for epoch in range(1, args.epochs + 1):
        model.train()
        total = 0.0
        for points, labels in loader:
            loss = nn.functional.cross_entropy(model(points), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(points)
        print(f"epoch {epoch} loss {total / len(train_points):.6f}", flush=True)

    print(f"test accuracy {accuracy(model, test_points, test_labels):.4f}")
    Path("checkpoints").mkdir(exist_ok=True)
    torch.save(model.state_dict(), "checkpoints/model.pt")


if __name__ == "__main__":
    main()
