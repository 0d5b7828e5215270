import torch
import transformers

torch.manual_seed(0)
print(transformers.__name__)
