import random

import torch

SEED = 123


def main():
    random.seed(SEED)
    torch.manual_seed(42)
    with open("log.txt", "w") as stream:
        stream.write("done")


if __name__ == "__main__":
    main()
