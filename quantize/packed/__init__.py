"""Weights that a checkpoint stores quantized, unpacked to float32 row by row.

One module per method. Each takes the parts of every weight it knows (`gptq`: qweight, qzeros,
scales, g_idx) out of the stored tensors and gives back tensors under the names the weights have
without packing. They know shapes and bits, and no model family.
"""

from __future__ import annotations

from quantize.packed.methods import unpack as unpack
