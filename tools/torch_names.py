#!/usr/bin/env python3
"""Writes docs/pytorch-names.json: the public names of PyTorch that the compatibility table goes through.

Run: /usr/bin/python3 tools/torch_names.py
"""

import inspect
import json
import pathlib

import torch

TARGET = pathlib.Path(__file__).parent.parent / "docs/pytorch-names.json"


def classes(module, base, prefix=""):
    return sorted(name for name, value in vars(module).items()
                  if inspect.isclass(value) and issubclass(value, base) and value is not base and not name.startswith("_"))


def functions(module, suffix=None):
    return sorted(name for name, value in vars(module).items()
                  if callable(value) and not inspect.isclass(value) and not name.startswith("_")
                  and (suffix is None or name.endswith(suffix)) and not inspect.ismodule(value))


OVERRIDES = torch.overrides.get_testing_overrides()


def documented(owner):
    """Names that PyTorch documents for users, without in-place twins, dunders and what concerns storage or devices."""
    return sorted(name for name in dir(owner) if not name.startswith("_") and callable(getattr(owner, name))
                  and str(getattr(owner, name).__doc__ or "").strip() and not inspect.isclass(getattr(owner, name)))


def main():
    F = torch.nn.functional
    known = {value.__name__ for value in OVERRIDES if hasattr(value, "__name__")}
    names = {
        "torch.nn": [n for n in classes(torch.nn, torch.nn.Module) + ["Parameter", "ParameterList", "ParameterDict"]],
        "torch.nn.functional": [n for n in functions(F) if n in known or (getattr(F, n).__doc__ or "").strip()],
        "torch.nn.init": functions(torch.nn.init, "_") + ["calculate_gain"],
        "torch.nn.utils": [n for n in functions(torch.nn.utils)],
        "torch.optim": classes(torch.optim, torch.optim.Optimizer),
        "torch.optim.lr_scheduler": classes(torch.optim.lr_scheduler, object),
        "torch.utils.data": classes(torch.utils.data, object) + ["random_split", "default_collate"],
        "torch.Tensor": documented(torch.Tensor),
        "torch": documented(torch),
    }
    # What is no class of the public interface, and in-place twins, which stand and fall with the name they are of.
    internal = {"Callable", "List", "Optional", "Tuple", "Union", "Set", "boolean_dispatch", "handle_torch_function",
                "has_torch_function", "has_torch_function_unary", "has_torch_function_variadic", "Counter", "EPOCH_DEPRECATION_WARNING", "Optimizer", "partial", "defaultdict", "ABC", "wraps"}
    for area, found in names.items():
        unique = sorted(set(found) - internal)
        if area in ("torch.Tensor", "torch", "torch.nn.functional"):
            unique = [n for n in unique if not (n.endswith("_") and n[:-1] in unique)]
        names[area] = unique
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps({"version": torch.__version__, "names": names}, indent=1) + "\n")
    print({area: len(found) for area, found in names.items()})


main()
