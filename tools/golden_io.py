"""Writes small files of torch.save and numpy.save, and what they hold, to packages/gradus/test/golden/io/.

Run it as /usr/bin/python3 -W ignore tools/golden_io.py. `expected.json` has the values of every file that can be read. The
files in `refused/` are those that must not be: what they would run, if anything ran it, is `echo`.
"""

import argparse
import collections
import json
import os
import posix
import subprocess
import zipfile

import numpy
import torch
import torchvision

import golden

FOLDER = golden.FOLDER / "io"
REFUSED = FOLDER / "refused"
REFUSED.mkdir(parents=True, exist_ok=True)

expected = {}


def number(x):
    return golden.number(x) if x != x or abs(x) == float("inf") else x


def stored(tensor):
    """Exact values: float16 and bfloat16 as float32, all integers but uint8 as int32."""
    tensor = tensor.detach()
    names = {torch.float16: "float32", torch.bfloat16: "float32", torch.int64: "int32", torch.int16: "int32", torch.int8: "int32"}
    dtype = names.get(tensor.dtype, str(tensor.dtype).removeprefix("torch."))
    values = (tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor).reshape(-1).tolist()
    return {"shape": list(tensor.shape), "dtype": dtype, "data": [number(v) for v in values]}


def save(name, value, tensors=None, **options):
    torch.save(value, FOLDER / name, **options)
    if tensors is not None:
        expected[name] = {key: stored(tensor) for key, tensor in tensors.items()}


def normal(*shape, dtype=torch.float32):
    return golden.normal(*shape).to(dtype)


def random_state(module, dtype=torch.float32):
    module = module.to(dtype)
    module.load_state_dict({key: normal(*tensor.shape, dtype=tensor.dtype) for key, tensor in module.state_dict().items()})
    return module


# State dicts ----------------------------------------------------------------------------------------------------------

lstm = random_state(torch.nn.LSTM(3, 4, num_layers=2)).state_dict()
save("lstm.pt", lstm, lstm)
for protocol in (3, 4, 5):
    save(f"lstm-protocol-{protocol}.pt", lstm, lstm, pickle_protocol=protocol)

halves = {
    "float16": normal(2, 3, dtype=torch.float16),
    "bfloat16": normal(2, 3, dtype=torch.bfloat16),
    "extremes16": torch.tensor([65504, -65504, 2**-14, 2**-24, -(2**-24), 0.0, float("inf"), float("nan")], dtype=torch.float16),
    "extremesB": torch.tensor([3.3895314e38, 1e-40, -0.0, float("-inf"), float("nan")], dtype=torch.bfloat16),
}
save("half.pt", halves, halves)

integers = {
    "int64": torch.tensor([[-(2**31), 2**31 - 1], [0, -7]], dtype=torch.int64),
    "int32": torch.tensor([-(2**31), 2**31 - 1, 5], dtype=torch.int32),
    "int16": torch.tensor([-(2**15), 2**15 - 1, 5], dtype=torch.int16),
    "int8": torch.tensor([-128, 127, 5], dtype=torch.int8),
    "uint8": torch.tensor([0, 255, 5], dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]),
    "float64": normal(3, dtype=torch.float64) / 3,
}
save("dtypes.pt", integers, integers)
save("wide-integer.pt", {"step": torch.tensor([1, 2**40])})

# Views ----------------------------------------------------------------------------------------------------------------

base = normal(4, 6)
views = {
    "base": base,
    "transposed": base.t(),
    "row": base[2],
    "column": base[:, 3],
    "every_other": base[1::2, ::3],
    "expanded": base[1:2].expand(3, 6),
    "ones": torch.tensor(1.5, dtype=torch.float32).expand(2, 3, 2),
    "permuted": base.view(2, 2, 6).permute(2, 0, 1),
    "overlapping": base.as_strided((5, 4), (3, 2), 1),
    "again": base,
    "scalar": base[3, 5],
    "empty": torch.zeros(0, dtype=torch.float32),
    "empty_rows": base[2:2],
    "parameter": torch.nn.Parameter(normal(2, 2)),
}
save("views.pt", views, views)

# Checkpoints ----------------------------------------------------------------------------------------------------------

model = random_state(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)))
optimizer = torch.optim.Adam([
    {"params": model[0].parameters(), "lr": 0.02},
    {"params": model[2].parameters(), "weight_decay": 0.01},
], lr=0.01, betas=(0.8, 0.99))
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 5], gamma=0.5)
inputs, targets = normal(4, 5, 3), normal(4, 5, 2)


def train(i):
    optimizer.zero_grad()
    ((model(inputs[i]) - targets[i]) ** 2).mean().backward()
    optimizer.step()
    scheduler.step()


