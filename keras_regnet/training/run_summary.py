"""How a run's network came to be, in a few facts for those who get the network."""

import json
import os
from pathlib import Path
from typing import Any

# Where things were on the machine that trained says nothing elsewhere.
_LOCAL = ("--data_dir", "--run_dir", "--resume", "--verbose")


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
        "data_set": configuration.get("data", {}).get("name"),
        "recipe": configuration.get("recipe"),
        "epochs": result.get("epochs"),
        "seed": configuration.get("seed"),
        "precision": configuration.get("model", {}).get("precision"),
        "hours": round(result.get("seconds", 0) / 3600, 2),
        "devices": ", ".join(environment.get("devices", [])),
        "git_commit": environment.get("git_commit"),
        "command": _command(command),
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def _command(words: list[str]) -> str:
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
            skip = not equals and name in ("--data_dir", "--run_dir")
            continue
        kept.append(word)
    return " ".join(kept)
