"""How a run's network came to be, in a few facts for those who get the network."""

import json
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Where things were on the machine that trained says nothing elsewhere.
_LOCAL_FOLDERS = ("--data_dir", "--run_dir", "--publish_dir")
_LOCAL = (*_LOCAL_FOLDERS, "--resume", "--verbose")


def training_facts(run_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """The facts of a run that is complete.

    Args:
        run_dir: The run directory.

    Returns:
        JSON types: `data_set`, `recipe`, `epochs`, `seed`, `precision`, `hours`,
        `devices`, `git_commit` and `command`, as far as the run tells.

    Raises:
        ValueError: The run is not complete.
    """
    path = Path(run_dir)
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        result = json.loads((path / "result.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(
            "A complete run has a config.json and a result.json; finish it with "
            f"--resume. Received: {path}, without {Path(error.filename).name}"
        ) from None
    configuration, environment = config["configuration"], config["environment"]
    command = environment.get("command_line", [])
    facts = {
        "data_set": without_folders(configuration.get("data", {}).get("name", "")),
        "recipe": configuration.get("recipe"),
        "epochs": result.get("epochs"),
        "seed": configuration.get("seed"),
        "precision": configuration.get("model", {}).get("precision"),
        "hours": round(result.get("seconds", 0) / 3600, 2),
        "devices": ", ".join(environment.get("devices", [])),
        "git_commit": environment.get("git_commit"),
        "command": command_text(command),
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def command_text(words: Sequence[str]) -> str:
    """A command line without what is of one machine alone.

    Args:
        words: The program and its arguments; nothing for an empty text.
    """
    if not words:
        return ""
    program = Path(words[0])
    kept = [f"{program.parent.name}/{program.name}".lstrip("/")]
    skip = False
    for word in words[1:]:
        name, equals, _ = word.replace("--no", "--", 1).partition("=")
        if skip:
            skip = word.startswith("--")
            if not skip:
                continue
        if name in _LOCAL or word.partition("=")[0] in _LOCAL:
            skip = not equals and name in _LOCAL_FOLDERS
            continue
        kept.append(shlex.quote(without_folders(word)))
    return " ".join(kept)


def without_folders(word: str) -> str:
    """A word or `name=value` in which an absolute path is its last part."""
    return re.sub(r"(^|[=:])~?/(?:[^/]*/)*([^/]+)/?$", r"\1\2", word)
