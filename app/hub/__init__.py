"""The model hub: what it has, and getting files from it whole and verified. The only network."""

import os

# Read by huggingface_hub when it is first imported, which happens in here alone: nothing but what
# was asked for leaves the machine, and no other program's token is used.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"
