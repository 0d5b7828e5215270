import sys
from utils.io import yaml

import model
import my_private_thing
import clip
import numpy as np
from torch.utils.tensorboard import SummaryWriter

np.random.seed(2)
writer = SummaryWriter("runs/first")
other = SummaryWriter(log_dir="tb/first")
print(sys, yaml, model, my_private_thing, clip)
