from pathlib import Path

import einops
import torch

OUT = Path("outputs")
torch.manual_seed(11)
Path("outputs").mkdir(exist_ok=True)
(OUT / "x.txt").write_text(einops.__version__)
