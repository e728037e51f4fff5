"""Policy files: the packaged default, reading one with clear errors, and the content that is stored."""

import json
import tomllib
from functools import cache, lru_cache
from importlib.resources import files

from refundflow.errors import PolicyInvalid
from states.policy import Policy, PolicyProblem, build

DEFAULT_SOURCE = "refundflow/data/policy.toml"


def default_text() -> str:
    """Return the packaged default policy file with its comments, to be copied and edited."""
    return files("refundflow").joinpath("data", "policy.toml").read_text(encoding="utf-8")


@cache
def default() -> Policy:
    """Return the packaged default policy."""
    return parse(default_text(), DEFAULT_SOURCE)


def parse(text: str, source: str) -> Policy:
    """Read the text of a policy file; the source names the file in errors.

    Raises:
        PolicyInvalid: no TOML, or keys missing, unknown or not allowed; every problem at once.
    """
    try:
        return build(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        problem = ("(the whole file)", str(error), "TOML, see https://toml.io")
        raise PolicyInvalid(source, [problem]) from error
    except PolicyProblem as error:
        raise PolicyInvalid(source, error.problems) from error


def content_of(policy: Policy) -> str:
    """Return the canonical JSON of a policy: what is stored, and what its version is the SHA-256 of."""
    return policy.content


@lru_cache(maxsize=64)  # read in every move, and a value
def restore(content: str, source: str = "stored policy") -> Policy:
    """Return the policy that `content_of` wrote.

    Raises:
        PolicyInvalid: the content is not one.
    """
    try:
        return build(json.loads(content))
    except json.JSONDecodeError as error:
        problem = ("(the whole content)", str(error), "the JSON of a policy")
        raise PolicyInvalid(source, [problem]) from error
    except PolicyProblem as error:
        raise PolicyInvalid(source, error.problems) from error
