"""What the ways to a phone's figures have in common: whatever befalls a job becomes its answer."""

from abc import ABC, abstractmethod

from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement, failure
from deploy.targets.target import TargetLostError


class Way(ABC):
    """A way to figures: the demo app, or the user's tool."""

    def answer(self, job: Job, time_limit: float) -> Measurement:
        """Carry out ``job`` in a fresh process; only TargetLostError is raised."""
        try:
            return self._measure(job, time_limit)
        except TargetLostError:
            raise
        except PocketganError as error:
            return failure(job, error.problem)
        except TimeoutError:
            return failure(job, f"no answer within {time_limit:g} s")
        except ValueError as error:
            return failure(job, str(error))
        except OSError as error:
            return failure(job, f"cannot be read: {error}")

    @abstractmethod
    def _measure(self, job: Job, time_limit: float) -> Measurement:
        """The figures; raises whatever goes wrong."""