train(0)
train(1)
checkpoint = {
    "epoch": 3,
    "best": 0.1 + 0.2,
    "done": False,
    "nothing": None,
    "big": 2**70,
    "negative": -(2**40),
    "bytes": b"\x00\xffab",
    "device": torch.device("cuda", 1),
    "dtype": torch.bfloat16,
    "size": torch.Size([2, 3]),
    "names": ["é", "日本", ""],
    "pair": (1, "two"),
    "set": {3},
    "by_number": {1: "one", 20: "twenty"},
    "by_pair": {(1, 2): "tuple", None: "none", 0.5: "half"},
    "counts": collections.defaultdict(list, {"a": [1, 2]}),
    "model": model.state_dict(),
    "optimizer": optimizer.state_dict(),
    "scheduler": scheduler.state_dict(),
}
save("checkpoint.pt", checkpoint, {
    **{f"model.{key}": tensor for key, tensor in model.state_dict().items()},
    **{f"optimizer.state.{i}.{key}": tensor
       for i, entry in optimizer.state_dict()["state"].items() for key, tensor in entry.items()},
})
# Two more steps, by which it is seen that the optimizer goes on as PyTorch's does.
expected["training"] = {"inputs": stored(inputs), "targets": stored(targets)}
train(2)
train(3)
expected["trained"] = {key: stored(tensor) for key, tensor in model.state_dict().items()}

parallel = torch.nn.DataParallel(model)
save("parallel.pt", {"state_dict": parallel.state_dict(), "epoch": 1},
     {f"module.{key}": tensor for key, tensor in model.state_dict().items()})

# ResNet-18 of torchvision with its keys and shapes: every tensor is a view of one small storage, with small strides. The
# first 1024 elements are positive, for the scales and variances of the norms.
index = torch.arange(11000)
storage = ((index * 37) % 1009 - 504).float() / 5040
storage[:1024] = 0.5 + storage[:1024].abs()
counts = torch.arange(100, 120)
resnet = {}
for i, (key, tensor) in enumerate(torchvision.models.resnet18().state_dict().items()):
    if tensor.dim() == 0:
        resnet[key] = counts[len([k for k in resnet if k.endswith("num_batches_tracked")])]
    elif tensor.dim() == 1:
        is_positive = key.endswith("running_var") or (key.endswith("weight") and tensor.dim() == 1)
        resnet[key] = torch.as_strided(storage, tensor.shape, (1,), i if is_positive else 1024 + 3 * i)
    else:
        resnet[key] = torch.as_strided(storage, tensor.shape, (7, 5, 3, 1)[:tensor.dim()], 1024 + i)
resnet = collections.OrderedDict(resnet)
save("resnet18.pt", resnet)
expected["resnet18"] = {key: {"shape": list(t.shape), "stride": list(t.stride()), "offset": t.storage_offset()}
                        for key, t in resnet.items()}
network = torchvision.models.resnet18().float()
network.load_state_dict(resnet)
image = normal(1, 3, 32, 32)
with torch.no_grad():
    logits = network.eval()(image)
vision = golden.FOLDER.parent.parent.parent / "vision/test/golden"
vision.mkdir(exist_ok=True)
run = {name: [golden.number(round(v, 7)) for v in tensor.reshape(-1).tolist()] for name, tensor in (("image", image), ("logits", logits))}
(vision / "resnet18.json").write_text(json.dumps(run, separators=(",", ":")) + "\n")

# Refused --------------------------------------------------------------------------------------------------------------


class Runs:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


class Custom:
    pass


Custom.__module__ = "__main__"


def refuse(name, value, **options):
    torch.save(value, REFUSED / name, **options)


for name, call in {
    "os-system": (os.system, ("echo run",)),
    "posix-system": (posix.system, ("echo run",)),
    "eval": (eval, ("1 + 1",)),
    "exec": (exec, ("x = 1",)),
    "popen": (subprocess.Popen, (["echo", "run"],)),
    "getattr": (getattr, ("text", "upper")),
    "import": (__import__, ("os",)),
    "torch-load": (torch.load, ("other.pt",)),
    "hub": (torch.hub.load, ("repository", "model")),
}.items():
    refuse(f"{name}.pt", {"weight": torch.ones(2), "evil": Runs(*call)})
