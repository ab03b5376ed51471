"""What must be on the machine before pip: libraries Qt links to, a compiler, tools for the tests.

Needs are found by trying (load the library, look for the program), so that any Linux that has them
passes; package names are Debian's and Ubuntu's, the only systems where anything is installed.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from devtools.console import CommandError, Phase, SetupError, run_visibly, say
from devtools.hints import explain

# What PySide6's QtCore, QtGui, QtNetwork and its X11 plug-in are linked to (readelf -d), and the
# package of each. libwayland is left out: a Wayland desktop has it, and X11 does without.
QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libbrotlidec.so.1": "libbrotli1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
# llama.cpp runs its threads with OpenMP.
ENGINE_LIBRARIES = {"libgomp.so.1": "libgomp1"}
# The tests open real windows on a display of their own, type into them and look at pictures.
TEST_PROGRAMS = {
    "Xvfb": "xvfb",
    "xdotool": "xdotool",
    "import": "imagemagick",
    "xprop": "x11-utils",
}
_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")


def missing_to_run() -> list[str]:
    """The packages without which no window opens."""
    return [*_missing_libraries(), *_missing_font()] if sys.platform == "linux" else []


def missing_to_test() -> list[str]:
    """The packages that the tests need on top, for windows on a display of their own."""
    if sys.platform != "linux":
        return []
    programs = [deb for name, deb in TEST_PROGRAMS.items() if not shutil.which(name)]
    return [*missing_to_run(), *programs]


def missing_to_make_venv() -> list[str]:
    """Debian splits ensurepip out of Python."""
    there = importlib.util.find_spec("ensurepip") is not None
    return [] if there else [f"python3.{sys.version_info.minor}-venv"]


def missing_to_compile() -> list[str]:
    """llama-cpp-python is published as source only. Raises SetupError where apt cannot help."""
    if sys.platform == "darwin" and not _succeeds("xcode-select", "-p"):
        raise SetupError(
            "Compiling llama.cpp needs Apple's command line tools.",
            "Install them with: xcode-select --install",
        )
    if sys.platform == "win32" and not _has_visual_cpp():
        raise SetupError(
            "Compiling llama.cpp needs Microsoft's C++ compiler.",
            "Install “Build Tools for Visual Studio” with the workload “Desktop development with "
            "C++”, then run the same command again.",
        )
    compilers = (os.environ.get("CXX"), "c++", "g++", "clang++")
    return ["g++"] if sys.platform == "linux" and not _has_program(*compilers) else []


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def _has_program(*names: str | None) -> bool:
    return any(name and shutil.which(name.split()[0]) for name in names)


def _has_visual_cpp() -> bool:
    installer = Path(os.environ.get("PROGRAMFILES(X86)", "C:/Program Files (x86)"))
    return (installer / "Microsoft Visual Studio/Installer/vswhere.exe").exists()


def _missing_libraries() -> list[str]:
    wanted = QT_LIBRARIES | ENGINE_LIBRARIES
    return [deb for soname, deb in wanted.items() if not _can_load(soname)]


def _can_load(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def _missing_font() -> list[str]:
    """A machine without any font shows boxes instead of letters."""
    folders = (Path(name).expanduser() for name in _FONT_FOLDERS)
    fonts = (font for folder in folders for font in folder.rglob("*.[to]t[fc]"))
    return [] if next(fonts, None) else ["fonts-dejavu-core"]


def provide(packages: Iterable[str], log: Path) -> None:
    """Install these Debian packages, or say how to. Raises SetupError."""
    wanted = sorted(set(packages))
    if not wanted:
        return
    names = " ".join(wanted)
    if not shutil.which("apt-get"):
        raise SetupError(
            f"These system packages are missing (by their Debian names): {names}.",
            "Install them with this system's package manager, then run the same command again.",
        )
    prefix = _administrator()
    if prefix is None:
        raise SetupError(
            "Some system packages are missing, and installing them needs an administrator.",
            f"Run: sudo apt-get update && sudo apt-get install -y --no-install-recommends {names}",
        )
    _apt_install(prefix, wanted, log)


def _administrator() -> list[str] | None:
    """What to put before a command to run it as root; None when that asks for a password."""
    if os.geteuid() == 0:
        return []
    return ["sudo", "-n"] if _succeeds("sudo", "-n", "true") else None


def _apt_install(prefix: list[str], packages: list[str], log: Path) -> None:
    names = " ".join(packages)
    say(f"Installing system packages: {names}")
    apt = [
        *prefix,
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=120",
    ]
    with contextlib.suppress(CommandError):  # one bad list need not matter: the next step tells
        run_visibly([*apt, "update"], Phase("Reading the list of system packages"), log)
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    try:
        run_visibly(install, Phase("Installing system packages"), log)
    except CommandError as error:
        raise explain(
            error, f"The system packages could not be installed: {names}.", log
        ) from error
