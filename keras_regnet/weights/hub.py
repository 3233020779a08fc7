"""Files of models on the Hugging Face hub."""

import importlib
import os
import re
import urllib.parse
from pathlib import Path
from typing import Any

from keras_regnet.files import local_path
from keras_regnet.weights import download
from keras_regnet.weights.transfer import Refused, etags, shown

_HUB = "https://huggingface.co"


def fetch_from_hub(
    repo_id: str,
    file_name: str,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Path:
    """A file of a model on the Hugging Face hub.

    With `huggingface_hub` installed, that library does it: its cache, its login for
    models that need one. Otherwise as `fetch` from the hub's address. Both take
    `HF_ENDPOINT` for another address. What is in the cache is returned without a
    request, even if the hub has a newer version; `revision` asks for one.

    Args:
        repo_id: `"owner/model"`.
        file_name: Of the file in the model.
        revision: A branch, tag or commit; by default `main`.
        sha256: As in `fetch`. Where it is None, what is downloaded is checked against
            the SHA-256 that the hub states of large files.
        cache_dir: The folder; by default that of the library, or
            `models/keras_regnet/hub` in Keras' cache.
        progress: As in `fetch`.

    Returns:
        The path of the file.

    Raises:
        ValueError: An argument is impossible.
        DownloadError: As in `fetch`.
    """
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repo_id):
        raise ValueError(f"`repo_id` must be 'owner/model'. Received: {repo_id!r}")
    if cache_dir is not None:
        cache_dir = local_path(cache_dir, "cache_dir")
    endpoint = os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")
    quoted = urllib.parse.quote(revision or "main", safe="")
    url = f"{endpoint}/{repo_id}/resolve/{quoted}/{urllib.parse.quote(file_name)}"
    kept_as = "--".join(
        (*repo_id.split("/"), *([quoted] if revision else []), file_name)
    )
    download.check(url, kept_as, sha256)
    try:
        library = importlib.import_module("huggingface_hub")
        importlib.import_module("huggingface_hub.utils")
    except ImportError:
        folder = Path(cache_dir or download.own_folder("hub"))
        if sha256 is None and not (folder / kept_as).exists():
            # A large file's ETag is its SHA-256. The hub sends one on to where the
            # bytes are, and states the ETag in that answer, too.
            sha256 = next(filter(None, map(_digest, etags(url))), None)
        return download.fetch(
            url,
            file_name=kept_as,
            sha256=sha256,
            cache_dir=folder,
            progress=progress,
        )
    return _by_library(
        library,
        url,
        sha256,
        progress,
        repo_id=repo_id,
        filename=file_name,
        revision=revision,
        cache_dir=cache_dir,
        endpoint=endpoint,
    )


def _by_library(
    hub: Any, url: str, sha256: str | None, progress: bool, **arguments: Any
) -> Path:
    silent = hub.utils.are_progress_bars_disabled() or (progress and shown())
    if not silent:
        hub.utils.disable_progress_bars()
    try:
        try:
            path = Path(hub.hf_hub_download(**arguments, local_files_only=True))
        except FileNotFoundError:
            path = Path(hub.hf_hub_download(**arguments))
        # The library's cache has the file under its ETag, and a link to it.
        sha256 = sha256 or _digest(path.resolve().name)
    except Exception as error:  # of the library, and of the one below it
        place = f"the library's cache, with `hf download {arguments['repo_id']}`"
        raise download.failure(
            url, place, f"{type(error).__name__}: {error}"
        ) from error
    finally:
        if not silent:
            hub.utils.enable_progress_bars()
    try:
        download.verify(path, sha256)
    except Refused as error:
        # Other programs use the library's cache, too: it stays as it is.
        reason = f"{error}. It is in the cache of huggingface_hub; if it is damaged "
        reason += f"there, `hf download {arguments['repo_id']} --force-download` "
        reason += "loads it anew"
        raise download.failure(url, path, reason) from error
    return path


def _digest(etag: str) -> str | None:
    """The SHA-256 that an ETag is, or None for another kind of ETag."""
    text = etag.removeprefix("W/").strip('"')
    return text if re.fullmatch("[0-9a-f]{64}", text) else None
