"""Renders chat templates as transformers does: runs in its Python, JSON on stdin and stdout.

A job has "template", "messages", "answer" and "variables"; the reply is a list of texts, or of
lists with the error's name where the template refuses.
"""

from __future__ import annotations

import json
import sys

from transformers.utils.chat_template_utils import render_jinja_template


def _render(job: dict) -> str | list[str]:
    try:
        rendered, _ = render_jinja_template(
            conversations=[job["messages"]],
            chat_template=job["template"],
            add_generation_prompt=job["answer"],
            **job["variables"],
        )
    except Exception as error:  # whatever a template raises
        return [f"{type(error).__name__}: {error}"]
    return rendered[0]


json.dump([_render(job) for job in json.load(sys.stdin)], sys.stdout)
