import numpy
import torch

numpy.random.seed(3)
print(torch.zeros(1))
