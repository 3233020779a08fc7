"""Python programs as processes of their own, without the seconds that imports take.

    fork_server.run(["scripts/train.py", "--help"])  # as subprocess.run([python, ...])
    process = fork_server.start(["-m", "tests.training.program", folder])

A server, started when it is first needed and one per process of pytest, has imported
TensorFlow, Keras and this package, and done nothing else. For each program it forks a
child, which takes over the arguments, environment, folder, and standard streams that
were asked for, and becomes the program: with an exit code, output and signals of its
own, in a session of its own.

What differs from `python ...`: modules that the server has loaded count as imported,
and all children hash strings alike. Tests of the former, and a few of each script, ask
for fresh=True; programs with an environment, or options of Python, that an import may
look at get a fresh process by themselves.
"""

import atexit
import contextlib
import gc
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Variables that are looked at when a program runs, never when a module is imported.
_LATE = ("PYTEST_", "PYTHONUNBUFFERED", "KERAS_REGNET_", "SLURM", "TF_CONFIG")


def environment(**variables):
    """The variables of a program: those of this process, and the package's folder."""
    return os.environ | {"PYTHONPATH": str(ROOT)} | variables


def run(arguments, *, input=None, timeout=600, **options):
    """Runs `python *arguments` to its end; returns a `subprocess.CompletedProcess`.

    Args:
        arguments: Of python.
        input: Text for the standard input, which is empty without it.
        timeout: Seconds until it is killed, and `subprocess.TimeoutExpired` raised.
        **options: Further ones of `start`.
    """
    stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
    process = start(arguments, stdin=stdin, **options)
    try:
        out, err = process.communicate(input, timeout)
    finally:
        process.kill()
        process.wait()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def start(
    arguments,
    *,
    env=None,
    cwd=None,
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    fresh=False,
):
    """Starts `python *arguments`; returns a `subprocess.Popen`, or what acts as one.

    Args:
        arguments: Of python: a script, `-c` or `-m`, and theirs.
        env: All variables of its environment; by default `environment()`.
        cwd: Its folder; by default the one of this process.
        stdin: As for `subprocess.Popen`, and so the next two. Pipes carry text.
        stdout: See stdin.
        stderr: See stdin.
        fresh: Whether it must be a Python that has imported nothing.
    """
    arguments = [str(argument) for argument in arguments]
    env = environment() if env is None else env
    streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    if not fresh and sys.platform == "linux":
        server = _Server.of_this_process()
        if server.can_run(arguments, env):
            return ForkedProcess(server, arguments, env, cwd or os.getcwd(), streams)
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, env=env, cwd=cwd, text=True, **streams)


class ForkedProcess:
    """A child of the server, with what the tests use of `subprocess.Popen`."""

    def __init__(self, server, arguments, env, cwd, streams):
        self.args = [sys.executable, *arguments]
        self.returncode = None
        self.stdin = self.stdout = self.stderr = None
        self._told = b""
        self._threads = {}
        self._read = {}
        theirs = []
        for number, (name, wanted) in enumerate(streams.items()):
            if wanted == subprocess.PIPE:
                ends = os.pipe() if number else os.pipe()[::-1]
                setattr(self, name, open(ends[0], "r" if number else "w"))  # noqa: SIM115
                theirs.append(ends[1])
            elif wanted == subprocess.DEVNULL:
                theirs.append(os.open(os.devnull, os.O_RDWR))
            elif wanted == subprocess.STDOUT:
                theirs.append(os.dup(theirs[1]))
            else:
                theirs.append(os.dup(number if wanted is None else wanted.fileno()))
        # The server says by the connection which process it is and how it ended.
        self._connection, other = socket.socketpair()
        request = {"arguments": arguments, "env": dict(env), "cwd": str(cwd)}
        try:
            server.send(request, [other.fileno(), *theirs])
        finally:
            other.close()
            for descriptor in theirs:
                os.close(descriptor)
        self.pid = int(self._line(None))

    def _line(self, timeout):
        """The server's next line, or None if it does not come in time."""
        self._connection.settimeout(timeout)
        while b"\n" not in self._told:
            try:
                more = self._connection.recv(100)
            except (TimeoutError, BlockingIOError):
                return None
            if not more:
                raise RuntimeError("The server of forked processes has gone.")
            self._told += more
        line, _, self._told = self._told.partition(b"\n")
        return line

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            line = self._line(timeout if timeout is None else max(timeout, 0))
            if line is None:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = int(line)
            self._connection.close()
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def communicate(self, input=None, timeout=None):
        """Writes all, reads all, each in a thread; waits for the end."""
        end = None if timeout is None else time.monotonic() + timeout

        def left():
            return None if end is None else max(end - time.monotonic(), 0)

        def write():
            with contextlib.suppress(BrokenPipeError), self.stdin:
                self.stdin.write(input or "")

        def read(name):
            with getattr(self, name) as stream:
                self._read[name] = stream.read()

        if not self._threads:
            work = {"stdin": write}
            work |= {n: lambda n=n: read(n) for n in ("stdout", "stderr")}
            for name, target in work.items():
                if getattr(self, name) is not None:
                    thread = threading.Thread(target=target, daemon=True)
                    self._threads[name] = thread
                    thread.start()
        for thread in self._threads.values():
            thread.join(left())
            if thread.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout)
        self.wait(left())
        return self._read.get("stdout"), self._read.get("stderr")