refuse("whole-module.pt", torch.nn.Linear(2, 2).float())
refuse("namespace.pt", {"args": argparse.Namespace(lr=0.1)})
refuse("custom.pt", {"thing": Custom()})
refuse("numpy-scalar.pt", {"best": numpy.float64(0.5)})
refuse("complex.pt", {"w": torch.ones(2, dtype=torch.complex64)})
refuse("quantized.pt", {"w": torch.quantize_per_tensor(torch.ones(2, dtype=torch.float32), 0.1, 0, torch.qint8)})
refuse("sparse.pt", {"w": torch.eye(2, dtype=torch.float32).to_sparse()})
refuse("legacy.pt", lstm, _use_new_zipfile_serialization=False)
torch.jit.script(torch.nn.Linear(2, 2)).save(str(REFUSED / "torchscript.pt"))

# NumPy ----------------------------------------------------------------------------------------------------------------

arrays = {
    "f2": normal(2, 3).numpy().astype("<f2"),
    "f4": normal(2, 3).numpy().astype("<f4"),
    "f8": normal(2, 3).numpy().astype("<f8") / 3,
    "i1": numpy.array([[-128, 127], [0, 5]], "|i1"),
    "i2": numpy.array([-(2**15), 2**15 - 1], "<i2"),
    "i4": numpy.array([-(2**31), 2**31 - 1], "<i4"),
    "i8": numpy.array([-(2**31), 2**31 - 1], "<i8"),
    "u1": numpy.array([0, 255], "|u1"),
    "u2": numpy.array([0, 2**16 - 1], "<u2"),
    "u4": numpy.array([0, 2**31 - 1], "<u4"),
    "u8": numpy.array([0, 2**31 - 1], "<u8"),
    "b1": numpy.array([True, False, True]),
    "big-f2": normal(2, 3).numpy().astype(">f2"),
    "big-f4": normal(2, 3).numpy().astype(">f4"),
    "big-f8": normal(2, 3).numpy().astype(">f8") / 3,
    "big-i2": numpy.array([-(2**15), 2**15 - 1], ">i2"),
    "big-i4": numpy.array([-(2**31), 2**31 - 1, 258], ">i4"),
    "big-i8": numpy.array([-(2**31), 258], ">i8"),
    "fortran": numpy.asfortranarray(normal(2, 3, 4).numpy()),
    "scalar": numpy.array(2.5, "<f4"),
    "empty": numpy.zeros((2, 0, 3), "<f4"),
    "vector": normal(5).numpy(),
    "long-shape": normal(2).numpy().reshape((1,) * 20 + (2,)),
}


def stored_array(array):
    kinds = {"f2": "float32", "f4": "float32", "f8": "float64", "u1": "uint8", "b1": "bool"}
    dtype = kinds.get(array.dtype.str[1:], "int32")
    return {"shape": list(array.shape), "dtype": dtype, "data": [number(v) for v in array.reshape(-1).tolist()]}


for name, array in arrays.items():
    numpy.save(FOLDER / f"{name}.npy", array)
    expected[f"{name}.npy"] = {"array": stored_array(array)}
for version in ((2, 0), (3, 0)):
    name = f"version-{version[0]}.npy"
    with open(FOLDER / name, "wb") as file:
        numpy.lib.format.write_array(file, arrays["f4"], version=version)
    expected[name] = {"array": stored_array(arrays["f4"])}
several = {name: arrays[name] for name in ("f2", "f4", "i8", "b1", "fortran", "scalar", "empty")}
for name, write in (("stored.npz", numpy.savez), ("compressed.npz", numpy.savez_compressed)):
    write(FOLDER / name, **several)
    # numpy.savez writes the time of day.
    with zipfile.ZipFile(FOLDER / name) as archive:
        contents = [(i.filename, i.compress_type, archive.read(i)) for i in archive.infolist()]
    with zipfile.ZipFile(FOLDER / name, "w") as archive:
        for filename, compress_type, content in contents:
            archive.writestr(zipfile.ZipInfo(filename), content, compress_type)
    expected[name] = {key: stored_array(array) for key, array in several.items()}
for name, array in {
    "text": numpy.array(["a", "bc"]),
    "bytes": numpy.array([b"a", b"bc"]),
    "complex": numpy.array([1j]),
    "times": numpy.array(["2024-02-29"], "M8[D]"),
    "records": numpy.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
    "objects": numpy.array([{"a": 1}], object),
    "wide-integer": numpy.array([2**40]),
    "half-complex": numpy.array([1], "<f16") if hasattr(numpy, "float128") else numpy.array([1j]),
}.items():
    numpy.save(REFUSED / f"{name}.npy", array, allow_pickle=True)

(FOLDER / "expected.json").write_text(
    "{\n" + ",\n".join(f'"{name}": {json.dumps(value, separators=(",", ":"))}' for name, value in expected.items()) + "\n}\n")
print(f"{sum(file.stat().st_size for file in FOLDER.rglob('*') if file.is_file()) / 1024:.0f} KiB")
