"""Workers that train nothing: what comes out follows from the network's number."""

from keras_regnet.design_space.trial import TrialResult
from keras_regnet.design_space.worker import Outcome


def result(number):
    return TrialResult(
        errors=(0.9, round(0.5 / (1 + number), 5)),
        train_errors=(0.8, 0.4),
        train_losses=(2.0, 1.0),
        seconds={"training": 1.5, "judging": 0.25},
    )


class FakePool:
    """A pool of so many workers, which answer in the reverse order.

    Args:
        count: How many workers.
        dies: How many times the worker dies over each number.
        fails: Reasons by number.
        then: Called with a number before its outcome is given.
    """

    def __init__(self, count=2, dies=None, fails=None, then=None):
        self.count = count
        self.dies = dict(dies or {})
        self.fails = fails or {}
        self.then = then or (lambda number: None)
        self.given = []
        self._tasks = []

    def free(self):
        return self.count - len(self._tasks)

    def workers(self):
        return self.count

    def give(self, task):
        assert self.free()
        self.given.append(task.number)
        self._tasks.append(task)

    def wait(self, seconds):
        task = self._tasks.pop()
        number = task.number
        self.then(number)
        if self.dies.get(number, 0):
            self.dies[number] -= 1
            return [Outcome(task, "w", reason="SIGKILL", died=True)]
        if number in self.fails:
            return [Outcome(task, "w", reason=self.fails[number])]
        return [Outcome(task, "w", result(number))]

    def close(self):
        pass