class _Server:
    """The server, as this process sees it."""

    _instance = None
    _instance_lock = threading.Lock()

    @classmethod
    def of_this_process(cls):
        with cls._instance_lock:
            if cls._instance is None:
                cls._instance = cls()
                atexit.register(cls._instance.close)
        return cls._instance

    def __init__(self):
        self._environment = environment()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                env=self._environment,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is for pytest, which ends it then
            )
        if self._control.recv(100) != b"ready":
            self._process.wait()
            self._log.seek(0)
            raise RuntimeError(self._log.read().decode(errors="replace"))

    def can_run(self, arguments, env):
        """Whether a fresh process would come to nothing else."""
        names = {k for k, v in env.items() if self._environment.get(k) != v}
        names |= self._environment.keys() - env.keys()
        program = arguments[0] in ("-c", "-m") or not arguments[0].startswith("-")
        return program and all(name.startswith(_LATE) for name in names)

    def send(self, request, descriptors):
        socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)

    def close(self):
        self._control.close()
        self._process.wait()


def _import_all():
    """Imports what the programs do; returns the variables that this has set."""
    before = dict(os.environ)
    # The triton of a CUDA build of torch crashes when it is loaded after TensorFlow.
    with contextlib.suppress(ImportError):
        import triton  # noqa: F401

    # isort: off
    import keras_regnet.training.train_program  # it sets the switches
    import keras_regnet.data
    import keras_regnet.design_space
    import keras_regnet.transfer  # noqa: F401
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401
    from absl import app  # noqa: F401
    from tensorflow.python.eager import context
    # isort: on

    # Once TensorFlow has run anything it has threads, which a child would lack.
    assert not context.context()._initialized
    return {k: v for k, v in os.environ.items() if before.get(k) != v}


def _serve(control, variables):
    """Forks a child per request; returns only in the children, with their request."""
    children = {}
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    control.send(b"ready")
    while True:
        ready, _, _ = select.select([control, awake], [], [])
        if awake in ready:
            os.read(awake, 1000)
            for pid in list(children):
                found, status = os.waitpid(pid, os.WNOHANG)
                if found:
                    with children.pop(pid) as connection, contextlib.suppress(OSError):
                        connection.send(b"%d\n" % os.waitstatus_to_exitcode(status))
        if control not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, 2**22, 4)
        if not message:  # pytest has ended
            for pid in children:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            sys.exit()
        connection = socket.socket(fileno=descriptors[0])
        pid = os.fork()
        if pid:
            for descriptor in descriptors[1:]:
                os.close(descriptor)
            children[pid] = connection
            with contextlib.suppress(OSError):
                connection.send(b"%d\n" % pid)
            continue
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, descriptor in enumerate(descriptors[1:]):
            os.dup2(descriptor, number)
            os.close(descriptor)
        for each in (control, connection, *children.values()):
            each.close()
        os.close(awake)
        os.close(wake)
        request = json.loads(message)
        os.environ.clear()
        os.environ.update(request["env"] | variables)
        os.chdir(request["cwd"])
        return request["arguments"]


def _become(arguments):
    """Runs a program as Python itself does, in a module __main__ of its own."""
    import numpy as np

    np.random.seed()  # not the server's; `random` sees to that by itself
    if os.environ.get("PYTHONUNBUFFERED"):
        raw = open(1, "wb", buffering=0, closefd=False)  # noqa: SIM115
        encoding = sys.stdout.encoding
        sys.stdout = io.TextIOWrapper(raw, encoding, write_through=True)
        sys.__stdout__ = sys.stdout
    first, *rest = arguments
    if first == "-m":
        sys.path[0], sys.argv = os.getcwd(), rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        return
    main = types.ModuleType("__main__")
    if first == "-c":
        source, path = rest[0], "<string>"
        sys.path[0], sys.argv = "", ["-c", *rest[1:]]
    else:
        source, path = Path(first).read_bytes(), first
        sys.path[0], sys.argv = str(Path(first).resolve().parent), arguments
        main.__file__ = first
    sys.modules["__main__"] = main
    exec(compile(source, path, "exec"), vars(main))


def _main(control):
    code = None

    def leave():
        """The last of what a child does: to clear its memory would take half a second.

        Not after an error, of which Python itself makes what is right.
        """
        if code is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    atexit.register(leave)
    variables = _import_all()
    gc.collect()
    gc.freeze()  # children share the pages
    arguments = _serve(control, variables)
    try:
        _become(arguments)
    except SystemExit as error:
        code = 0 if error.code is None else error.code
        code = code & 0xFF if isinstance(code, int) else 1
        raise
    code = 0


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])))
