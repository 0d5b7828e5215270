import librosa
import torch

print(librosa, torch.device('cuda:0'))
