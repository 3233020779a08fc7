"""Runs the scripts as a user does, in processes of their own."""

from tests import fork_server
from tests.fork_server import ROOT

# A network and data so small that a run takes seconds.
TINY = [
    "--block=x",
    "--depth=2",
    "--w0=8",
    "--wa=8",
    "--wm=2",
    "--group_width=8",
    "--image_size=8",
    "--batch_size=479",
    "--verbose=1",
]


def start(script, *arguments, **options):
    """Starts a script; the options are those of `fork_server.start`."""
    return fork_server.start(
        [ROOT / "scripts" / f"{script}.py", *arguments],
        env=fork_server.environment(PYTHONUNBUFFERED="1"),
        **options,
    )


def completed(script, *arguments, code=0, fresh=False):
    """Runs a script to its end, which must be this one; returns all about it."""
    done = fork_server.run(
        [ROOT / "scripts" / f"{script}.py", *arguments],
        env=fork_server.environment(PYTHONUNBUFFERED="1"),
        fresh=fresh,
    )
    assert done.returncode == code, done.stderr
    return done


def run(script, *arguments, code=0, fresh=False):
    """Runs a script to its end; returns its standard output, or error if it fails."""
    done = completed(script, *arguments, code=code, fresh=fresh)
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout
