"""The reference: llama.cpp's own quantizer on a finished GGUF.

Usage: python -m tests.bench.quantize_reference SOURCE.gguf OUT.gguf FTYPE N_THREADS
"""

from __future__ import annotations

import ctypes
import sys

from quantize.libllama import lib


def main(source: str, out: str, ftype: int, n_threads: int) -> int:
    lib.llama_backend_init()
    params = lib.llama_model_quantize_default_params()
    params.ftype = ftype
    params.nthread = n_threads
    return int(lib.llama_model_quantize(source.encode(), out.encode(), ctypes.byref(params)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
