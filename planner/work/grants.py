"""What workers of a run may do: permissions by name, and the secrets that go with them; neither is ever stored.

A permission is a word such as `network`, or a word with an argument such as `secret:GITHUB_TOKEN`. Names are what the
store keeps, so that a resumed run is granted the same; the values of secrets stay with the process that was given them.
"""

import os
from collections.abc import Iterable, Mapping

from ramify.planner.errors import NotAllowedError, UsageError
from ramify.planner.runtime.redaction import Redactor
from ramify.planner.runtime.several import several
from ramify.tasks import Task

SECRET = "secret"  # noqa: S105 - the name of a kind of permission


class Grants:
    """The permissions and secrets of one run.

    Args:
        allow: the permissions, by name.
        secrets: values by name; what is allowed and not in here is read from the environment.
        for_types: permissions that only tasks of a type have.

    Attributes:
        allow: the permissions, by name, in order.
        redactor: blots the values of the secrets out of everything that is written.

    Raises:
        UsageError: if a permission has no name.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        secrets: Mapping[str, str] | None = None,
        *,
        for_types: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        given = dict(secrets or {})
        self.allow = tuple(dict.fromkeys([*several(allow), *(f"{SECRET}:{name}" for name in given)]))
        self._for_types = {name: tuple(each) for name, each in (for_types or {}).items()}
        everything = [*self.allow, *(permission for each in self._for_types.values() for permission in each)]
        for permission in everything:
            if not permission.partition(":")[0].strip() or permission.endswith(":"):
                raise UsageError(f"{permission!r} is not a permission; use a name such as network or secret:NAME")
        names = [permission.partition(":")[2] for permission in everything if permission.startswith(f"{SECRET}:")]
        found = {name: value for name in names if (value := given.get(name, os.environ.get(name)))}
        self._secrets = found
        self.redactor = Redactor(found.values())

    def of(self, task: Task | None) -> tuple[str, ...]:
        """Return the permissions that `task` has; those that all tasks have for None."""
        return (*self.allow, *self._for_types.get(task.type or "model", ())) if task is not None else self.allow

    def arguments(self, permission: str, task: Task | None = None) -> tuple[str, ...]:
        """Return the arguments with which `permission` is granted, such as the hosts of `network:HOST`, in order.

        >>> Grants(["network", "network:127.0.0.1:8080"]).arguments("network")
        ('127.0.0.1:8080',)
        """
        return tuple(each.partition(":")[2] for each in self.of(task) if each.startswith(f"{permission}:"))

    def check(self, task: Task, needed: Iterable[str]) -> None:
        """Raise `NotAllowedError` if `task` needs a permission that is not granted, or a secret that is not there."""
        needed = frozenset(needed)
        if not needed:
            return
        missing = sorted(needed.difference(self.of(task)))
        if missing:
            words = " and ".join(missing)
            options = " ".join(f"--allow {each}" for each in missing)
            raise NotAllowedError(
                f"task {task.id} (type {task.type or 'model'}) needs the permission {words};"
                f" grant it with {options} (in Python: allow={missing})",
                task_id=task.id,
                permissions=tuple(missing),
            )
        self.check_secrets(needed, f"task {task.id}")

    def check_secrets(self, needed: Iterable[str], who: str) -> None:
        """Raise `UsageError` if a secret is not there that `who` has to be given."""
        for name in (each.partition(":")[2] for each in needed if each.startswith(f"{SECRET}:")):
            if name not in self._secrets:
                raise UsageError(
                    f"{who} needs the secret {name}; set {name} in the environment"
                    f" (in Python: secrets={{{name!r}: ...}})"
                )

    def secret(self, name: str, task: Task) -> str:
        """Return the value of a secret.

        Raises:
            NotAllowedError: if it is not granted.
            UsageError: if it is granted, and not there.
        """
        self.check(task, [f"{SECRET}:{name}"])
        return self._secrets[name]

    def value(self, name: str) -> str:
        """Return the value of a secret that is known to be granted and there, as `check` makes sure."""
        return self._secrets[name]
