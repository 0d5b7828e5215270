import torch

print(torch)
