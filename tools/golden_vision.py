"""Writes the golden data of @gradus/vision: transforms as torchvision computes them, and a training step of its ResNet-18.

Run: python3 -W ignore tools/golden_vision.py (PyTorch, torchvision; float64 throughout).
"""

import pathlib

import numpy as np
import torch
import torchvision
from torchvision.transforms import functional as T
from torchvision.transforms import InterpolationMode

import golden

golden.FOLDER = pathlib.Path(__file__).parent.parent / "packages/vision/test/golden"

# Transforms ------------------------------------------------------------------------------------------------------------

MODES = {"nearest": InterpolationMode.NEAREST, "bilinear": InterpolationMode.BILINEAR}


def argument(value):
    """Arguments as JSON: tensors are stored, all else is what it is."""
    if isinstance(value, torch.Tensor):
        return golden.stored(value)
    if isinstance(value, dict):
        return {name: argument(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [argument(entry) for entry in value]
    return value


def case(op, images, args, output):
    return {"op": op, "images": golden.stored(images), "args": argument(args), "output": golden.stored(output)}


def each(images, fn):
    """What a function makes of each image, which is told the image's number."""
    return torch.cat([fn(images[i:i + 1], i) for i in range(len(images))])


def transforms():
    cases = []

    def add(op, images, args, output):
        cases.append(case(op, images, args, output))

    x = golden.normal(2, 3, 5, 7)
    add("normalize", x, [[0.1, -0.2, 0.3], [0.5, 2, 0.25]], T.normalize(x, [0.1, -0.2, 0.3], [0.5, 2, 0.25]))
    add("normalize", x, [0.1, 0.5], T.normalize(x, [0.1], [0.5]))
    add("normalize", x[0], [[0.1, 0, 0.3], 2], T.normalize(x[0], [0.1, 0, 0.3], [2, 2, 2]))

    for shape, size in [((2, 1, 8, 8), [4, 4]), ((1, 2, 7, 10), [9, 4]), ((2, 1, 5, 6), [12, 13]), ((1, 1, 11, 5), 7),
                        ((1, 1, 5, 11), 3), ((1, 2, 6, 1), [3, 4]), ((1, 1, 28, 28), [32, 32]), ((1, 1, 9, 9), [9, 3])]:
        x = golden.normal(*shape)
        for antialias in (False, True):
            add("resize", x, [size, {"antialias": antialias}], T.resize(x, size, antialias=antialias))
        add("resize", x, [size, {"interpolation": "nearest"}], T.resize(x, size, interpolation=MODES["nearest"]))

    x = golden.normal(2, 2, 6, 9)
    for size in [4, 3, [5, 2], [7, 4], [3, 12], [9, 10], [6, 9]]:
        add("centerCrop", x, [size], T.center_crop(x, size))
    add("crop", x, [1, 2, 3, 4], T.crop(x, 1, 2, 3, 4))
    for margins in [2, [1, 3], [1, 0, 4, 2]]:
        for mode in ("constant", "edge", "reflect", "symmetric"):
            add("pad", x, [margins, {"paddingMode": mode}], T.pad(x, margins, padding_mode=mode))
    add("pad", x, [1, {"fill": 0.5}], T.pad(x, 1, fill=0.5))
    add("pad", x[0], [1, {"paddingMode": "reflect"}], T.pad(x[0], 1, padding_mode="reflect"))

    x = golden.normal(3, 2, 6, 9)
    angles = torch.tensor([17.3, -64.1, 200.7])
    for mode in MODES:
        for fill in (None, 0, 0.7, [0.5, -1.25]):
            filled = [float(fill)] * 2 if isinstance(fill, (int, float)) else fill
            add("rotate", x, [angles, {"interpolation": mode, **({} if fill is None else {"fill": fill})}],
                each(x, lambda image, i: T.rotate(image, angles[i].item(), MODES[mode], fill=filled)))
        add("rotate", x, [angles, {"interpolation": mode, "center": [2, 3.5]}],
            each(x, lambda image, i: T.rotate(image, angles[i].item(), MODES[mode], center=[2, 3.5])))
        options = {"angle": torch.tensor([12.1, -33.7, 5.9]),
                   "translate": [torch.tensor([1.0, -2.0, 0.0]), torch.tensor([0.0, 2.0, -1.0])],
                   "scale": torch.tensor([0.8, 1.3, 1.05]),
                   "shear": [torch.tensor([10.3, -4.7, 20.9]), torch.tensor([-7.1, 3.3, 0.9])],
                   "interpolation": mode, "fill": [0.5, 0.25]}
        add("affine", x, [options],
            each(x, lambda image, i: T.affine(image, options["angle"][i].item(), [int(t[i]) for t in options["translate"]],
                                              options["scale"][i].item(), [s[i].item() for s in options["shear"]],
                                              MODES[mode], fill=options["fill"])))
    add("affine", x[0], [{"angle": 30.3, "scale": 0.9, "interpolation": "bilinear", "center": [1, 2]}],
        T.affine(x[0], 30.3, [0, 0], 0.9, [0.0, 0.0], MODES["bilinear"], center=[1, 2]))

    x = golden.uniform(3, 3, 4, 5, low=0, high=1)
    # Gray pixels, and those where two channels are equally large, have branches of their own.
    x[0, :, 0, 0] = 0.5
    x[0, :, 0, 1] = 0
    x[0, :, 0, 2] = 1
    x[1, :2, 0, 0] = 0.875
    x[1, 1:, 0, 1] = 0.875
    x[1, ::2, 0, 2] = 0.875
    factors = torch.tensor([0.6, 1.7, 0.0])
    turns = torch.tensor([0.21, -0.5, -0.13])
    for op, values, fn in [("adjustBrightness", factors, T.adjust_brightness), ("adjustContrast", factors, T.adjust_contrast),
                           ("adjustSaturation", factors, T.adjust_saturation), ("adjustHue", turns, T.adjust_hue)]:
        for images in (x, x[:, :1].contiguous()):
            add(op, images, [values], each(images, lambda image, i: fn(image, values[i].item())))
        add(op, x[0], [0.3], fn(x[0], 0.3))
    add("rgbToGrayscale", x, [], T.rgb_to_grayscale(x))
    add("rgbToGrayscale", x, [3], T.rgb_to_grayscale(x, 3))

    x = golden.normal(2, 3, 6, 8)
    add("erase", x, [1, 3, 4, 2, 0.5], T.erase(x, 1, 3, 4, 2, torch.tensor(0.5)))
    add("erase", x, [0, 0, 2, 8, [0.1, 0.2, 0.3]], T.erase(x, 0, 0, 2, 8, torch.tensor([0.1, 0.2, 0.3])[:, None, None]))
    corners = [torch.tensor([2, 0]), torch.tensor([1, 7]), torch.tensor([3, 0]), torch.tensor([5, 1])]
    add("erase", x, [*corners, 0],
        each(x, lambda image, i: T.erase(image, *[int(corner[i]) for corner in corners], torch.tensor(0.0))))

    boxes = [torch.tensor([1, 2]), torch.tensor([0, 3]), torch.tensor([4, 3]), torch.tensor([8, 2])]
    for mode in MODES:
        for size in [[5, 7], [9, 3]]:
            add("resizedCrop", x, [*boxes, size, {"interpolation": mode}],
                each(x, lambda image, i: T.resized_crop(image, *[int(box[i]) for box in boxes], size, MODES[mode])))
    add("resizedCrop", x[0], [1, 2, 5, 3, 4], T.resized_crop(x[0], 1, 2, 5, 3, [4, 4]))

    sigmas = torch.tensor([0.4, 1.9])
    for size in [3, 5, [1, 5]]:
        kernel = size if isinstance(size, list) else [size, size]
        # torchvision has the width first.
        add("gaussianBlur", x, [size, sigmas], each(x, lambda image, i: T.gaussian_blur(image, kernel[::-1], sigmas[i].item())))
    add("gaussianBlur", x[0], [3, 0.8], T.gaussian_blur(x[0], 3, 0.8))
    return cases


def grids():
    """Sampling at the points of a grid, with gradients; many points lie beyond the border."""
    cases = []
    for align in (False, True):
        theta = golden.normal(2, 2, 3)
        grid = torch.nn.functional.affine_grid(theta, (2, 1, 3, 4), align_corners=align)
        cases.append({"op": "affineGrid", "inputs": [golden.stored(theta)], "args": [[2, 1, 3, 4], {"alignCorners": align}],
                      "output": golden.stored(grid)})
        for mode in ("bilinear", "nearest"):
            for padding in ("zeros", "border", "reflection"):
                images = golden.normal(2, 2, 4, 5).requires_grad_()
                # Not at the border itself, where the gradient has a step.
                points = (golden.normal(2, 3, 6, 2) + 0.0004).float().double().requires_grad_()
                output = torch.nn.functional.grid_sample(images, points, mode, padding, align)
                seed = golden.normal(*output.shape)
                (output * seed).sum().backward()
                cases.append({"op": "gridSample", "inputs": [golden.stored(images), golden.stored(points)],
                              "args": [{"mode": mode, "paddingMode": padding, "alignCorners": align}],
                              "output": golden.stored(output), "seed": golden.stored(seed),
                              "gradients": [golden.stored(images.grad), golden.stored(points.grad)]})
    return cases


# ResNet-18 -------------------------------------------------------------------------------------------------------------


def hashed(key, count):
    """`count` numbers from -1 to 1 that hang on the key alone; they are the same in packages/vision/test/hashed.ts.

    FNV-1a of the key, and for each place the finalizer of MurmurHash3 (A. Appleby). 24 bits, exact in float32.
    """
    seed = 0x811C9DC5
    for byte in key.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    with np.errstate(over="ignore"):
        h = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
        h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        h = h ^ (h >> np.uint32(16))
    return ((h >> np.uint32(8)).astype(np.float64) * 2 + 1) / 2 ** 24 - 1


def filled(key, shape):
    """What a tensor of the state dict begins with, rounded to float32."""
    count = int(np.prod(shape))
    values = hashed(key, count)
    if len(shape) == 4:
        values = values * np.sqrt(6 / (shape[1] * shape[2] * shape[3]))
    elif len(shape) == 2:
        values = values * np.sqrt(3 / shape[1])
    elif key.endswith("running_var") or key.endswith("weight"):
        values = values * 0.25 + 1
    else:
        values = values * 0.25
    return torch.from_numpy(values.astype(np.float32).astype(np.float64)).reshape(shape)


SAMPLES = 64


def sampled(tensor):
    """Norm, largest entry, and entries spread evenly over a tensor."""
    flat = tensor.detach().reshape(-1)
    count = min(SAMPLES, flat.numel())
    places = [i * flat.numel() // count for i in range(count)]
    return {"norm": golden.number(flat.norm().item()), "largest": golden.number(flat.abs().max().item()),
            "samples": [golden.number(flat[place].item()) for place in places]}


def resnet18():
    model = torchvision.models.resnet18(num_classes=10).double()
    state = model.state_dict()
    model.load_state_dict({name: filled(name, tensor.shape) if tensor.is_floating_point() else tensor
                           for name, tensor in state.items()})
    images = torch.from_numpy((hashed("images", 4 * 3 * 64 * 64) * np.sqrt(3)).astype(np.float32).astype(np.float64))
    logits = model.train()(images.reshape(4, 3, 64, 64))
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([3, 0, 7, 9]))
    loss.backward()
    return {
        "logits": golden.stored(logits),
        "loss": golden.number(loss.item()),
        "gradients": [{"key": name, **sampled(p.grad)} for name, p in model.named_parameters()],
        "buffers": [{"key": name, **sampled(b)} for name, b in model.named_buffers() if b.is_floating_point()],
    }


golden.write("transforms", {"transforms": transforms(), "grids": grids()})
golden.write("resnet18-step", resnet18())
