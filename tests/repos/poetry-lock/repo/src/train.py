import requests
import torch

torch.manual_seed(5)
print(requests.__name__)
