"""What to try next; the only file that knows Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.tune._parameters import Choice, Parameter
from lightning_unlearn.tune._trial import Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import TPESampler
    from optuna.trial import FrozenTrial

_CONSTRAINT = "retain"
_DIGITS = 3  # that matter: values are to be written down
_OLD_CONSTRAINTS = "constraints"  # where Optuna before 5 keeps them in a trial


def check_installed() -> None:
    """Refuse to go on without Optuna.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import optuna  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "`lightning-unlearn tune` needs the extra `tune`, found Optuna not installed. Run "
            "`pip install 'lightning-unlearn[tune]'`."
        ) from error


def propose(
    parameters: Sequence[Parameter],
    trials: Sequence[Trial],
    seed: int,
    number: int,
    waiting: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Values for the next trial, by a tree-structured Parzen estimator that learns from those before.

    A function of its arguments alone: which process asks, and whether the search was interrupted, does not matter. The first
    ten or so are random.

    Args:
        parameters: what is varied.
        trials: that it learns from, in order; their values are values of the parameters.
        seed: of the search.
        number: of the trial, ≥ 0.
        waiting: values of trials that are not finished, and should not be tried again.

    References:
        Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011; with constraints as in Watanabe and
        Hutter, "c-TPE", IJCAI 2023, arXiv:2211.14411. The code is Optuna's (Akiba et al., KDD 2019).

    Example:
        >>> from lightning_unlearn.tune._parameters import Number
        >>> alpha = Number("alpha", 0.01, 1.0, log=True)
        >>> first, again = propose([alpha], [], seed=0, number=1), propose([alpha], [], seed=0, number=1)
        >>> first == again, 0.01 <= first["alpha"] <= 1.0
        (True, True)
    """
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental in version 4, and no longer in 5
            distributions = {parameter.name: _distribution(parameter) for parameter in parameters}
            study = optuna.create_study(sampler=_sampler(seed, number))
            study.add_trials(
                [
                    *(_frozen(trial.values, trial, parameters, distributions) for trial in trials),
                    *(_frozen(values, None, parameters, distributions) for values in waiting),
                ]
            )
            found = study.ask(distributions).params
    finally:
        optuna.logging.set_verbosity(before)
    return {parameter.name: _value(parameter, found[parameter.name]) for parameter in parameters}


def _value(parameter: Parameter, found: Any) -> Any:
    if isinstance(parameter, Choice):
        return parameter.values[found]
    if parameter.integer or parameter.step is not None:
        return found
    return min(max(float(f"{found:.{_DIGITS}g}"), parameter.low), parameter.high)


def _sampler(seed: int, number: int) -> TPESampler:
    from optuna.samplers import TPESampler
    from optuna.trial import FrozenTrial

    own: dict[str, Any] = {}
    if not hasattr(FrozenTrial, "set_constraint"):
        own["constraints_func"] = lambda trial: trial.system_attrs[_OLD_CONSTRAINTS]
    state = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    return TPESampler(seed=state, multivariate=True, constant_liar=True, **own)


def _frozen(
    values: Mapping[str, Any],
    trial: Trial | None,
    parameters: Sequence[Parameter],
    distributions: Mapping[str, BaseDistribution],
) -> FrozenTrial:
    from optuna.trial import FrozenTrial, TrialState, create_trial

    encoded = {
        p.name: p.index(values[p.name]) if isinstance(p, Choice) else values[p.name] for p in parameters
    }
    known: dict[str, Any] = {"params": encoded, "distributions": dict(distributions)}
    if trial is None:
        return create_trial(state=TrialState.RUNNING, **known)
    if hasattr(FrozenTrial, "set_constraint"):
        constraint: dict[str, Any] = {"constraints": {_CONSTRAINT: trial.violation}}
    else:
        constraint = {"system_attrs": {_OLD_CONSTRAINTS: (trial.violation,)}}
    return create_trial(value=trial.counts_as, **known, **constraint)


def _distribution(parameter: Parameter) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(parameter, Choice):
        return CategoricalDistribution(range(len(parameter.values)))
    if parameter.integer:
        low, high, step = int(parameter.low), int(parameter.high), int(parameter.step or 1)
        return IntDistribution(low, high, log=parameter.log, step=step)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)
