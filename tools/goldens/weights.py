"""Makes tests/golden/weights: tensors with weight norm in both spellings and over every dimension,
and the weights that torch computes from them; a Dense module of another golden as torch.save writes
it.

    python tools/goldens/weights.py [--check]
"""
import argparse
import pathlib
import warnings

import torch
from safetensors.torch import load_file, save_file
from torch.nn.utils import parametrizations, weight_norm

import fresh

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/weights"
DENSE = OUT.parent / "distilbert/sentence-max/2_Dense/model.safetensors"


def make(out):
    generator = torch.Generator().manual_seed(5)
    given, wanted = {}, {}
    for old in (False, True):
        for dim in (0, 1, 2, None):
            for dtype in (torch.float32, torch.float16):
                name = f"{'old' if old else 'new'}.dim{dim}.{str(dtype)[6:]}"
                module = torch.nn.Conv1d(4, 6, 3)
                with torch.no_grad():
                    module.weight.copy_(torch.randn(module.weight.shape, generator=generator))
                    module.bias.copy_(torch.randn(6, generator=generator))
                (weight_norm if old else parametrizations.weight_norm)(module, dim=dim)
                with torch.no_grad():
                    for key, p in module.named_parameters():
                        if key.endswith(("_g", "original0")):
                            p.mul_(1 + 0.5 * torch.rand(p.shape, generator=generator))
                        p.copy_(p.to(dtype).float())
                    weight = torch._weight_norm(
                        *[module.get_parameter(n).double() for n in
                          (("weight_v", "weight_g") if old else
                           ("parametrizations.weight.original1", "parametrizations.weight.original0"))],
                        -1 if dim is None else dim)
                given |= {f"{name}.{k}": v.detach().to(dtype).clone() for k, v in module.state_dict().items()}
                wanted |= {f"{name}.weight": weight.float().clone(),
                           f"{name}.bias": module.bias.detach().to(dtype).clone()}
    for folder, tensors in (("weight-norm", given), ("weight-norm-merged", wanted)):
        (out / folder).mkdir(parents=True, exist_ok=True)
        save_file(tensors, out / folder / "model.safetensors", metadata={"format": "pt"})
    (out / "dense").mkdir(exist_ok=True)
    torch.save(load_file(DENSE), out / "dense/pytorch_model.bin")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    fresh.make_or_check(args.check, make, OUT)


if __name__ == "__main__":
    main()
