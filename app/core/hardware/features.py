"""The instruction sets that llama.cpp's kernels ask about, as each platform spells them.

Source: ggml/src/ggml-cpu/arch/*/cpu-feats.cpp and ggml_backend_cpu_get_features (ggml-cpu.cpp);
arch/x86/include/asm/cpufeatures.h and Documentation/arch/arm64/elf_hwcaps.rst of the kernel;
sysctl names of macOS, "Determining instruction set characteristics".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

X86 = (
    "sse4.2",
    "avx",
    "avx2",
    "fma",
    "f16c",
    "bmi2",
    "avx_vnni",
    "avx512f",
    "avx512_vbmi",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
)
ARM = ("neon", "fp16", "dotprod", "i8mm", "sve", "sve2", "sme")
ALL = X86 + ARM

_LINUX = {
    "sse4_2": "sse4.2",
    "avx512vbmi": "avx512_vbmi",
    "asimd": "neon",
    "asimddp": "dotprod",
    "asimdhp": "fp16",
}
_MACOS_X86 = {"sse4.2": "sse4.2", "avx1.0": "avx", "avx512vbmi": "avx512_vbmi"}
_MACOS_ARM = {
    "hw.optional.AdvSIMD": "neon",
    "hw.optional.neon": "neon",
    "hw.optional.arm.FEAT_FP16": "fp16",
    "hw.optional.arm.FEAT_DotProd": "dotprod",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.arm.FEAT_SME": "sme",
}
_GGML = {
    "avx512": "avx512f",
    "fp16_va": "fp16",
    "matmul_int8": "i8mm",
}


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that matter, once each, in the order of the tables above."""
    known = set(names)
    return tuple(name for name in ALL if name in known)


def from_linux(flags: str) -> tuple[str, ...]:
    """From the line "flags" (x86) or "Features" (ARM) of /proc/cpuinfo."""
    return ordered(_LINUX.get(flag, flag) for flag in flags.lower().split())


def from_sysctl(values: Mapping[str, str]) -> tuple[str, ...]:
    """From macOS's sysctl, of an Apple or an Intel processor."""
    found = {name for key, name in _MACOS_ARM.items() if values.get(key) == "1"}
    x86 = f"{values.get('machdep.cpu.features', '')} {values.get('machdep.cpu.leaf7_features', '')}"
    found.update(_MACOS_X86.get(flag, flag) for flag in x86.lower().split())
    return ordered(found)


def from_ggml(names: Iterable[str]) -> tuple[str, ...]:
    """From the features of ggml's CPU backend: what its kernels were built for."""
    return ordered(_GGML.get(name.lower(), name.lower()) for name in names)
